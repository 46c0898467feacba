"""Initial parameters: the name of a rule, or the standard deviation of a normal draw."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from twolayer_ext import checks
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.checks import Parameters
from twolayer_ext.streams import Purpose, generator

NAMES = ("auto", "he", "glorot", "lecun")
_LARGEST_DEVIATION = 1e36  # a draw 100 times as large is still finite in float32


def check(init: object) -> str | float:
    """Return `init` if it is a known name, or a number that can be a standard deviation."""
    if isinstance(init, str):
        return checks.choice("init", init, NAMES)
    return checks.number("init", init, minimum=0, below=_LARGEST_DEVIATION)


def parameters(
    layer_sizes: tuple[int, ...], *, init: str | float, activation: str, seed: int
) -> Parameters:
    """Draw the weights of every layer, in order; biases are zero.

    Parameters
    ----------
    layer_sizes : tuple of int
        (D, H1, ..., C).
    init : str or float
        ``"he"``: normal, variance 2 / D (He et al., 2015); ``"glorot"``: uniform within
        ±sqrt(6 / (D + H)) (Glorot and Bengio, 2010); ``"lecun"``: normal, variance 1 / D (LeCun
        et al., 1998); ``"auto"``: what suits the activation, he for relu
        and what is like it; a number: the standard deviation of a normal draw.
    activation : str
        Decides what ``"auto"`` means.
    seed : int
        Same seed, same weights, whatever the network's dtype is.

    Returns
    -------
    list of (W, b)
        float64 arrays of shape (D, H) and (H,), one pair a layer.
    """
    if init == "auto":
        init = ACTIVATIONS[activation].init
    rng = generator(seed, Purpose.INIT)
    result: Parameters = []
    for fan_in, fan_out in pairwise(layer_sizes):
        shape = (fan_in, fan_out)
        if init == "glorot":
            bound = math.sqrt(6 / (fan_in + fan_out))
            weights = rng.uniform(-bound, bound, shape)
        else:
            if init == "he":
                deviation = math.sqrt(2 / fan_in)
            elif init == "lecun":
                deviation = math.sqrt(1 / fan_in)
            else:
                deviation = float(init)
            weights = rng.normal(0.0, deviation, shape)
        result.append((weights, np.zeros(fan_out)))
    return result
