"""The loop over epochs: batches, validation, learning rate, history, which weights to end with.

Written once; the network it is given brings the engine that computes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, NoReturn, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import EngineTrainer, RowNumbers, Weights
from twolayer_ext.errors import DivergenceError, TrainingInterrupted
from twolayer_ext.losses import CustomLoss, Loss
from twolayer_ext.network import NetworkBase, scoring
from twolayer_ext.rows import Rows
from twolayer_ext.streams import Purpose, generator
from twolayer_ext.training import steps
from twolayer_ext.training.progress import Progress

History: TypeAlias = dict[str, list[float]]
NetworkT = TypeVar("NetworkT", bound=NetworkBase)
# The same where a network is only read.
NetworkT_co = TypeVar("NetworkT_co", bound=NetworkBase, covariant=True)


def epoch_keys(score_name: str) -> tuple[str, ...]:
    """Return what the history holds of every epoch, in order."""
    if not score_name:
        return ("loss", "val_loss", "learning_rate", "seconds")
    return ("loss", score_name, "val_loss", f"val_{score_name}", "learning_rate", "seconds")


@dataclass(frozen=True, repr=False)
class TrainResult(Generic[NetworkT_co]):
    """What training gives.

    Attributes
    ----------
    network : Network
        The trained network, of the class that was trained.
    history : dict of lists of float
        One entry an epoch: ``loss`` (mean of the step losses, weighted by batch size),
        ``accuracy``, or ``r2`` of numbers (of the predictions made while training, each before its
        update), ``val_loss`` and ``val_accuracy`` or ``val_r2`` (after the epoch, without
        regularisation; nan without validation data), ``learning_rate`` (of the epoch's first step),
        ``seconds`` (validation not counted). One entry a step: ``step_loss``, form (4) of the study
        on the batch before its update.
    best_epoch : int or None
        With early stopping, the epoch, counted from 1, with the smallest ``val_loss``; the first
        of equals. The network has its parameters, unless Ctrl-C ended the training.
    """

    network: NetworkT_co
    history: History
    best_epoch: int | None = None

    def __repr__(self) -> str:
        """Name the network, and where training ended; the history would fill pages."""
        epochs = len(self.history.get("loss", ()))
        parts = [f"{epochs} epoch{'' if epochs == 1 else 's'}"]
        for name in epoch_keys(self.network.score_name)[:-2]:
            values = self.history.get(name)
            if values and not math.isnan(values[-1]):
                parts.append(f"{name} {values[-1]:.4g}")
        if self.best_epoch is not None:
            parts.append(f"best epoch {self.best_epoch}")
        return f"TrainResult({self.network!r}, {', '.join(parts)})"


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


@dataclass
class _Epoch:
    number: int  # from 1
    rates: NDArray[np.float64]  # a step
    order: RowNumbers
    losses: NDArray[np.float64]  # nan where a step was not done
    scores: NDArray[np.float64]  # sums over a step's samples
    started: float
    done: int = 0  # steps
    seconds: float = math.nan


@dataclass
class Loop(Generic[NetworkT]):
    """One run of training; `run` is called once.

    `watch` is told, before each call of the engine, what share of the steps is done, 0 to 1; what
    it raises ends the run.
    """

    network: NetworkT
    trainer: EngineTrainer
    loss: Loss
    data: Data
    plan: Plan
    watch: Watch | None = None
    history: History = field(default_factory=dict)
    _closed: list[tuple[tuple[float, ...], list[float]]] = field(default_factory=list)
    _epoch: _Epoch | None = None
    _best: tuple[int, float, Parameters] | None = None  # epoch, val_loss, and what gave it
    _sums: list[NDArray[np.float64]] = field(default_factory=list)  # of parameters to average
    _steps: int = 0  # in closed epochs
    _samples: int = 0
    _pace: steps.Pace = field(default_factory=steps.Pace)

    def run(self) -> TrainResult[NetworkT]:
        """Train; see `twolayer_ext.train` for what is raised."""
        self._publish()
        total, epochs = self.plan.total(len(self.data.rows))
        try:
            asked = epochs if epochs == self.plan.epochs else None  # else in steps
            name = self.loss.score_name
            with Progress(self.plan.progress, asked, total, name) as progress:
                learning_rate = self.plan.learning_rate
                while self._steps < total:
                    self._train_epoch(learning_rate, total, progress)
                    learning_rate *= self.plan.learning_rate_decay
                    progress.epoch_end(self.history)
                    out_of_patience = self._out_of_patience()
                    if self._stopped_by_callback() or out_of_patience:
                        break
            self._restore_best()
            # The last update is followed by no loss that would tell.
            if not all(np.isfinite(a).all() for pair in self.network.parameters for a in pair):
                self._diverged("a parameter is not finite after")
        except KeyboardInterrupt:
            self._rescue()
            raise TrainingInterrupted(self._result()) from None
        return self._result()

    def _result(self) -> TrainResult[NetworkT]:
        best = None if self._best is None else self._best[0]
        return TrainResult(self.network, self.history, best)

    def _train_epoch(self, learning_rate: float, total: int, progress: Progress) -> None:
        plan, data = self.plan, self.data
        number = len(self._closed) + 1
        order = data.rows
        if plan.shuffle:
            order = order[generator(plan.seed, Purpose.SHUFFLE, number - 1).permutation(len(order))]
        order = order[: (total - self._steps) * plan.batch_size]
        losses = np.full(-(-len(order) // plan.batch_size), np.nan)
        if plan.factors is None:
            rates = np.full(len(losses), learning_rate)
        else:
            rates = plan.learning_rate * plan.factors(self._steps, self._steps + len(losses))
        scores = np.zeros(len(losses))
        self._epoch = epoch = _Epoch(number, rates, order, losses, scores, time.perf_counter())
        while epoch.done < len(losses):
            self._call(epoch)
            loss = losses[epoch.done - 1]
            if not math.isfinite(loss):
                self._end(epoch)
                self._diverged(f"the loss became {loss} at")
            progress.update(
                number,
                self._steps + epoch.done,
                self._samples + self._samples_of(epoch),
                self._mean_loss(epoch),
                self._score(epoch),
            )
        self.trainer.publish()
        epoch.seconds = time.perf_counter() - epoch.started
        self._average(number)
        validation = (math.nan, math.nan)
        if data.validation is not None:
            validation = scoring.evaluate(self.network, *data.validation, plan.threads, self._look)
        self._close(epoch, validation)
        if data.validation is not None and not math.isfinite(validation[0]):
            self._diverged(f"val_loss became {validation[0]} after")

    def _call(self, epoch: _Epoch) -> None:
        """Run as many batches as take about 20 ms."""
        self._look()
        size = self.plan.batch_size
        begin, end = epoch.done, min(epoch.done + self._pace.batches, len(epoch.losses))
        rows = epoch.order[begin * size : end * size]
        before = time.perf_counter()
        do = self._own_steps if isinstance(self.loss, CustomLoss) else self._steps_of_engine
        part = slice(begin, end)
        done = do(rows, epoch.rates[part], epoch.losses[part], epoch.scores[part])
        self._pace.follow(end - begin, time.perf_counter() - before)
        epoch.done += done

    def _steps_of_engine(
        self, rows: RowNumbers, rates: Weights, losses: Weights, scores: Weights
    ) -> int:
        data = self.data
        done, _ = self.trainer.run(data.x, data.targets, rows, rates, losses, data.weights, scores)
        return done

    def _own_steps(self, rows: RowNumbers, rates: Weights, losses: Weights, scores: Weights) -> int:
        """Do the same with a loss that is a function, called between the halves of each step."""
        data = self.data
        assert isinstance(self.loss, CustomLoss)
        return steps.of_function(
            self.trainer, self.loss, data.x, data.targets, rows, rates, losses, scores,
            batch_size=self.plan.batch_size, weights=data.weights, score_scale=self._score_scale,
        )  # fmt: skip

    @cached_property
    def _score_scale(self) -> Weights | None:
        return self.loss.score_scale(self.data.targets[self.data.rows])

    @property
    def _keys(self) -> tuple[str, ...]:
        return epoch_keys(self.loss.score_name)

    def _look(self) -> None:
        if self.watch is not None and self._epoch is not None:
            total, _ = self.plan.total(len(self.data.rows))
            self.watch((self._steps + self._epoch.done) / total)

    def _mean_loss(self, epoch: _Epoch) -> float:
        """Mean over the samples of the steps done: every step counts with its batch's size."""
        size, done, samples = self.plan.batch_size, epoch.done, self._samples_of(epoch)
        last = samples - (done - 1) * size
        total = float(epoch.losses[: done - 1].sum()) * size + float(epoch.losses[done - 1]) * last
        return total / samples

    def _samples_of(self, epoch: _Epoch) -> int:
        return min(epoch.done * self.plan.batch_size, len(epoch.order))

    def _score(self, epoch: _Epoch) -> float:
        total = float(epoch.scores[: epoch.done].sum())
        return self.loss.score_of_mean(total / self._samples_of(epoch))

    def _close(self, epoch: _Epoch, validation: tuple[float, float]) -> None:
        """Put an epoch, whole or not, into the history."""
        named = (self._score(epoch),) if self.loss.score_name else ()
        row = (
            self._mean_loss(epoch),
            *named,
            *validation[: 1 + len(named)],
            float(epoch.rates[0]),
            epoch.seconds,
        )
        # One operation, after which the epoch is there: an interrupt falls before it or after.
        self._closed.append((row, epoch.losses[: epoch.done].tolist()))
        self._samples += self._samples_of(epoch)
        self._steps += epoch.done
        for key, value in zip(self._keys, row, strict=True):
            self.history[key].append(value)
        self.history["step_loss"].extend(self._closed[-1][1])

    def _end(self, epoch: _Epoch) -> None:
        """Close an epoch that cannot go on."""
        self.trainer.publish()
        epoch.seconds = time.perf_counter() - epoch.started
        self._close(epoch, (math.nan, math.nan))

    def _publish(self) -> None:
        """Write the history anew from the closed epochs."""
        for i, key in enumerate(self._keys):
            self.history[key] = [row[i] for row, _ in self._closed]
        self.history["step_loss"] = [loss for _, losses in self._closed for loss in losses]

    def _rescue(self) -> None:
        """After Ctrl-C, wherever it fell: complete the history with what was done."""
        epoch = self._epoch
        self._publish()
        if epoch is None or len(self._closed) >= epoch.number:
            return
        # Steps of an interrupted call were done, though nobody has counted them yet.
        epoch.done = int(np.isfinite(epoch.losses).sum())
        if epoch.done:
            self._end(epoch)

    def _diverged(self, what: str) -> NoReturn:
        assert self._epoch is not None
        self._restore_best()
        rate, argument = self._epoch.rates[self._epoch.done - 1], self.plan.learning_rate
        raise DivergenceError(
            f"{what} step {self._steps} (epoch {self._epoch.number}, learning_rate {rate:g}); try "
            f"a smaller learning_rate, such as {argument / 10:g}, normalize='standard', or a "
            "smaller init or reg",
            self._result(),
        )

    def _out_of_patience(self) -> bool:
        """Remember the parameters of the best epoch; tell whether to stop waiting for a better."""
        if self.plan.early_stopping is None:
            return False
        number, val_loss = len(self._closed), self.history["val_loss"][-1]
        if self._best is None or val_loss < self._best[1]:
            self._best = (number, val_loss, self.network.parameters)
        return number - self._best[0] >= self.plan.early_stopping

    def _restore_best(self) -> None:
        if self._best is not None:
            self._put(self._best[2])

    def _average(self, number: int) -> None:
        """Add up the parameters after the last epochs; after the very last, put their mean."""
        _, epochs = self.plan.total(len(self.data.rows))
        if number <= epochs - self.plan.average_epochs:
            return
        parameters = self.network.parameters
        arrays = [array for pair in parameters for array in pair]
        if not self._sums:
            self._sums = [np.zeros(array.shape) for array in arrays]
        with np.errstate(over="ignore", invalid="ignore"):  # the last check says it
            for total, array in zip(self._sums, arrays, strict=True):
                total += array
        if number == epochs:
            means = [
                (total / self.plan.average_epochs).astype(self.network.dtype)
                for total in self._sums
            ]
            self._put(list(zip(means[::2], means[1::2], strict=True)))

    def _put(self, parameters: Parameters) -> None:
        """Replace the network's parameters; Ctrl-C leaves no mixture of two epochs."""
        try:
            self._set_layers(parameters)
        except KeyboardInterrupt:
            self._set_layers(parameters)
            raise

    def _set_layers(self, parameters: Parameters) -> None:
        for i, (weights, bias) in enumerate(parameters):
            self.network.core.set_layer(i, weights, bias)

    def _stopped_by_callback(self) -> bool:
        if not self.plan.callbacks:
            return False
        event = EpochEvent(len(self._closed), self._steps, self.network, self.history)
        answers = [callback(event) for callback in self.plan.callbacks]
        return any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers)
