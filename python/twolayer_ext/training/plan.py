"""What the loop works on, and what it does with that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array
from twolayer_ext.engine import RowNumbers, Weights
from twolayer_ext.rows import Rows
from twolayer_ext.training.result import EpochEvent

Callback: TypeAlias = Callable[[EpochEvent], object]
Watch: TypeAlias = Callable[[float], None]
Factors: TypeAlias = Callable[[int, int], NDArray[np.float64]]  # of steps begin ... end - 1


@dataclass(frozen=True)
class Data:
    """Checked arrays, and which of their rows to train on."""

    x: Rows
    targets: Array
    rows: RowNumbers
    validation: tuple[Rows, Array, RowNumbers | None] | None
    weights: Weights | None = None  # one a row of x


@dataclass(frozen=True)
class Plan:
    """What the loop does with the data."""

    batch_size: int
    epochs: int | None
    max_steps: int | None
    learning_rate: float
    learning_rate_decay: float
    shuffle: bool
    seed: int
    threads: int
    progress: bool | None
    callbacks: Sequence[Callback]
    factors: Factors | None = None  # of the learning rate, which is not decayed then
    early_stopping: int | None = None
    average_epochs: int = 0

    def total(self, rows: int) -> tuple[int, int]:
        """Return the number of steps on that many rows, and of epochs; the last may be cut."""
        an_epoch = -(-rows // self.batch_size)
        limits = [self.max_steps, None if self.epochs is None else self.epochs * an_epoch]
        steps = min(limit for limit in limits if limit is not None)
        return steps, -(-steps // an_epoch)

    def decayed_rate(self, epochs: int) -> float:
        """Return the learning rate after that many epochs, where there is no schedule."""
        rate = self.learning_rate
        for _ in range(epochs):
            rate *= self.learning_rate_decay
        return rate
