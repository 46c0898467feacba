"""What an estimator makes small: scikit-learn's losses in terms of the core's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from twolayer_ext import _core
from twolayer_ext.checks import Array
from twolayer_ext.losses import Loss

# What the output activation is called there, and the loss it comes with here.
LOSS_OF_ACTIVATION = {
    "softmax": "cross_entropy",
    "logistic": "logistic",
    "identity": "squared_error",
    "exp": "poisson",
}


@dataclass(frozen=True)
class Objective:
    """A loss with its targets.

    scikit-learn clips probabilities to [eps, 1 - eps] before it takes their logarithm, but not in
    the gradient; sums the losses of several outputs, but averages squared errors, halved, while
    their gradient is that of the sum. Its Poisson deviance has a part that depends on targets only.

    Attributes
    ----------
    loss : _core.Loss
    targets : ndarray
        int64 class indices (N,), or numbers (N, K).
    constants : ndarray of float64, shape (N,), or None
        To be added to each row's loss.
    """

    loss: _core.Loss
    targets: Array
    constants: NDArray[np.float64] | None


@lru_cache(maxsize=64)
def core_loss(
    out_activation: str,
    outputs: int,
    dtype: str,
    loss: Loss | None = None,
    smoothing: float = 0.0,
) -> _core.Loss:
    """Return what the core computes, for that many outputs, in "float32" or "float64".

    `loss` is one of this package, with its own mean over the outputs, or None for scikit-learn's;
    smoothed labels have the exact logarithms, too.
    """
    if loss is not None:
        parameters = loss.parameters(outputs)
        return _core.Loss(loss.name, parameters=[] if parameters is None else parameters.tolist())
    name = LOSS_OF_ACTIVATION[out_activation]
    if smoothing:
        return _core.Loss(name, smoothing=smoothing, value_divisor=1, gradient_divisor=1)
    if name in ("cross_entropy", "logistic"):
        floor = float(np.finfo(dtype).eps)
        return _core.Loss(name, value_divisor=1, gradient_divisor=1, probability_floor=floor)
    if name == "squared_error":
        return _core.Loss(name, value_divisor=2 * outputs, gradient_divisor=2)
    return _core.Loss(name, value_divisor=1, gradient_divisor=1)


def objective(
    out_activation: str, y: Array, dtype: str, kind: Loss | None = None, smoothing: float = 0.0
) -> Objective:
    """Return what `out_activation` goes with, for targets (N, K): indicators or numbers."""
    loss = core_loss(out_activation, y.shape[1], dtype, kind, smoothing)
    constants = None
    if out_activation == "softmax":
        targets = y.argmax(axis=1).astype(np.int64, copy=False)
    elif out_activation == "logistic":
        targets = y.astype(np.uint8)
    else:
        targets = np.asarray(y, dtype)
    if out_activation == "exp":
        counts = y.astype(np.float64)
        constants = (xlogy(counts, counts) - counts).sum(axis=1)
    return Objective(loss, targets, constants)
