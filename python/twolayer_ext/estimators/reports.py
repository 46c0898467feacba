"""What happens after each epoch, or iteration of L-BFGS: validation, callbacks, progress."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import _core, checks
from twolayer_ext.checks import Array
from twolayer_ext.engine import RowNumbers
from twolayer_ext.estimators import layers
from twolayer_ext.estimators.objective import Objective
from twolayer_ext.network import Network
from twolayer_ext.network.serialization import NetworkState
from twolayer_ext.rows import Rows
from twolayer_ext.training import EpochEvent
from twolayer_ext.training.progress import Progress

Watch = Callable[[float], None]


@dataclass(frozen=True)
class Data:
    """What an estimator is fitted to; `y` is (N, K), `weights` None or (N,) of float64.

    Attributes
    ----------
    given : tuple
        X and y as they came, for scikit-learn's callbacks.
    """

    x: Rows
    y: Array
    weights: NDArray[np.float64] | None
    given: tuple[Any, Any] = (None, None)


@dataclass(frozen=True)
class HeldOut:
    """Rows not trained on, all of x where `rows` is None."""

    x: Rows
    y: Array
    objective: Objective
    rows: RowNumbers | None = None
    weights: NDArray[np.float64] | None = None


class Reports:
    """Tells whoever asked for it how far a fit is.

    Parameters
    ----------
    estimator : BaseMultilayerPerceptron
    data : Data
    held_out : HeldOut or None
    steps : int
        Of an epoch.
    epochs : int
        Most that there will be.
    watch : function or None
        Is told the share that is done, and ends the fit by what it raises.
    """

    def __init__(
        self,
        estimator: Any,
        data: Data,
        held_out: HeldOut | None,
        *,
        steps: int,
        epochs: int,
        watch: Watch | None,
    ) -> None:
        self.estimator = estimator
        self.data = data
        self.held_out = held_out
        self.steps = steps
        self.total = steps * epochs
        self.watch = watch
        self.callbacks = _callbacks(estimator.callbacks)
        self.progress = Progress(estimator.progress, epochs, self.total, "")
        self.shown = estimator.progress is not False
        self.epoch = 0
        self.history: dict[str, list[float]] = {}
        self.context = fit_begins(estimator, epochs, **self._of_task())
        self.task: Any = None
        if held_out is not None:
            for name in ("validation_loss_curve_", "validation_scores_"):
                if getattr(estimator, name, None) is None:
                    setattr(estimator, name, [])
            if getattr(estimator, "best_validation_score_", None) is None:
                estimator.best_validation_score_ = -np.inf

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do after an iteration."""
        return bool(
            self.callbacks
            or self.shown
            or self.context is not None
            or self.held_out is not None
            or self.watch is not None
        )

    @property
    def within_epochs(self) -> bool:
        """Whether somebody wants to know how far an epoch is."""
        return self.shown or self.watch is not None

    def begin(self) -> None:
        """Tell that an epoch begins."""
        if self.watch is not None:
            self.watch(self.epoch * self.steps / self.total)
        if self.context is not None:
            self.task = self.context.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(estimator=self.estimator, **self._of_task())

    def within(self, steps: int, rows: int, loss: float) -> None:
        """Tell how many steps and rows of the running epoch are done."""
        done = self.epoch * self.steps + steps
        if self.watch is not None:
            self.watch(min(1.0, done / self.total))
        samples = self.epoch * len(self.data.x) + rows
        self.progress.update(self.epoch + 1, done, samples, loss, math.nan)

    def validate(self, core: _core.Network, diverged: bool) -> float:
        """Record loss and score of the rows held out, and return the score."""
        held_out, estimator = self.held_out, self.estimator
        assert held_out is not None
        goal, threads = held_out.objective, estimator._threads()
        predicted = core.predictions(held_out.x, held_out.rows, goal.judge, threads)
        loss = math.nan
        if diverged:
            predicted.fill(np.nan)
        else:
            loss = goal.mean(core, held_out.x, held_out.rows, threads)
        y = held_out.y if held_out.rows is None else held_out.y[held_out.rows]
        score = float(estimator._score_of_predictions(y, predicted, held_out.weights))
        estimator.validation_loss_curve_.append(loss)
        estimator.validation_scores_.append(score)
        return score

    def end(self, core: _core.Network, loss: float, learning_rate: float, diverged: bool) -> bool:
        """Tell that an epoch ended; return whether anybody wants the fit to stop."""
        self.epoch += 1
        values = {"loss": loss, "val_loss": math.nan}
        score_name = self.estimator._task.loss.score_name
        if self.held_out is not None:
            values["val_loss"] = self.estimator.validation_loss_curve_[-1]
            if score_name:
                values[f"val_{score_name}"] = self.estimator.validation_scores_[-1]
        for key, value in {**values, "learning_rate": learning_rate}.items():
            self.history.setdefault(key, []).append(value)
        self.progress.epoch_end(self.history)
        stop = False
        if self.task is not None:
            stop = self.task.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=lambda: self._fitted(core),
                **self._of_task(),
            )
        if diverged or not self.callbacks:
            return stop
        network = self._network(core)
        event = EpochEvent(self.epoch, self.epoch * self.steps, network, self.history)
        answers = [callback(event) for callback in self.callbacks]
        return stop or any(isinstance(a, (bool, np.bool_)) and a for a in answers)

    def finish(self) -> None:
        """Tell scikit-learn's callbacks that the fit ended."""
        if self.context is not None:
            self.context.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=dict,
                **self._of_task(),
            )

    def _of_task(self) -> dict[str, Any]:
        X, y = self.data.given
        weights = self.data.weights
        metadata = None if weights is None else {"sample_weight": weights}
        return {"X": X, "y": y, "metadata": metadata}

    def _fitted(self, core: _core.Network) -> dict[str, Any]:
        coefs, intercepts = layers.get(core)
        return {"coefs_": coefs, "intercepts_": intercepts}

    def _network(self, core: _core.Network) -> Network:
        """Return a copy as `train` gives its callbacks."""
        sizes, outputs = core.layer_sizes, core.layer_sizes[-1]
        pair = self.estimator._normalization()
        shift, scale = (np.zeros(sizes[0]), np.ones(sizes[0])) if pair is None else pair
        parameters = list(zip(*layers.get(core), strict=True))
        state = NetworkState(
            sizes, core.activation, core.dtype, shift, scale, parameters,
            self.estimator._task, np.zeros(outputs), np.ones(outputs),
        )  # fmt: skip
        return Network.from_state(state)


def fit_begins(estimator: Any, subtasks: int, **of_task: Any) -> Any:
    """Tell scikit-learn's callbacks; return the context for at most so many subtasks, or None."""
    if not (hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")):
        return None
    context = estimator._init_callback_context(max_subtasks=subtasks)
    context.call_on_fit_task_begin(estimator=estimator, **of_task)
    return context


def _callbacks(given: Iterable[Any] | None) -> tuple[Any, ...]:
    callbacks = () if given is None else tuple(given)
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks: holds {checks.shown(callback)}; must hold functions")
    return callbacks
