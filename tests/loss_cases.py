"""Every loss with outputs and targets to try it on."""

from __future__ import annotations

import numpy as np

from twolayer_ext import losses

CASES = {
    "cross_entropy": losses.CrossEntropy(),
    "cross_entropy smoothed": losses.CrossEntropy(label_smoothing=0.2),
    "logistic": losses.Logistic(),
    "logistic smoothed": losses.Logistic(label_smoothing=0.2),
    "squared_error": losses.SquaredError(),
    "absolute_error": losses.AbsoluteError(),
    "huber": losses.Huber(),
    "huber 0.3": losses.Huber(delta=0.3),
    "poisson": losses.Poisson(),
    "quantile": losses.Quantile(),
    "quantile 0.8": losses.Quantile(levels=(0.8,)),
}


def sample(loss, count=23, columns=4, dtype="float64", seed=3):
    """Return outputs (N, K) and encoded targets; no target equals its output."""
    rng = np.random.default_rng(seed)
    if loss.takes == "labels":
        return rng.normal(0, 3, (count, columns)).astype(dtype), rng.integers(0, columns, count)
    outputs = rng.normal(0, 2, (count, columns * loss.outputs_per_target)).astype(dtype)
    targets = {
        "indicators": lambda: rng.integers(0, 2, (count, columns)).astype(np.uint8),
        "counts": lambda: rng.poisson(2, (count, columns)).astype(np.float32),
        "real": lambda: rng.normal(0, 2, (count, columns)),
    }[loss.takes]()
    return outputs, targets
