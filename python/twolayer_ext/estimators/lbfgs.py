"""L-BFGS: SciPy's minimiser over the core's loss and gradients of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.utils.optimize import _check_optimize_result

from twolayer_ext.checks import Array
from twolayer_ext.estimators import layers
from twolayer_ext.estimators.objective import Objective
from twolayer_ext.estimators.stochastic import Data


def fit(estimator: Any, data: Data, objective: Objective) -> None:
    """Minimise an initialised estimator's loss; it computes in float64 whatever the dtype."""
    for name, without in (("dropout", 0), ("clip_norm", None)):
        if getattr(estimator, name) != without:
            raise ValueError(
                f"{name}: {getattr(estimator, name)} with solver='lbfgs'; must be {without}, only "
                "'sgd' and 'adam' have it"
            )
    threads = estimator._threads()
    core = layers.make(estimator.coefs_, estimator.activation, "float64")
    sizes = core.layer_sizes
    weights, constants, loss = data.weights, objective.constants, objective.loss
    total = len(data.x) if weights is None else float(weights.sum())
    if total == 0:
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    reg = estimator.alpha / 2 / total
    constant = 0.0 if constants is None else float(np.average(constants, weights=weights))

    def loss_and_gradient(packed: Array) -> tuple[float, Array]:
        layers.put(core, *layers.unpack(packed, sizes))
        value, gradients = core.loss_and_gradients(
            data.x, objective.targets, loss, reg, threads, weights=weights
        )
        return value + constant, layers.pack([g[0] for g in gradients], [g[1] for g in gradients])

    result = minimize(
        loss_and_gradient,
        layers.pack(estimator.coefs_, estimator.intercepts_),
        method="L-BFGS-B",
        jac=True,
        options={
            "maxfun": estimator.max_fun,
            "maxiter": estimator.max_iter,
            "gtol": estimator.tol,
        },
    )
    estimator.n_iter_ = _check_optimize_result("lbfgs", result, estimator.max_iter)
    estimator.loss_ = result.fun
    dtype = layers.dtype_of(*estimator.coefs_, *estimator.intercepts_)
    coefs, intercepts = layers.unpack(result.x, sizes)
    estimator.coefs_ = [coef.astype(dtype) for coef in coefs]
    estimator.intercepts_ = [intercept.astype(dtype) for intercept in intercepts]
