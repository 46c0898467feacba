"""L-BFGS: SciPy's minimiser over the core's loss and gradients of all rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from sklearn.utils.optimize import _check_optimize_result

from twolayer_ext import _core
from twolayer_ext.checks import Array
from twolayer_ext.estimators import layers
from twolayer_ext.estimators.objective import Objective, Scored
from twolayer_ext.estimators.reports import Data, HeldOut, Reports, Watch
from twolayer_ext.losses import CustomLoss
from twolayer_ext.network import scoring


def fit(
    estimator: Any,
    data: Data,
    objective: Objective,
    validation: HeldOut | None,
    *,
    watch: Watch | None = None,
) -> None:
    """Minimise an initialised estimator's loss; it computes in float64 whatever the dtype."""
    estimator._normalize(data.x, None, "float64")
    core = layers.make(
        estimator.coefs_,
        estimator.intercepts_,
        estimator.activation,
        "float64",
        estimator._normalization(),
    )
    reports = Reports(estimator, data, validation, steps=1, epochs=estimator.max_iter, watch=watch)
    loss_and_gradient = _loss_and_gradient(estimator, data, objective, core)
    dtype = layers.dtype_of(*estimator.coefs_, *estimator.intercepts_)
    bridge = _Bridge(reports, core)
    estimator.n_iter_ = 0
    try:
        with reports.progress:
            result = minimize(
                loss_and_gradient,
                layers.pack(estimator.coefs_, estimator.intercepts_),
                method="L-BFGS-B",
                jac=True,
                callback=bridge if reports.wanted else None,
                options={
                    "maxfun": estimator.max_fun,
                    "maxiter": estimator.max_iter,
                    "gtol": estimator.tol,
                },
            )
        layers.put(core, *layers.unpack(result.x, core.layer_sizes))
        if bridge.stopped:
            estimator.n_iter_ = result.nit
        else:
            estimator.n_iter_ = _check_optimize_result("lbfgs", result, estimator.max_iter)
        estimator.loss_ = result.fun
    finally:
        # Where it was interrupted, of the last try, as with scikit-learn.
        for name, arrays in zip(("coefs_", "intercepts_"), layers.get(core), strict=True):
            setattr(estimator, name, [array.astype(dtype) for array in arrays])
    reports.finish()


def _loss_and_gradient(
    estimator: Any, data: Data, objective: Objective, core: _core.Network
) -> Callable[[Array], tuple[float, Array]]:
    """Return what SciPy minimises; the core holds what was tried last."""
    weights, constants = data.weights, objective.constants
    total = len(data.x) if weights is None else float(weights.sum())
    if total == 0:
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    reg, threads = estimator.alpha / 2 / total, estimator._threads()
    constant = 0.0 if constants is None else float(np.average(constants, weights=weights))

    def loss_and_gradient(packed: Array) -> tuple[float, Array]:
        layers.put(core, *layers.unpack(packed, core.layer_sizes))
        if objective.task is not None and isinstance(objective.task.loss, CustomLoss):
            value, gradients = scoring.loss_and_gradients(
                Scored.of(core, objective.task), data.x, objective.targets, reg=reg,
                threads=threads, dropout=(), gammas=None, label_smoothing=0, weights=weights,
                seed=0,
            )  # fmt: skip
        else:
            value, gradients = core.loss_and_gradients(
                data.x, objective.targets, objective.loss, reg, threads, weights=weights
            )
        return value + constant, layers.pack([g[0] for g in gradients], [g[1] for g in gradients])

    return loss_and_gradient


class _Bridge:
    """SciPy's callback, after each iteration."""

    def __init__(self, reports: Reports, core: _core.Network) -> None:
        self.reports = reports
        self.core = core
        self.stopped = False

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        reports = self.reports
        reports.begin()
        layers.put(self.core, *layers.unpack(intermediate_result.x, self.core.layer_sizes))
        if reports.held_out is not None:
            score = reports.validate(self.core, diverged=False)
            estimator = reports.estimator
            estimator.best_validation_score_ = max(estimator.best_validation_score_, score)
        loss = float(intermediate_result.fun)
        reports.within(1, len(reports.data.x), loss)
        if reports.end(self.core, loss, math.nan, diverged=False):
            self.stopped = True
            raise StopIteration
