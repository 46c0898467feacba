"""What both estimators do: parameters, initial weights, fitting, predicting."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeGuard

import numpy as np
from joblib.parallel import get_active_backend
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from twolayer_ext import _core, checks
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.checks import Array
from twolayer_ext.estimators import layers, lbfgs, stochastic
from twolayer_ext.estimators.objective import core_loss, objective
from twolayer_ext.losses import Loss
from twolayer_ext.rows import Rows, as_rows

STOCHASTIC_SOLVERS = ("sgd", "adam")
# Of what __getstate__ returns; files of an older one are brought up to date in __setstate__.
STATE_VERSION = 1
# Multiply-adds; the core wakes no second thread for fewer.
_WORTH_A_THREAD = 400_000


class BaseMultilayerPerceptron(BaseEstimator, ABC):
    """Base class of the classifier and the regressor."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 0.999, closed="both")],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "n_threads": [Interval(Integral, 1, 4096, closed="both"), None],
    }

    @abstractmethod
    def __init__(
        self,
        hidden_layer_sizes: Any,
        activation: str,
        solver: str,
        alpha: float,
        batch_size: int | str,
        learning_rate: str,
        learning_rate_init: float,
        power_t: float,
        max_iter: int,
        loss: Any,
        shuffle: bool,
        random_state: Any,
        tol: float,
        verbose: bool | int,
        warm_start: bool,
        momentum: float,
        nesterovs_momentum: bool,
        early_stopping: bool,
        validation_fraction: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        n_iter_no_change: float,
        max_fun: int,
        dropout: float,
        clip_norm: float | None,
        n_threads: int | None,
    ) -> None:
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.clip_norm = clip_norm
        self.n_threads = n_threads

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
    def _loss(self) -> Loss | None:
        """Return the loss that scikit-learn does not have, or None."""

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
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to data X and targets y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse input is computed as it is, without a dense copy.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, indicators of several labels, or numbers.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            A parameter or the data are not as described; the weights became infinite.
        """
        return self._fit(X, y, sample_weight)

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        incremental: bool = False,
    ) -> Self:
        self._refuse_huge_integers()
        hidden = self.hidden_layer_sizes
        hidden = list(hidden) if hasattr(hidden, "__iter__") else [hidden]
        if np.any(np.array(hidden) <= 0):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        checked, values = self._validate_input(X, y, incremental, reset=first)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, checked, dtype=np.float64)
        weights = self._row_weights(y, weights, incremental)
        if values.ndim == 1:
            values = values.reshape(-1, 1)
        self.n_outputs_ = values.shape[1]
        self._random_state = check_random_state(self.random_state)
        if first:
            sizes = [checked.shape[1], *hidden, self.n_outputs_]
            self._initialize([int(size) for size in sizes], checked.dtype)
        self._check_layers(checked.shape[1])
        stochastic_solver = self.solver in STOCHASTIC_SOLVERS
        dtype = layers.dtype_of(*self.coefs_, *self.intercepts_) if stochastic_solver else "float64"
        data = stochastic.Data(as_rows(checked, features=None, dtype=dtype), values, weights)
        smoothing = getattr(self, "label_smoothing", 0.0)
        goal = objective(self.out_activation_, values, dtype, self._loss(), smoothing)
        if stochastic_solver:
            stochastic.fit(self, data, goal, incremental=incremental)
        else:
            lbfgs.fit(self, data, goal)
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

    def _initialize(self, sizes: list[int], dtype: np.dtype[Any]) -> None:
        """Draw weights and biases, and forget what was."""
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._output_activation()
        self.coefs_: list[Array] = []
        self.intercepts_: list[Array] = []
        factor = 2.0 if self.activation == "logistic" else 6.0
        for inputs, outputs in pairwise(sizes):
            bound = np.sqrt(factor / (inputs + outputs))
            draw = self._random_state.uniform
            self.coefs_.append(draw(-bound, bound, (inputs, outputs)).astype(dtype, copy=False))
            self.intercepts_.append(draw(-bound, bound, outputs).astype(dtype, copy=False))
        self._best_coefs = [coef.copy() for coef in self.coefs_]
        self._best_intercepts = [intercept.copy() for intercept in self.intercepts_]
        if self.solver not in STOCHASTIC_SOLVERS:
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

    def _threads(self) -> int:
        """Return how many threads to use; one where joblib runs several fits in threads.

        Its processes are told by OMP_NUM_THREADS how many they may use, its threads are not.
        """
        if self.n_threads is not None:
            return int(self.n_threads)
        among_others = (get_active_backend()[0].nesting_level or 0) > 0
        if among_others and "OMP_NUM_THREADS" not in os.environ:
            return 1
        return _core.default_threads()

    def _check_solver(self) -> bool:
        if self.solver not in STOCHASTIC_SOLVERS:
            raise AttributeError(
                "partial_fit is only available for stochastic"
                f" optimizers. {self.solver} is not stochastic."
            )
        return True

    # predicting

    def _outputs(self, X: ArrayLike) -> Array:
        """Return what the output activation makes of X, (n_samples, n_outputs)."""
        rows: Rows
        if self._is_plain(X):
            rows, dtype = X, layers.dtype_of(X, *self.coefs_, *self.intercepts_)
        else:
            check_is_fitted(self)
            checked = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
            dtype = layers.dtype_of(checked, *self.coefs_, *self.intercepts_)
            rows = as_rows(checked, features=checked.shape[1], dtype=dtype)
        core = layers.make(self.coefs_, self.activation, dtype)
        layers.put(core, self.coefs_, self.intercepts_)
        loss = core_loss(self.out_activation_, self.n_outputs_, dtype)
        multiply_adds = len(rows) * sum(np.size(coef) for coef in self.coefs_)
        # To find out how many threads there may be takes longer than to predict a row.
        threads = 1 if multiply_adds < _WORTH_A_THREAD else self._threads()
        return core.predictions(rows, None, loss, threads)

    def _is_plain(self, X: Any) -> TypeGuard[Array]:
        """Whether X can be read as it is: what checks a row costs far more than to predict it."""
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype in (np.float64, np.float32)
            and X.dtype.isnative
            and X.flags.c_contiguous
            and X.flags.aligned
            and X.shape[0] > 0
            and X.shape[1] == self.__dict__.get("n_features_in_")
            and "coefs_" in self.__dict__
            and "feature_names_in_" not in self.__dict__
            and bool(np.isfinite(X).all())
        )

    # files

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_twolayer_state": STATE_VERSION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop("_twolayer_state", STATE_VERSION)
        if version > STATE_VERSION:
            raise ValueError(
                f"{type(self).__name__}: pickled by a newer version of twolayer_ext (state "
                f"{version}); this one reads up to {STATE_VERSION}"
            )
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
