"""Training epoch by epoch: batches, validation, when to stop. Whole epochs run in the core."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from twolayer_ext import _core
from twolayer_ext.estimators import layers, options
from twolayer_ext.estimators.objective import Objective
from twolayer_ext.estimators.optimizer import StochasticOptimizer
from twolayer_ext.estimators.reports import Data, HeldOut, Reports, Watch
from twolayer_ext.losses import CustomLoss
from twolayer_ext.training.options import factors_of
from twolayer_ext.training.steps import Pace, of_function


class Epochs:
    """The batches of a fit, and what they cost."""

    def __init__(
        self,
        estimator: Any,
        data: Data,
        objective: Objective,
        rows: NDArray[np.int64],
        trainer: _core.Trainer,
        batch_size: int,
        reports: Reports,
    ) -> None:
        self.estimator = estimator
        self.data = data
        self.objective = objective
        self.trainer = trainer
        self.rows = rows
        self.batch_size = batch_size
        self.reports = reports
        count = len(rows)
        self.order = np.arange(count)
        self.starts = np.arange(0, count, batch_size)
        self.sizes = np.diff(self.starts, append=count)
        self.losses = np.empty(len(self.starts))
        self.pace = Pace()
        self.diverged = False

    def run(self, learning_rate: float, epoch: int) -> float:
        """Train for one epoch, counted from 0, and return its loss.

        Once a loss is not finite, neither are the gradients: nothing is computed any more, and the
        caller makes the parameters NaN. scikit-learn goes on with NaNs to the same end.
        """
        if self.estimator.shuffle:
            drawn = np.arange(len(self.order))
            self.estimator._random_state.shuffle(drawn)
            self.order = self.order[drawn]
        if self.diverged:
            return math.nan
        data, rows = self.data, self.rows[self.order]
        if data.weights is not None:
            self._refuse_batches_without_weight(data.weights[rows])
        done = self._steps(rows, self._rates(learning_rate, epoch))
        last = float(self.losses[done - 1])
        if not math.isfinite(last):
            self.diverged = True
            return last
        return float(np.dot(self.losses, self.sizes) + self._constants(rows)) / len(rows)

    def _rates(self, learning_rate: float, epoch: int) -> NDArray[np.float64]:
        """Return the learning rate of every step."""
        steps, schedule = len(self.starts), self.estimator.schedule
        if schedule is None:
            return np.full(steps, learning_rate)
        total = steps * self.estimator.max_iter
        return learning_rate * factors_of(schedule, epoch * steps, (epoch + 1) * steps, total)

    def _steps(self, rows: NDArray[np.int64], rates: NDArray[np.float64]) -> int:
        """Run all steps, in one call where nobody wants to know meanwhile how far it is."""
        if not self.reports.within_epochs:
            return self._call(rows, rates, self.losses)
        done, size = 0, self.batch_size
        while done < len(rates):
            end = min(done + self.pace.batches, len(rates))
            started = time.perf_counter()
            losses = self.losses[done:end]
            steps = self._call(rows[done * size : end * size], rates[done:end], losses)
            self.pace.follow(end - done, time.perf_counter() - started)
            done += steps
            if not math.isfinite(losses[steps - 1]):
                break
            mean = float(np.average(self.losses[:done], weights=self.sizes[:done]))
            self.reports.within(done, int(self.sizes[:done].sum()), mean)
        return done

    def _call(
        self, rows: NDArray[np.int64], rates: NDArray[np.float64], losses: NDArray[np.float64]
    ) -> int:
        data, goal = self.data, self.objective
        if goal.task is not None and isinstance(goal.task.loss, CustomLoss):
            return of_function(
                self.trainer, goal.task.loss, data.x, goal.targets, rows, rates, losses,
                np.empty(len(losses)), batch_size=self.batch_size, weights=data.weights,
                score_scale=None,
            )  # fmt: skip
        done, _ = self.trainer.run(data.x, goal.targets, rows, rates, losses, data.weights)
        return done

    def _constants(self, rows: NDArray[np.int64]) -> float:
        constants, weights = self.objective.constants, self.data.weights
        if constants is None:
            return 0.0
        if weights is None:
            return float(constants[rows].sum())
        of_batches = np.add.reduceat((weights * constants)[rows], self.starts)
        return float(np.dot(of_batches / np.add.reduceat(weights[rows], self.starts), self.sizes))

    def _refuse_batches_without_weight(self, weights: NDArray[np.float64]) -> None:
        if not np.add.reduceat(weights, self.starts).all():
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")


def split(
    estimator: Any, data: Data, stratified: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row numbers to train on and those to validate with, as scikit-learn draws them."""
    train, held_out = train_test_split(
        np.arange(len(data.x)),
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=data.y if stratified else None,
    )
    if len(held_out) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    return train, held_out


