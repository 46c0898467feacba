"""How far a training is: what a checkpoint holds besides network and trainer."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import RowNumbers


@dataclass
class Epoch:
    """The epoch that runs, or ran last."""

    number: int  # from 1
    rates: NDArray[np.float64]  # a step
    order: RowNumbers
    losses: NDArray[np.float64]  # nan where a step was not done
    scores: NDArray[np.float64]  # sums over a step's samples
    started: float
    done: int = 0  # steps
    seconds: float = math.nan
    averaged: bool = False  # its parameters are in the sums of `Record`, and it awaits validation


@dataclass(frozen=True)
class Part:
    """What was done of an epoch that is to go on."""

    losses: NDArray[np.float64]  # of the steps done
    scores: NDArray[np.float64]
    seconds: float
    averaged: bool


@dataclass
class Record:
    """What was done, in numbers.

    Attributes
    ----------
    closed : list of (row, losses)
        Of each epoch done what the history says of it, and each step's loss.
    epoch : Epoch or None
        The last that was begun.
    part : Part or None
        What is done already of the next to begin.
    best : (epoch, val_loss, parameters) or None
        With early stopping.
    sums : list of ndarray of float64
        Of the parameters to average: W1, b1, W2, ...
    steps, samples : int
        In closed epochs.
    earlier : int
        Epochs of the training whose `state` this one goes on from.
    """

    closed: list[tuple[tuple[float, ...], list[float]]] = field(default_factory=list)
    epoch: Epoch | None = None
    part: Part | None = None
    best: tuple[int, float, Parameters] | None = None
    sums: list[Array] = field(default_factory=list)
    steps: int = 0
    samples: int = 0
    earlier: int = 0

    def close(self, epoch: Epoch, row: tuple[float, ...], samples: int) -> None:
        """Add an epoch of so many samples, whole or not; `row` is what the history says of it."""
        # One operation, after which the epoch is there: an interrupt falls before it or after.
        self.closed.append((row, epoch.losses[: epoch.done].tolist()))
        self.samples += samples
        self.steps += epoch.done

    @property
    def open_part(self) -> Part | None:
        """What is done of an epoch that is not closed yet."""
        epoch = self.epoch
        if epoch is None or epoch.number <= len(self.closed):
            return self.part
        return Part(
            epoch.losses[: epoch.done].copy(),
            epoch.scores[: epoch.done].copy(),
            time.perf_counter() - epoch.started,
            epoch.averaged,
        )

    @property
    def position(self) -> tuple[int, int]:
        """Epochs closed, and steps done of the next."""
        part = self.open_part
        return len(self.closed), 0 if part is None else len(part.losses)

    def begin(self, epoch: Epoch) -> None:
        """Go on with an epoch, from where it is."""
        part, self.part = self.part, None
        if part is not None:
            epoch.done = len(part.losses)
            epoch.losses[: epoch.done] = part.losses
            epoch.scores[: epoch.done] = part.scores
            epoch.started -= part.seconds
            epoch.averaged = part.averaged
        self.epoch = epoch
