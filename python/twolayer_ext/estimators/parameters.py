"""The parameters of both estimators: stored as they are given, checked at fit."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options, StrOptions

from twolayer_ext import checks
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.optimizers import OPTIMIZERS, Optimizer

STOCHASTIC_SOLVERS = ("sgd", "adam")


class Parameters(BaseEstimator):
    """What both estimators are told."""

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
        "optimizer": [StrOptions(set(OPTIMIZERS)), Optimizer, type, None],
        "schedule": [callable, None],
        "normalize": [StrOptions({"center", "standard", "scale"}), tuple, list, None],
        "dropout": [Interval(Real, 0, 0.999, closed="both")],
        "batch_norm": ["boolean"],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "dtype": [StrOptions({"float32", "float64"}), type, np.dtype, None],
        "compute_dtype": [StrOptions({"float32", "float64", "bfloat16"}), None],
        "ensemble": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "progress": ["boolean", None],
        "n_threads": [Interval(Integral, 1, 4096, closed="both"), None],
    }

    # Those that are read by name.
    activation: str
    solver: str
    hidden_layer_sizes: Any
    early_stopping: bool
    warm_start: bool
    random_state: Any
    optimizer: Any
    ensemble: int
    dtype: Any
    n_threads: int | None
    loss: Any

    def _store(self, arguments: Mapping[str, Any]) -> None:
        """Keep the arguments of ``__init__``, its ``locals()``, as they are."""
        for name in self._get_param_names():
            setattr(self, name, arguments[name])

    def _has_steps(self) -> bool:
        """Whether training goes by batches, and not by L-BFGS over all rows."""
        return self.optimizer is not None or self.solver in STOCHASTIC_SOLVERS

    def _dtypes(self) -> tuple[type, type]:
        """Return those that X may have; what it is made where it has another comes first."""
        if self.dtype is not None and checks.dtype_name(self.dtype) == "float32":
            return np.float32, np.float64
        return np.float64, np.float32

    def _check_solver(self) -> bool:
        if not self._has_steps():
            raise AttributeError(
                "partial_fit is only available for stochastic"
                f" optimizers. {self.solver} is not stochastic."
            )
        return True
