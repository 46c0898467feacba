"""Network: the perceptron that the compiled core computes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from numpy.typing import ArrayLike

from twolayer_ext import _core
from twolayer_ext.engine import Engine
from twolayer_ext.network.base import NetworkBase


class Network(NetworkBase):
    """A multi-layer perceptron, computed by the compiled core.

    z = a W + b for each layer, `activation` between layers, softmax at the end. The first layer
    reads (x - shift) / scale.

    Parameters
    ----------
    layer_sizes : sequence of int
        (D, H1, ..., C): features, hidden units of each layer, classes. (D, C) is softmax
        regression.
    activation : {"relu", "tanh", "logistic", "identity"}
    init : str or float
        "auto", "he", "glorot", "lecun", or the standard deviation of a normal draw; biases are 0.
        See `initializers.parameters`.
    dtype : {"float32", "float64"}
        Of the parameters and of all arithmetic.
    seed : int
        Decides the weights.
    normalize : None or (shift, scale)
        Numbers or vectors of length D; None leaves the input as it is.

    Raises
    ------
    ValueError, TypeError
        An argument that is none of these; the message names it.
    """

    engine = Engine(_core.Network, _core.Trainer)

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: str = "relu",
        init: str | float = "auto",
        dtype: str = "float32",
        seed: int = 0,
        normalize: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        super().__init__(
            layer_sizes,
            activation=activation,
            init=init,
            dtype=dtype,
            seed=seed,
            normalize=normalize,
        )


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network from a file that `Network.save` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Network
        Equal to the one saved, to the bit.

    Raises
    ------
    FileFormatError
        The file is broken, truncated, or something else.
    OSError
        The file cannot be read.
    """
    return Network.load(path)
