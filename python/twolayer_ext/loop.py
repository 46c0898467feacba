"""The loop over epochs: batches, validation, learning rate, history, callbacks, Ctrl-C.

Written once; the network it is given brings the engine that computes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array
from twolayer_ext.engine import EngineTrainer, Rows
from twolayer_ext.errors import DivergenceError, TrainingInterrupted
from twolayer_ext.network import NetworkBase
from twolayer_ext.progress import Progress
from twolayer_ext.streams import Purpose, generator

History: TypeAlias = dict[str, list[float]]

EPOCH_KEYS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")
# A call into the engine cannot be interrupted: it should last between these times.
_SHORT_CALL, _LONG_CALL = 0.012, 0.025


@dataclass(frozen=True)
class TrainResult:
    """What training gives.

    Attributes
    ----------
    network : Network
        The trained network.
    history : dict of lists of float
        One entry an epoch: ``loss`` (mean of the step losses, weighted by batch size),
        ``accuracy`` (of the predictions made while training, each before its update),
        ``val_loss`` and ``val_accuracy`` (after the epoch, without regularisation; nan without
        validation data), ``learning_rate``, ``seconds`` (validation not counted). One entry a
        step: ``step_loss``, form (4) of the study on the batch before its update.
    """

    network: NetworkBase
    history: History


@dataclass(frozen=True)
class EpochEvent:
    """What a callback is told after an epoch.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    steps : int
        Done since training began.
    network : Network
        As it stands; change it at your own risk.
    history : dict of lists of float
        As in `TrainResult`, up to here; it goes on growing.
    """

    epoch: int
    steps: int
    network: NetworkBase
    history: History


Callback: TypeAlias = Callable[[EpochEvent], object]


@dataclass(frozen=True)
class Data:
    """Checked arrays, and which of their rows to train on."""

    x: Array
    y: NDArray[np.int64]
    rows: Rows
    validation: tuple[Array, NDArray[np.int64], Rows | None] | None


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


@dataclass
class _Epoch:
    number: int  # from 1
    learning_rate: float
    order: Rows
    losses: NDArray[np.float64]  # nan where a step was not done
    started: float
    seconds: float = math.nan
    samples: int = 0
    correct: int = 0


@dataclass
class Loop:
    """One run of training; `run` is called once."""

    network: NetworkBase
    trainer: EngineTrainer
    data: Data
    plan: Plan
    history: History = field(default_factory=dict)
    _closed: list[tuple[tuple[float, ...], list[float]]] = field(default_factory=list)
    _epoch: _Epoch | None = None
    _steps: int = 0  # in closed epochs
    _samples: int = 0
    _batches_at_once: int = 1

    def run(self) -> TrainResult:
        """Train; see `twolayer_ext.train` for what is raised."""
        self._publish()
        total, epochs = self._total()
        try:
            with Progress(self.plan.progress, epochs, total) as progress:
                learning_rate = self.plan.learning_rate
                while self._steps < total:
                    self._train_epoch(learning_rate, total, progress)
                    learning_rate *= self.plan.learning_rate_decay
                    progress.epoch_end(self.history)
                    if self._stopped_by_callback():
                        break
        except KeyboardInterrupt:
            self._rescue()
            raise TrainingInterrupted(self._result()) from None
        return self._result()

    def _result(self) -> TrainResult:
        return TrainResult(self.network, self.history)

    def _total(self) -> tuple[int, int | None]:
        """Return the number of steps, and of epochs if those are all done in full."""
        plan = self.plan
        an_epoch = -(-len(self.data.rows) // plan.batch_size)
        if plan.epochs is None:
            assert plan.max_steps is not None
            return plan.max_steps, None
        total = plan.epochs * an_epoch
        if plan.max_steps is not None and plan.max_steps < total:
            return plan.max_steps, None
        return total, plan.epochs

    def _train_epoch(self, learning_rate: float, total: int, progress: Progress) -> None:
        plan, data = self.plan, self.data
        number = len(self._closed) + 1
        order = data.rows
        if plan.shuffle:
            order = order[generator(plan.seed, Purpose.SHUFFLE, number - 1).permutation(len(order))]
        order = order[: (total - self._steps) * plan.batch_size]
        losses = np.full(-(-len(order) // plan.batch_size), np.nan)
        epoch = _Epoch(number, learning_rate, order, losses, time.perf_counter())
        self._epoch = epoch
        done = 0
        while done < len(losses):
            done += self._call(epoch, done)
            if not math.isfinite(losses[done - 1]):
                self._diverged(epoch, done)
            progress.update(
                number,
                self._steps + done,
                self._samples + epoch.samples,
                self._mean_loss(epoch, done),
                epoch.correct / epoch.samples,
            )
        epoch.seconds = time.perf_counter() - epoch.started
        validation = (math.nan, math.nan)
        if data.validation is not None:
            validation = self.network.evaluate_rows(*data.validation, plan.threads)
        self._close(epoch, done, validation)

    def _call(self, epoch: _Epoch, done: int) -> int:
        """Run as many batches as take about 20 ms; return how many were done."""
        size = self.plan.batch_size
        asked = min(self._batches_at_once, len(epoch.losses) - done)
        rows = epoch.order[done * size : (done + asked) * size]
        before = time.perf_counter()
        steps, correct = self.trainer.run(
            self.data.x, self.data.y, rows, epoch.learning_rate, epoch.losses[done : done + asked]
        )
        seconds = time.perf_counter() - before
        if seconds < _SHORT_CALL and asked == self._batches_at_once:
            self._batches_at_once *= 2
        elif seconds > _LONG_CALL:
            self._batches_at_once = max(1, asked // 2)
        epoch.samples += min(steps * size, len(rows))
        epoch.correct += correct
        return steps

    def _mean_loss(self, epoch: _Epoch, done: int) -> float:
        """Mean over the samples of the steps done: every step counts with its batch's size."""
        size = self.plan.batch_size
        last = min(done * size, len(epoch.order)) - (done - 1) * size
        total = float(epoch.losses[: done - 1].sum()) * size + float(epoch.losses[done - 1]) * last
        return total / ((done - 1) * size + last)

    def _close(self, epoch: _Epoch, done: int, validation: tuple[float, float]) -> None:
        """Put an epoch, whole or not, into the history."""
        accuracy = epoch.correct / epoch.samples if epoch.samples else math.nan
        row = (
            self._mean_loss(epoch, done),
            accuracy,
            *validation,
            epoch.learning_rate,
            epoch.seconds,
        )
        # One operation, after which the epoch is there: an interrupt falls before it or after.
        self._closed.append((row, epoch.losses[:done].tolist()))
        self._samples += epoch.samples
        self._steps += done
        for key, value in zip(EPOCH_KEYS, row, strict=True):
            self.history[key].append(value)
        self.history["step_loss"].extend(self._closed[-1][1])

    def _publish(self) -> None:
        """Write the history anew from the closed epochs."""
        for i, key in enumerate(EPOCH_KEYS):
            self.history[key] = [row[i] for row, _ in self._closed]
        self.history["step_loss"] = [loss for _, losses in self._closed for loss in losses]

    def _rescue(self) -> None:
        """After Ctrl-C, wherever it fell: complete the history with what was done."""
        epoch = self._epoch
        self._publish()
        if epoch is None or len(self._closed) >= epoch.number:
            return
        # Steps of an interrupted call were done, though nobody has counted them yet.
        done = int(np.isfinite(epoch.losses).sum())
        if done:
            epoch.seconds = time.perf_counter() - epoch.started
            self._close(epoch, done, (math.nan, math.nan))

    def _diverged(self, epoch: _Epoch, done: int) -> None:
        epoch.seconds = time.perf_counter() - epoch.started
        loss = epoch.losses[done - 1]
        self._close(epoch, done, (math.nan, math.nan))
        raise DivergenceError(
            f"the loss became {loss} at step {self._steps} (epoch {epoch.number}, learning_rate "
            f"{epoch.learning_rate:g}); try a smaller learning_rate, such as "
            f"{epoch.learning_rate / 10:g}, normalize='standard', or a smaller init or reg",
            self._result(),
        )

    def _stopped_by_callback(self) -> bool:
        if not self.plan.callbacks:
            return False
        event = EpochEvent(len(self._closed), self._steps, self.network, self.history)
        answers = [callback(event) for callback in self.plan.callbacks]
        return any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers)
