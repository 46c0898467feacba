"""check_gradients: backpropagation against central differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.engine import Gradients
from twolayer_ext.network.base import NetworkBase

_SMALLEST = 1e-8


class ParameterError(NamedTuple):
    """How far one array of parameters is off."""

    name: str
    shape: tuple[int, ...]
    max_relative_error: float


@dataclass(frozen=True)
class GradientReport:
    """Result of `check_gradients`; as a string it is a table.

    Attributes
    ----------
    parameters : list of ParameterError
        (name, shape, max_relative_error) of W1, b1, W2, ...
    """

    parameters: list[ParameterError]

    @property
    def max_relative_error(self) -> float:
        """The largest of all parameters."""
        return max(p.max_relative_error for p in self.parameters)

    def passed(self, tolerance: float) -> bool:
        """Tell whether every relative error is below `tolerance`."""
        return self.max_relative_error < tolerance

    def __str__(self) -> str:
        rows = [
            (p.name, " x ".join(map(str, p.shape)), f"{p.max_relative_error:.2e}")
            for p in self.parameters
        ]
        head = ("parameter", "shape", "max relative error")
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        return "\n".join(
            f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {error:>{widths[2]}}"
            for name, shape, error in (head, *rows)
        )


def check_gradients(
    net: NetworkBase,
    x: ArrayLike,
    y: ArrayLike,
    *,
    reg: float = 0.0,
    h: float = 1e-5,
    dropout: float | Sequence[float] = 0.0,
    gammas: Sequence[ArrayLike] | None = None,
    label_smoothing: float = 0.0,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
) -> GradientReport:
    """Compare every gradient of a network with central differences of its loss.

    Works in float64 on a copy: a float32 network is converted. Two losses are computed for each
    single parameter, so this is for small networks and few rows.

    The relative error of an array is the study's, max |a - b| / max(1e-8, |a| + |b|) over its
    elements. Rounding limits the difference to about 1e-16 · loss / h: elements smaller than
    that over the tolerance look wrong though they are not. So does a relu whose input is within
    about h of its kink.

    Parameters
    ----------
    net : Network
        Of either engine; it is not changed.
    x : array_like, shape (N, D)
    y : array_like, shape (N,) or (N, columns)
    reg : float, default 0
        λ of form (4).
    h : float, default 1e-5
        Each parameter is moved up and down by it.
    dropout, gammas, label_smoothing, sample_weight, seed
        Techniques of training, as `Network.loss_and_gradients` takes them. The report has a row
        for each of the `gammas`, too.

    Returns
    -------
    GradientReport

    Raises
    ------
    ValueError, TypeError
        As `Network.loss_and_gradients`; `h` not positive, or lost in the rounding of a parameter.
    """
    if not isinstance(net, NetworkBase):
        raise TypeError(f"net: {type(net).__name__}; must be a Network")
    h = checks.number("h", h, above=0)
    reg = checks.number("reg", reg, minimum=0)
    net = net.astype("float64")
    largest = max(float(np.abs(array).max()) for pair in net.parameters for array in pair)
    smallest_step = float(np.finfo(np.float64).eps) * max(1.0, largest)
    if h < smallest_step:
        raise ValueError(
            f"h: {h}; must be at least {smallest_step:.2g}, or rounding hides it: parameters are "
            f"up to {largest:.2g}, a loss about 1"
        )
    net.check_data(x, y)
    factors = None if gammas is None else [gamma.copy() for gamma in net.check_gammas(gammas)]
    parameters = net.parameters

    def compute() -> tuple[float, Gradients]:
        for i, (weights, bias) in enumerate(parameters):
            net.core.set_layer(i, weights, bias)
        return net.loss_and_gradients(
            x,
            y,
            reg=reg,
            dropout=dropout,
            gammas=factors,
            label_smoothing=label_smoothing,
            sample_weight=sample_weight,
            seed=seed,
            threads=1,
        )

    errors = []
    for i, gradients in enumerate(compute()[1]):
        arrays = [*parameters[i], *([] if factors is None else factors[i : i + 1])]
        for kind, array, analytic in zip(("W", "b", "gamma"), arrays, gradients, strict=False):
            numeric = np.empty_like(array)
            for index in np.ndindex(array.shape):
                value = array[index]
                moved = []
                for neighbour in (value + h, value - h):
                    array[index] = neighbour
                    moved.append(compute()[0])
                array[index] = value
                # The step as it was taken: value + h is rounded.
                numeric[index] = (moved[0] - moved[1]) / ((value + h) - (value - h))
            error = _relative_error(analytic, numeric)
            errors.append(ParameterError(f"{kind}{i + 1}", array.shape, error))
    return GradientReport(errors)


def _relative_error(a: Array, b: Array) -> float:
    return float((np.abs(a - b) / np.maximum(_SMALLEST, np.abs(a) + np.abs(b))).max())
