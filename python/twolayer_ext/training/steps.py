"""How many batches a call into the engine does, and steps whose loss is a Python function."""

from __future__ import annotations

import math

from twolayer_ext.checks import Array
from twolayer_ext.engine import EngineTrainer, RowNumbers, Weights
from twolayer_ext.losses import CustomLoss
from twolayer_ext.rows import Rows

# Seconds. A call into the engine cannot be interrupted: it should last between these.
_SHORT_CALL, _LONG_CALL = 0.012, 0.025


class Pace:
    """As many batches as take about 20 ms.

    Attributes
    ----------
    batches : int
        For the next call.
    """

    def __init__(self) -> None:
        self.batches = 1

    def follow(self, done: int, seconds: float) -> None:
        """Learn from a call that did so many batches in so many seconds."""
        if seconds < _SHORT_CALL and done == self.batches:
            self.batches *= 2
        elif seconds > _LONG_CALL:
            self.batches = max(1, done // 2)


def of_function(
    trainer: EngineTrainer,
    loss: CustomLoss,
    x: Rows,
    targets: Array,
    rows: RowNumbers,
    rates: Weights,
    losses: Weights,
    scores: Weights,
    *,
    batch_size: int,
    weights: Weights | None,
    score_scale: Weights | None,
) -> int:
    """Do what `EngineTrainer.run` does, with a loss called between the halves of each step.

    Returns the number of steps done.
    """
    for step in range(len(losses)):
        batch = rows[step * batch_size : (step + 1) * batch_size]
        outputs = trainer.begin(x, batch)
        judged = targets[batch]
        of_samples, gradient = loss.value_and_gradient(outputs, judged)
        scores[step] = loss.score(outputs, judged, score_scale).sum(dtype="float64")
        losses[step] = trainer.finish(x, batch, of_samples, gradient, float(rates[step]), weights)
        if not math.isfinite(losses[step]):
            return step + 1
    return len(losses)
