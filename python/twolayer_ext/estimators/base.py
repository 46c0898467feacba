"""What both estimators do: initial weights, fitting, files."""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.engine import RowNumbers
from twolayer_ext.estimators import ensemble, layers, lbfgs, options, stochastic
from twolayer_ext.estimators.objective import Objective, objective, own_objective
from twolayer_ext.estimators.predicting import Predicting
from twolayer_ext.estimators.reports import Data, HeldOut, Watch
from twolayer_ext.losses import Loss, Task
from twolayer_ext.rows import Rows, as_rows

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """What scikit-learn's own callbacks ask for, where it has them."""


# Of what __getstate__ returns; files of an older one are brought up to date in __setstate__.
STATE_VERSION = 2
# What an ensemble does not have of its own, and what one net does not have of an ensemble.
_OF_ONE_NET = (
    "coefs_", "intercepts_", "loss_curve_", "best_loss_", "t_", "validation_scores_",
    "validation_loss_curve_", "best_validation_score_", "input_shift_", "input_scale_",
)  # fmt: skip


class BaseMultilayerPerceptron(CallbackSupportMixin, Predicting, ABC):
    """Base class of the classifier and the regressor."""

    # what the two kinds differ in

    @abstractmethod
    def _validate_input(
        self, X: ArrayLike, y: ArrayLike, incremental: bool, reset: bool
    ) -> tuple[Any, Array]:
        """Return X as an array or CSR or CSC matrix, and y as it is learned, (N,) or (N, K)."""

    @abstractmethod
    def _output_activation(self) -> str:
        """Return scikit-learn's name of what the outputs go through."""

    @abstractmethod
    def _own_loss(self) -> Loss | None:
        """Return the loss that scikit-learn does not have, or None."""

    @abstractmethod
    def _make_task(self, y: Array) -> Task:
        """Return what y, (N,) or (N, K) as it is learned, is for a network of this package."""

    @abstractmethod
    def _validation_pair(self, X: ArrayLike, y: ArrayLike) -> tuple[Any, Array]:
        """Return `validation_data` as `_validate_input` does, checked against the data fitted."""

    def _row_weights(
        self, y: ArrayLike, weights: NDArray[np.float64] | None, incremental: bool
    ) -> NDArray[np.float64] | None:
        """Return the rows' weights in the loss, from those that were given."""
        return weights

    @abstractmethod
    def _stratified(self) -> bool:
        """Whether rows to validate with are drawn from each class in its share."""

    @abstractmethod
    def _score_of_predictions(
        self, y: Array, predicted: Array, sample_weight: NDArray[np.float64] | None
    ) -> float:
        """Return the validation score of predictions (N, K), with `y` as it is learned."""

    # fitting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Self:
        """Fit the model to data X and targets y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse input is computed as it is, without a dense copy.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, indicators of several labels, or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
        validation_data : (X, y), default=None
            Judged after every epoch: `validation_loss_curve_`, `validation_scores_`. With
            `early_stopping` it takes the place of the rows set aside.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            A parameter or the data are not as described; the weights became infinite.
        TypeError
            `validation_data` is no pair; what should be called cannot be.
        """
        return self._fit(X, y, sample_weight, validation_data=validation_data)

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        incremental: bool = False,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        watch: Watch | None = None,
    ) -> Self:
        self._refuse_huge_integers()
        hidden = self._hidden_sizes()
        several = self.ensemble > 1
        kept = hasattr(self, "estimators_" if several else "coefs_")
        first = not kept or (not self.warm_start and not incremental)
        options.check(self, first=first, incremental=incremental)
        self._ready = {}
        checked, values = self._validate_input(X, y, incremental, reset=first)
        single = values.ndim == 1
        if first:
            for name in _OF_ONE_NET if several else ("estimators_", *_OF_ONE_NET[-2:]):
                self.__dict__.pop(name, None)
        self._task = self._make_task(values)
        if single:
            values = values.reshape(-1, 1)
        outputs = self._task.outputs if self._own_loss() is not None else values.shape[1]
        self.n_outputs_ = outputs
        sizes = [checked.shape[1], *hidden, outputs]
        if several:
            ensemble.fit(
                self,
                checked,
                y,
                first=first,
                incremental=incremental,
                sample_weight=sample_weight,
                validation_data=validation_data,
            )
            self._describe(sizes)
            return self
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, checked, dtype=np.float64)
        weights = self._row_weights(y, weights, incremental)
        self._random_state = check_random_state(self.random_state)
        dtype = options.dtype_of(self, layers.dtype_of(checked))
        if first:
            self._initialize(sizes, dtype)
        self._check_layers(checked.shape[1])
        if not self._has_steps():
            dtype = "float64"
        elif self.dtype is None:
            dtype = layers.dtype_of(*self.coefs_, *self.intercepts_)
        rows = as_rows(checked, features=None, dtype=dtype)
        self._train(
            Data(rows, values, weights, (checked, y)),
            self._held_out(validation_data, dtype),
            dtype,
            incremental,
            watch,
        )
        if not all(np.isfinite(array).all() for array in (*self.coefs_, *self.intercepts_)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may"
                " contain large values and need to be preprocessed."
            )
        return self

    def _refuse_huge_integers(self) -> None:
        """Raise ValueError for a parameter that no float holds: intervals of reals take any."""
        for name, value in self.get_params(deep=False).items():
            for number in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(number, int) and abs(number) > sys.float_info.max:
                    raise ValueError(
                        f"{name}: {checks.shown(number)}; must be within {sys.float_info.max:g}"
                    )

    def _train(
        self,
        data: Data,
        held_out: HeldOut | None,
        dtype: str,
        incremental: bool,
        watch: Watch | None,
    ) -> None:
        goal = self._objective(data.y, dtype)
        if self._has_steps():
            stochastic.fit(
                self, data, goal, held_out, dtype=dtype, incremental=incremental, watch=watch
            )
        else:
            lbfgs.fit(self, data, goal, held_out, watch=watch)

    def _hidden_sizes(self) -> list[int]:
        hidden = self.hidden_layer_sizes
        hidden = list(hidden) if hasattr(hidden, "__iter__") else [hidden]
        if np.any(np.array(hidden) <= 0):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        return [int(size) for size in hidden]

    def _objective(self, y: Array, dtype: str) -> Objective:
        if self._own_loss() is not None:
            return own_objective(self._task, y)
        return objective(self.out_activation_, y, dtype, getattr(self, "label_smoothing", 0.0))

    def _loss_key(self) -> tuple[object, ...]:
        """Return what a trainer's loss was made from."""
        smoothing = getattr(self, "label_smoothing", 0.0)
        return self.out_activation_, self._own_loss(), smoothing

    def _held_out(self, given: Any, dtype: str) -> HeldOut | None:
        """Return `validation_data`, checked."""
        if given is None:
            return None
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise TypeError(f"validation_data: {checks.shown(given)}; must be a pair (X, y)")
        checked, values = self._validation_pair(*given)
        if values.ndim == 1:
            values = values.reshape(-1, 1)
        rows = as_rows(checked, features=checked.shape[1], dtype=dtype)
        return HeldOut(rows, values, self._objective(values, dtype))

    def _normalize(self, x: Rows, rows: RowNumbers | None, dtype: str) -> None:
        """Find out what the input is shifted and scaled by: once, for weights just drawn."""
        if self.t_ or self.n_iter_:
            return
        pair = options.normalization_of(self, x, rows, dtype)
        if pair is not None:
            self.input_shift_, self.input_scale_ = pair

    def _describe(self, sizes: list[int]) -> None:
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._output_activation()

    def _initialize(self, sizes: list[int], dtype: str) -> None:
        """Draw weights and biases, and forget what was."""
        self.n_iter_ = 0
        self.t_ = 0
        self._describe(sizes)
        self.coefs_, self.intercepts_ = [], []
        factor = 2.0 if self.activation == "logistic" else 6.0
        for inputs, outputs in pairwise(sizes):
            bound = np.sqrt(factor / (inputs + outputs))
            draw = self._random_state.uniform
            self.coefs_.append(draw(-bound, bound, (inputs, outputs)).astype(dtype, copy=False))
            self.intercepts_.append(draw(-bound, bound, outputs).astype(dtype, copy=False))
        self._best_coefs = [coef.copy() for coef in self.coefs_]
        self._best_intercepts = [intercept.copy() for intercept in self.intercepts_]
        for name in ("validation_scores_", "validation_loss_curve_", "best_validation_score_"):
            self.__dict__.pop(name, None)
        if not self._has_steps():
            return
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else np.inf

    def _check_layers(self, features: int) -> None:
        """Raise ValueError where assigned or kept weights do not fit together or the data."""
        sizes = [features]
        for coef, intercept in zip(self.coefs_, self.intercepts_, strict=True):
            if np.ndim(coef) != 2 or np.shape(coef)[0] != sizes[-1]:
                raise ValueError(
                    f"coefs_: an array of shape {np.shape(coef)} after {sizes[-1]} units; must be "
                    f"({sizes[-1]}, units)"
                )
            if np.shape(intercept) != np.shape(coef)[1:]:
                raise ValueError(
                    f"intercepts_: an array of shape {np.shape(intercept)}; must be "
                    f"{np.shape(coef)[1:]}"
                )
            sizes.append(np.shape(coef)[1])
        if sizes[-1] != self.n_outputs_:
            raise ValueError(f"y has {self.n_outputs_} outputs, the fitted network {sizes[-1]}")

    # files

    def __getstate__(self) -> dict[str, Any]:
        state = {**super().__getstate__(), "_twolayer_state": STATE_VERSION}
        for of_this_process in ("_ready", "_task"):
            state.pop(of_this_process, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop("_twolayer_state", 1)
        if version > STATE_VERSION:
            raise ValueError(
                f"{type(self).__name__}: pickled by a newer version of twolayer_ext (state "
                f"{version}); this one reads up to {STATE_VERSION}"
            )
        super().__setstate__(state)
        if version < STATE_VERSION:
            for parameter in inspect.signature(type(self).__init__).parameters.values():
                if parameter.default is not parameter.empty:
                    self.__dict__.setdefault(parameter.name, parameter.default)
        if "coefs_" in state or "estimators_" in state:
            self._ready = {}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
