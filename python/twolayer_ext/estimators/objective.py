"""What an estimator makes small: scikit-learn's losses in the core's terms, and the package's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from twolayer_ext import _core
from twolayer_ext.checks import Array
from twolayer_ext.engine import Engine, EngineNetwork, RowNumbers
from twolayer_ext.losses import Loss, Task
from twolayer_ext.network import Network, scoring
from twolayer_ext.rows import Rows

# What the output activation is called there, and the loss it comes with here.
LOSS_OF_ACTIVATION = {
    "softmax": "cross_entropy",
    "logistic": "logistic",
    "identity": "squared_error",
    "exp": "poisson",
}


@dataclass
class Scored:
    """A core's network with its task, as `network.scoring` asks for it."""

    core: EngineNetwork
    task: Task
    layer_sizes: tuple[int, ...]
    dtype: str
    engine: ClassVar[Engine] = Network.engine

    @classmethod
    def of(cls, core: _core.Network, task: Task) -> Self:
        """Return the two as one."""
        return cls(core, task, core.layer_sizes, core.dtype)


@dataclass(frozen=True)
class Objective:
    """A loss with its targets.

    scikit-learn clips probabilities to [eps, 1 - eps] before it takes their logarithm, but not in
    the gradient; sums the losses of several outputs, but averages squared errors, halved, while
    their gradient is that of the sum. Its Poisson deviance has a part that depends on targets only.

    Attributes
    ----------
    loss : _core.Loss
        What is trained with.
    judge : _core.Loss
        What rows not trained on are judged by: of the labels as they are.
    targets : ndarray
        int64 class indices (N,), or numbers (N, columns).
    constants : ndarray of float64, shape (N,), or None
        To be added to each row's loss.
    task : Task or None
        With a loss that only this package has.
    """

    loss: _core.Loss
    judge: _core.Loss
    targets: Array
    constants: NDArray[np.float64] | None
    task: Task | None = None

    def mean(self, core: _core.Network, x: Rows, rows: RowNumbers | None, threads: int) -> float:
        """Return the mean loss of x[rows], None for all, without penalty and weights."""
        if self.task is not None:
            return scoring.evaluate(Scored.of(core, self.task), x, self.targets, rows, threads)[0]
        value, _ = core.evaluate(x, self.targets, rows, self.judge, threads)
        if self.constants is None:
            return value
        return value + float(np.mean(self.constants if rows is None else self.constants[rows]))


@lru_cache(maxsize=64)
def core_loss(out_activation: str, outputs: int, dtype: str, smoothing: float = 0.0) -> _core.Loss:
    """Return what the core computes of scikit-learn's losses, for that many outputs.

    Smoothed labels have the exact logarithms. It makes predictions for every other loss, too.
    """
    name = LOSS_OF_ACTIVATION[out_activation]
    if smoothing:
        return _core.Loss(name, smoothing=smoothing, value_divisor=1, gradient_divisor=1)
    if name in ("cross_entropy", "logistic"):
        floor = float(np.finfo(dtype).eps)
        return _core.Loss(name, value_divisor=1, gradient_divisor=1, probability_floor=floor)
    if name == "squared_error":
        return _core.Loss(name, value_divisor=2 * outputs, gradient_divisor=2)
    return _core.Loss(name, value_divisor=1, gradient_divisor=1)


def out_activation_of(loss: Loss) -> str:
    """Return scikit-learn's name of what makes predictions of the outputs."""
    for activation, name in LOSS_OF_ACTIVATION.items():
        if name == loss.name:
            return activation
    return "identity"


def objective(out_activation: str, y: Array, dtype: str, smoothing: float = 0.0) -> Objective:
    """Return scikit-learn's for `out_activation`, with targets (N, K): indicators or numbers."""
    outputs = y.shape[1]
    constants = None
    if out_activation == "softmax":
        targets = class_indices(y)
    elif out_activation == "logistic":
        targets = y.astype(np.uint8)
    else:
        targets = np.asarray(y, dtype)
    if out_activation == "exp":
        counts = y.astype(np.float64)
        constants = (xlogy(counts, counts) - counts).sum(axis=1)
    loss = core_loss(out_activation, outputs, dtype, smoothing)
    return Objective(loss, core_loss(out_activation, outputs, dtype), targets, constants)


def own_objective(task: Task, y: Array) -> Objective:
    """Return that of a loss of this package or the user's, with targets (N, K) as above."""
    if task.loss.takes == "labels":
        targets = class_indices(y)
    elif task.loss.takes == "indicators":
        targets = y.astype(np.uint8)
    else:
        targets = task.encode(y, rows=len(y))
    loss, judge = (
        Network.engine.loss(kind, task.outputs, None)
        for kind in (task.loss, task.loss.without_smoothing())
    )
    return Objective(loss, judge, targets, None, task)


def class_indices(y: Array) -> NDArray[np.int64]:
    """Return the numbers of the classes (N,) that indicators (N, K) say; (N, 1) is of two."""
    indices = y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1)
    return np.asarray(indices, np.int64)
