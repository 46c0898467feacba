"""Training epoch by epoch: batches, validation, when to stop. Whole epochs run in the core."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from twolayer_ext import _core
from twolayer_ext.checks import Array
from twolayer_ext.estimators import layers
from twolayer_ext.estimators.objective import Objective
from twolayer_ext.estimators.optimizer import StochasticOptimizer
from twolayer_ext.rows import Rows


@dataclass(frozen=True)
class Data:
    """What an estimator is fitted to; `y` is (N, K), `weights` None or (N,) of float64."""

    x: Rows
    y: Array
    weights: NDArray[np.float64] | None


def make_optimizer(estimator: Any) -> StochasticOptimizer:
    """Return the estimator's solver with a fresh state."""
    if estimator.solver == "adam":
        betas = {"beta1": float(estimator.beta_1), "beta2": float(estimator.beta_2)}
        return StochasticOptimizer(
            "adam",
            estimator.learning_rate_init,
            {**betas, "epsilon": float(estimator.epsilon)},
        )
    return StochasticOptimizer(
        "sgd",
        estimator.learning_rate_init,
        {"momentum": float(estimator.momentum)},
        nesterov=bool(estimator.nesterovs_momentum),
        schedule=estimator.learning_rate,
        power_t=estimator.power_t,
    )


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
    ) -> None:
        self.estimator = estimator
        self.data = data
        self.objective = objective
        self.trainer = trainer
        self.rows = rows
        count = len(rows)
        self.order = np.arange(count)
        self.starts = np.arange(0, count, batch_size)
        self.sizes = np.diff(self.starts, append=count)
        self.losses = np.empty(len(self.starts))
        self.diverged = False

    def run(self, learning_rate: float) -> float:
        """Train for one epoch and return its loss.

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
        rates = np.full(len(self.starts), learning_rate)
        done, _ = self.trainer.run(
            data.x, self.objective.targets, rows, rates, self.losses, data.weights
        )
        last = float(self.losses[done - 1])
        if not math.isfinite(last):
            self.diverged = True
            return last
        return float(np.dot(self.losses, self.sizes) + self._constants(rows)) / len(rows)

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


def _techniques(estimator: Any) -> dict[str, Any]:
    """Return the trainer's options for what scikit-learn does not have; no draw without need."""
    options: dict[str, Any] = {"clip_norm": float(estimator.clip_norm or 0)}
    if estimator.dropout > 0:
        options["dropout"] = (float(estimator.dropout),) * (estimator.n_layers_ - 2)
        options["seed"] = int(estimator._random_state.randint(2**31))
    return options


def fit(estimator: Any, data: Data, objective: Objective, *, incremental: bool) -> None:
    """Train an initialised estimator: `max_iter` epochs at most, one if `incremental`."""
    if not incremental or not hasattr(estimator, "_optimizer"):
        estimator._optimizer = make_optimizer(estimator)
    optimizer: StochasticOptimizer = estimator._optimizer
    early_stopping = estimator.early_stopping
    if early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    held_out = None
    rows = np.arange(len(data.x))
    if early_stopping:
        rows, held_out = split(estimator, data, estimator._stratified())
    batch_size = batch_size_for(estimator, len(rows))
    dtype = layers.dtype_of(*estimator.coefs_, *estimator.intercepts_)
    core, trainer = optimizer.bind(
        (estimator.out_activation_, estimator._loss(), getattr(estimator, "label_smoothing", 0)),
        layers.make(estimator.coefs_, estimator.activation, dtype),
        objective.loss,
        reg=estimator.alpha / 2,
        batch_size=batch_size,
        threads=estimator._threads(),
        **_techniques(estimator),
    )
    layers.put(core, estimator.coefs_, estimator.intercepts_)
    epochs = Epochs(estimator, data, objective, rows, trainer, batch_size)
    try:
        _run(estimator, optimizer, epochs, core, held_out, incremental)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    finally:
        estimator.coefs_, estimator.intercepts_ = layers.get(core)
        if epochs.diverged:
            for array in (*estimator.coefs_, *estimator.intercepts_):
                array.fill(np.nan)
    if early_stopping:
        estimator.coefs_ = estimator._best_coefs
        estimator.intercepts_ = estimator._best_intercepts


def _run(
    estimator: Any,
    optimizer: StochasticOptimizer,
    epochs: Epochs,
    core: _core.Network,
    held_out: NDArray[np.int64] | None,
    incremental: bool,
) -> None:
    estimator.n_iter_ = 0
    patience, verbose = estimator.n_iter_no_change, estimator.verbose
    for _ in range(estimator.max_iter):
        loss = epochs.run(optimizer.learning_rate)
        estimator.n_iter_ += 1
        estimator.loss_ = loss
        estimator.t_ += len(epochs.rows)
        estimator.loss_curve_.append(loss)
        if verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        if held_out is None:
            _compare_loss(estimator)
        else:
            _validate(estimator, epochs, core, held_out)
        optimizer.iteration_ends(estimator.t_)
        if estimator._no_improvement_count > patience:
            what = "Training loss" if held_out is None else "Validation score"
            message = (
                f"{what} did not improve more than tol={estimator.tol:f} for "
                f"{patience} consecutive epochs."
            )
            if optimizer.trigger_stopping(message, verbose):
                break
            estimator._no_improvement_count = 0
        if incremental:
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


def _validate(
    estimator: Any, epochs: Epochs, core: _core.Network, held_out: NDArray[np.int64]
) -> None:
    data = epochs.data
    predicted = core.predictions(data.x, held_out, epochs.objective.loss, estimator._threads())
    if epochs.diverged:
        predicted.fill(np.nan)
    weights = None if data.weights is None else data.weights[held_out]
    score = estimator._score_of_predictions(data.y[held_out], predicted, weights)
    estimator.validation_scores_.append(score)
    if estimator.verbose:
        print(f"Validation score: {score:f}")
    if score < estimator.best_validation_score_ + estimator.tol:
        estimator._no_improvement_count += 1
    else:
        estimator._no_improvement_count = 0
    if score > estimator.best_validation_score_:
        estimator.best_validation_score_ = score
        estimator._best_coefs, estimator._best_intercepts = layers.get(core)
