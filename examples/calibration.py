"""Probabilities that mean what they say: a calibrated classifier and its reliability diagram.

A net that is trained for long on few rows is sure of itself even where it errs. scikit-learn's
CalibratedClassifierCV learns from rows kept aside how much to believe it. Of all rows with a
predicted probability of 80%, 80% should be of the class: the picture shows that, before and after.
Needs the extras `sklearn` and `plot`, and seconds:

    python examples/calibration.py [PICTURE]
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss, log_loss

from twolayer_ext import MLPClassifier

BINS = 10


def fit() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return each model's probabilities of class 1 of rows to test with, (10000,), and classes."""
    x, y = make_classification(
        13_500, 20, n_informative=8, n_redundant=4, class_sep=0.7, flip_y=0.1, random_state=0
    )
    train, aside, test = slice(1500), slice(1500, 3500), slice(3500, None)
    net = MLPClassifier((100,), alpha=0, learning_rate_init=0.005, max_iter=150, random_state=0)
    with warnings.catch_warnings():  # sure of itself before it has converged
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(x[train], y[train])
    calibrated = CalibratedClassifierCV(FrozenEstimator(net), method="isotonic")
    models = {"MLPClassifier": net, "calibrated": calibrated.fit(x[aside], y[aside])}
    return {name: model.predict_proba(x[test])[:, 1] for name, model in models.items()}, y[test]


def draw(probabilities: dict[str, np.ndarray], y: np.ndarray) -> Figure:
    """Return the reliability diagram, and below it how many rows each bin holds."""
    figure = Figure(figsize=(5.5, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="as it should be")
    for (name, predicted), marker in zip(probabilities.items(), "so", strict=True):
        share, mean = calibration_curve(y, predicted, n_bins=BINS)
        above.plot(mean, share, marker=marker, markersize=5, label=name)
        below.hist(predicted, bins=BINS, range=(0, 1), histtype="step", linewidth=1.5)
    above.set_ylabel("share of rows that are of class 1")
    above.legend(frameon=False)
    below.set_xlabel("predicted probability of class 1")
    below.set_ylabel("rows")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def main(picture: str | Path = "calibration.png") -> dict[str, float]:
    """Print each model's scores and write the picture; return the log losses."""
    probabilities, y = fit()
    losses = {}
    for name, predicted in probabilities.items():
        losses[name] = float(log_loss(y, predicted))
        print(
            f"{name:<13}  accuracy {np.mean((predicted > 0.5) == y):.3f}"
            f"  log loss {losses[name]:.3f}  Brier score {brier_score_loss(y, predicted):.4f}"
        )
    draw(probabilities, y).savefig(picture, dpi=150)
    print(f"wrote {picture}")
    return losses


if __name__ == "__main__":
    main(*sys.argv[1:])