def batch_size_for(estimator: Any, count: int) -> int:
    """Return the rows of a batch, out of `count`."""
    if estimator.batch_size == "auto":
        return min(200, count)
    if estimator.batch_size > count:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=4,
        )
    return int(np.clip(estimator.batch_size, 1, count))


def fit(
    estimator: Any,
    data: Data,
    objective: Objective,
    validation: HeldOut | None,
    *,
    dtype: str,
    incremental: bool,
    watch: Watch | None = None,
) -> None:
    """Train an initialised estimator: `max_iter` epochs at most, one if `incremental`."""
    if not incremental or not hasattr(estimator, "_optimizer"):
        estimator._optimizer = options.make_optimizer(estimator, dtype)
    optimizer: StochasticOptimizer = estimator._optimizer
    early_stopping = estimator.early_stopping
    if early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    rows = np.arange(len(data.x))
    if early_stopping and validation is None:
        rows, chosen = split(estimator, data, estimator._stratified())
        weights = None if data.weights is None else data.weights[chosen]
        validation = HeldOut(data.x, data.y, objective, chosen, weights)
    batch_size = batch_size_for(estimator, len(rows))
    estimator._normalize(data.x, None if len(rows) == len(data.x) else rows, dtype)
    core, trainer = optimizer.bind(
        estimator._loss_key(),
        layers.make(
            estimator.coefs_,
            estimator.intercepts_,
            estimator.activation,
            dtype,
            estimator._normalization(),
        ),
        objective.loss,
        reg=estimator.alpha / 2,
        batch_size=batch_size,
        threads=estimator._threads(),
        **options.techniques(estimator, data.x, batch_size, dtype),
    )
    layers.put(core, estimator.coefs_, estimator.intercepts_)
    reports = Reports(
        estimator,
        data,
        validation,
        steps=-(-len(rows) // batch_size),
        epochs=1 if incremental else estimator.max_iter,
        watch=watch,
    )
    epochs = Epochs(estimator, data, objective, rows, trainer, batch_size, reports)
    try:
        with reports.progress:
            _run(estimator, optimizer, epochs, core, incremental)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    finally:
        trainer.publish()
        estimator.coefs_, estimator.intercepts_ = layers.get(core)
        if epochs.diverged:
            for array in (*estimator.coefs_, *estimator.intercepts_):
                array.fill(np.nan)
    if early_stopping:
        estimator.coefs_ = estimator._best_coefs
        estimator.intercepts_ = estimator._best_intercepts
    reports.finish()


def _run(
    estimator: Any,
    optimizer: StochasticOptimizer,
    epochs: Epochs,
    core: _core.Network,
    incremental: bool,
) -> None:
    estimator.n_iter_ = 0
    reports, patience, verbose = epochs.reports, estimator.n_iter_no_change, estimator.verbose
    for epoch in range(estimator.max_iter):
        reports.begin()
        rate = optimizer.learning_rate
        loss = epochs.run(rate, epoch)
        epochs.trainer.publish()
        estimator.n_iter_ += 1
        estimator.loss_ = loss
        estimator.t_ += len(epochs.rows)
        estimator.loss_curve_.append(loss)
        if verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        if reports.held_out is not None:
            _validate(estimator, reports, core, epochs.diverged)
        if not estimator.early_stopping:
            _compare_loss(estimator)
        stop = reports.end(core, loss, rate, epochs.diverged)
        optimizer.iteration_ends(estimator.t_)
        if estimator._no_improvement_count > patience:
            what = "Validation score" if estimator.early_stopping else "Training loss"
            message = (
                f"{what} did not improve more than tol={estimator.tol:f} for "
                f"{patience} consecutive epochs."
            )
            if optimizer.trigger_stopping(message, verbose):
                break
            estimator._no_improvement_count = 0
        if incremental or stop:
            break
        if estimator.n_iter_ == estimator.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) "
                "reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )


def _compare_loss(estimator: Any) -> None:
    if estimator.loss_ > estimator.best_loss_ - estimator.tol:
        estimator._no_improvement_count += 1
    else:
        estimator._no_improvement_count = 0
    if estimator.loss_ < estimator.best_loss_:
        estimator.best_loss_ = estimator.loss_


def _validate(estimator: Any, reports: Reports, core: _core.Network, diverged: bool) -> None:
    score = reports.validate(core, diverged)
    if estimator.verbose:
        print(f"Validation score: {score:f}")
    if not estimator.early_stopping:
        estimator.best_validation_score_ = max(estimator.best_validation_score_, score)
        return
    if score < estimator.best_validation_score_ + estimator.tol:
        estimator._no_improvement_count += 1
    else:
        estimator._no_improvement_count = 0
    if score > estimator.best_validation_score_:
        estimator.best_validation_score_ = score
        estimator._best_coefs, estimator._best_intercepts = layers.get(core)
