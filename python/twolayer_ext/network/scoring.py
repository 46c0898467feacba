"""Loss, score and gradients of a network on checked data; a user's own loss among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import ClassVar, Protocol

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.engine import Engine, EngineNetwork, Gradients, RowNumbers, Weights
from twolayer_ext.losses import CustomLoss, Task
from twolayer_ext.rows import Rows, part, take

# Work of one call into the engine, in multiply-adds: so that the progress of a validation shows,
# and the twin's buffers are of bounded size. Not adapted to the clock: the sums of `evaluate` must
# not depend on how busy the machine is.
_WORK_AT_ONCE = 2**31
_VALUES_AT_ONCE = 2**22  # of the widest layer
_ROWS_AT_ONCE = 2**16


class Scored(Protocol):
    """What is asked of a network here."""

    engine: ClassVar[Engine]
    core: EngineNetwork
    task: Task

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """(D, H1, ..., K)."""

    @property
    def dtype(self) -> str:
        """Of all arithmetic."""


def parts(layer_sizes: tuple[int, ...], rows: int) -> Iterator[slice]:
    """Cut so many rows into pieces for one call of the engine each."""
    widest = max(layer_sizes[1:])  # the first layer may be wide and sparse
    weights = sum(a * b for a, b in pairwise(layer_sizes))
    step = min(_ROWS_AT_ONCE, _WORK_AT_ONCE // weights, _VALUES_AT_ONCE // widest)
    step = max(16, step)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def evaluate(
    network: Scored,
    x: Rows,
    targets: Array,
    rows: RowNumbers | None,
    threads: int,
    watch: Callable[[], None] | None = None,
) -> tuple[float, float]:
    """Return mean loss and score of x[rows]; None takes all.

    `watch` is called before each call of the engine; what it raises ends the evaluation.
    """
    loss = network.task.loss.without_smoothing()
    judged = targets if rows is None else targets[rows]
    score_scale = loss.score_scale(judged)
    count = len(judged)
    of_engine = network.engine.loss(loss, network.layer_sizes[-1], score_scale)
    total, scores = 0.0, 0.0
    for chosen in parts(network.layer_sizes, count):
        if watch is not None:
            watch()
        if isinstance(loss, CustomLoss):
            block = part(x, chosen) if rows is None else take(x, rows[chosen])
            outputs = network.core.forward(block, None, threads)
            losses, _ = loss.value_and_gradient(outputs, judged[chosen])
            mean = float(losses.mean(dtype=np.float64))
            score = float(loss.score(outputs, judged[chosen], score_scale).mean(dtype=np.float64))
        elif rows is None:
            mean, score = network.core.evaluate(
                part(x, chosen), targets[chosen], None, of_engine, threads
            )
        else:
            mean, score = network.core.evaluate(x, targets, rows[chosen], of_engine, threads)
        share = (chosen.stop - chosen.start) / count
        total += mean * share
        scores += score * share
    return total, loss.score_of_mean(scores) if loss.score_name else math.nan


def loss_and_gradients(
    network: Scored,
    x: Rows,
    targets: Array,
    *,
    reg: float,
    threads: int,
    dropout: Sequence[float],
    gammas: Sequence[Array] | None,
    label_smoothing: float,
    weights: Weights | None,
    seed: int,
) -> tuple[float, Gradients]:
    """Return form (4) and its gradients, as `NetworkBase.loss_and_gradients`."""
    loss = network.task.loss.with_label_smoothing(label_smoothing)
    if not isinstance(loss, CustomLoss):
        of_engine = network.engine.loss(loss, network.layer_sizes[-1], None)
        return network.core.loss_and_gradients(
            x, targets, of_engine, reg, threads,
            dropout=dropout, gammas=gammas, weights=weights, seed=seed,
        )  # fmt: skip
    if dropout or gammas is not None:
        name = "dropout" if dropout else "gammas"
        raise ValueError(f"{name}: with a loss that is a function; must not be given")
    outputs = network.core.forward(x, None, threads)
    losses, gradient = loss.value_and_gradient(outputs, targets)
    share = np.full(len(outputs), 1 / len(outputs))
    if weights is not None and weights.sum() > 0:
        share = weights / weights.sum()
    doutputs = np.ascontiguousarray(gradient * share.astype(network.dtype)[:, np.newaxis])
    result = network.core.gradients(x, doutputs, threads)
    value = float((losses.astype(np.float64) * share).sum())
    for i in range(len(result)):
        matrix = network.core.layer(i)[0]
        value += reg * float(np.square(matrix, dtype=np.float64).sum())
        result[i] = (result[i][0] + np.asarray(2 * reg, matrix.dtype) * matrix, result[i][1])
    return value, result
