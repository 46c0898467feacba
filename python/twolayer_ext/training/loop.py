"""The loop over epochs: batches, validation, learning rate, history, which weights to end with.

Written once; the network it is given brings the engine that computes.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, NoReturn

import numpy as np

from twolayer_ext.checks import Parameters
from twolayer_ext.engine import EngineTrainer, RowNumbers, Weights
from twolayer_ext.errors import CheckpointError, DivergenceError, TrainingInterrupted
from twolayer_ext.losses import CustomLoss, Loss
from twolayer_ext.network import scoring
from twolayer_ext.streams import Purpose, generator
from twolayer_ext.training import steps
from twolayer_ext.training.checkpointing import Checkpoints
from twolayer_ext.training.plan import Data, Plan, Watch
from twolayer_ext.training.progress import Progress
from twolayer_ext.training.record import Epoch, Record
from twolayer_ext.training.result import EpochEvent, History, NetworkT, TrainResult, epoch_keys


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
    record: Record = field(default_factory=Record)
    checkpoints: Checkpoints | None = None
    _pace: steps.Pace = field(default_factory=steps.Pace)

    def run(self) -> TrainResult[NetworkT]:
        """Train; see `twolayer_ext.train` for what is raised."""
        with self.network.in_training():
            return self._run()

    def _run(self) -> TrainResult[NetworkT]:
        self._publish()
        total, epochs = self.plan.total(len(self.data.rows))
        failed = None
        try:
            asked = epochs if epochs == self.plan.epochs else None  # else in steps
            name = self.loss.score_name
            before = sum(self.history["seconds"])
            with (
                self.checkpoints or nullcontext(),
                Progress(self.plan.progress, asked, total, name, before) as progress,
            ):
                while self.record.steps < total and not self._out_of_patience():
                    self._train_epoch(total, progress)
                    progress.epoch_end(self.history)
                    self._remember_best()
                    if self._stopped_by_callback():
                        break
                    if self.checkpoints is not None:
                        self.checkpoints.after_epoch(self)
                failed = self._last_checkpoint()
            self._restore_best()
            # The last update is followed by no loss that would tell.
            if not all(np.isfinite(a).all() for pair in self.network.parameters for a in pair):
                self._diverged("a parameter is not finite after")
        except KeyboardInterrupt:
            self._rescue()
            raise TrainingInterrupted(self._result()) from None
        if failed is not None:
            raise CheckpointError(failed, self._result())
        return self._result()

    def _result(self) -> TrainResult[NetworkT]:
        best = None if self.record.best is None else self.record.best[0]
        return TrainResult(self.network, self.history, best, self._state)

    def _state(self) -> dict[str, Any]:
        """Return what `train(state=...)` takes."""
        return {"epochs": self._earlier_and_closed(), **self.trainer.state()}

    def _earlier_and_closed(self) -> int:
        return self.record.earlier + len(self.record.closed)

    def _last_checkpoint(self) -> str | None:
        """Write it; return what is wrong where it cannot be written."""
        try:
            if self.checkpoints is not None:
                self.checkpoints.last(self)
        except OSError as error:
            return (
                f"checkpoint: {error.filename}: {error.strerror}; training is done, but the last "
                "checkpoint could not be written; .result holds the network"
            )
        return None

    def _begin_epoch(self, total: int) -> Epoch:
        plan, record = self.plan, self.record
        closed = len(record.closed)
        order = self.data.rows
        if plan.shuffle:
            stream = generator(plan.seed, Purpose.SHUFFLE, self._earlier_and_closed())
            order = order[stream.permutation(len(order))]
        order = order[: (total - record.steps) * plan.batch_size]
        losses = np.full(-(-len(order) // plan.batch_size), np.nan)
        if plan.factors is None:
            rates = np.full(len(losses), plan.decayed_rate(closed))
        else:
            rates = plan.learning_rate * plan.factors(record.steps, record.steps + len(losses))
        scores = np.zeros(len(losses))
        epoch = Epoch(closed + 1, rates, order, losses, scores, time.perf_counter())
        record.begin(epoch)
        return epoch

    def _train_epoch(self, total: int, progress: Progress) -> None:
        plan, data, record = self.plan, self.data, self.record
        epoch = self._begin_epoch(total)
        while epoch.done < len(epoch.losses):
            self._call(epoch)
            loss = epoch.losses[epoch.done - 1]
            if not math.isfinite(loss):
                self._end(epoch)
                self._diverged(f"the loss became {loss} at")
            progress.update(
                epoch.number,
                record.steps + epoch.done,
                record.samples + self._samples_of(epoch),
                self._mean_loss(epoch),
                self._score(epoch),
            )
        if not epoch.averaged:
            self.trainer.publish()
            self._average(epoch.number)
            epoch.averaged = True
        epoch.seconds = time.perf_counter() - epoch.started
        validation = (math.nan, math.nan)
        if data.validation is not None:
            validation = scoring.evaluate(self.network, *data.validation, plan.threads, self._look)
        self._close(epoch, validation)
        if data.validation is not None and not math.isfinite(validation[0]):
            self._diverged(f"val_loss became {validation[0]} after")

    def _call(self, epoch: Epoch) -> None:
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
        epoch = self.record.epoch
        if self.watch is not None and epoch is not None:
            total, _ = self.plan.total(len(self.data.rows))
            self.watch((self.record.steps + epoch.done) / total)
        if self.checkpoints is not None:
            self.checkpoints.between_calls(self)

    def _mean_loss(self, epoch: Epoch) -> float:
        """Mean over the samples of the steps done: every step counts with its batch's size."""
        size, done, samples = self.plan.batch_size, epoch.done, self._samples_of(epoch)
        last = samples - (done - 1) * size
        total = float(epoch.losses[: done - 1].sum()) * size + float(epoch.losses[done - 1]) * last
        return total / samples

    def _samples_of(self, epoch: Epoch) -> int:
        return min(epoch.done * self.plan.batch_size, len(epoch.order))

    def _score(self, epoch: Epoch) -> float:
        total = float(epoch.scores[: epoch.done].sum())
        return self.loss.score_of_mean(total / self._samples_of(epoch))

    def _close(self, epoch: Epoch, validation: tuple[float, float]) -> None:
        """Put an epoch, whole or not, into the history."""
        named = (self._score(epoch),) if self.loss.score_name else ()
        row = (
            self._mean_loss(epoch),
            *named,
            *validation[: 1 + len(named)],
            float(epoch.rates[0]),
            epoch.seconds,
        )
        self.record.close(epoch, row, self._samples_of(epoch))
        for key, value in zip(self._keys, row, strict=True):
            self.history[key].append(value)
        self.history["step_loss"].extend(self.record.closed[-1][1])

    def _end(self, epoch: Epoch) -> None:
        """Close an epoch that cannot go on."""
        self.trainer.publish()
        epoch.seconds = time.perf_counter() - epoch.started
        self._close(epoch, (math.nan, math.nan))

    def _publish(self) -> None:
        """Write the history anew from the closed epochs."""
        for i, key in enumerate(self._keys):
            self.history[key] = [row[i] for row, _ in self.record.closed]
        self.history["step_loss"] = [loss for _, losses in self.record.closed for loss in losses]

    def _rescue(self) -> None:
        """After Ctrl-C, wherever it fell: complete the history with what was done."""
        epoch = self.record.epoch
        self._publish()
        if epoch is None or len(self.record.closed) >= epoch.number:
            return
        # Steps of an interrupted call were done, though nobody has counted them yet.
        epoch.done = int(np.isfinite(epoch.losses).sum())
        if epoch.done:
            self._end(epoch)

    def _diverged(self, what: str) -> NoReturn:
        epoch = self.record.epoch
        assert epoch is not None
        self._restore_best()
        rate, argument = epoch.rates[epoch.done - 1], self.plan.learning_rate
        raise DivergenceError(
            f"{what} step {self.record.steps} (epoch {epoch.number}, learning_rate {rate:g}); try "
            f"a smaller learning_rate, such as {argument / 10:g}, normalize='standard', or a "
            "smaller init or reg",
            self._result(),
        )

    def _remember_best(self) -> None:
        """Keep the parameters of the best epoch yet."""
        if self.plan.early_stopping is None:
            return
        val_loss, best = self.history["val_loss"][-1], self.record.best
        if best is None or val_loss < best[1]:
            self.record.best = (len(self.record.closed), val_loss, self.network.parameters)

    def _out_of_patience(self) -> bool:
        """Tell whether to stop waiting for a better epoch."""
        patience, best = self.plan.early_stopping, self.record.best
        if patience is None or best is None:
            return False
        return len(self.record.closed) - best[0] >= patience

    def _restore_best(self) -> None:
        if self.record.best is not None:
            self._put(self.record.best[2])

    def _average(self, number: int) -> None:
        """Add up the parameters after the last epochs; after the very last, put their mean."""
        _, epochs = self.plan.total(len(self.data.rows))
        if number <= epochs - self.plan.average_epochs:
            return
        parameters = self.network.parameters
        arrays = [array for pair in parameters for array in pair]
        if not self.record.sums:
            self.record.sums = [np.zeros(array.shape) for array in arrays]
        with np.errstate(over="ignore", invalid="ignore"):  # the last check says it
            for total, array in zip(self.record.sums, arrays, strict=True):
                total += array
        if number == epochs:
            means = [
                (total / self.plan.average_epochs).astype(self.network.dtype)
                for total in self.record.sums
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
        event = EpochEvent(len(self.record.closed), self.record.steps, self.network, self.history)
        answers = [callback(event) for callback in self.plan.callbacks]
        return any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers)
