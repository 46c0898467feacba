"""With no option but the data: what a new user gets on a held-out fifth."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import twolayer_ext as tl

LEAST = {"digits": 0.95, "iris": 0.93, "wine": 0.95, "breast_cancer": 0.95, "diabetes": 0.40}


def data(name):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    return getattr(datasets, f"load_{name}")(return_X_y=True)


def score(x, y, seed):
    result = tl.train(x, y, validation_fraction=0.2, seed=seed, threads=1, progress=False)
    return result.history[f"val_{result.network.score_name}"][-1]


def test_the_packages_own_digits():
    digits = tl.datasets.load_digits()
    assert score(digits.x, digits.y, 0) >= LEAST["digits"]


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "iris", "wine"])
def test_a_held_out_fifth(name):
    """One row of iris is 0.7 points of a mean of 5 seeds: fewer would say little."""
    x, y = data(name)
    assert np.mean([score(x, y, seed) for seed in range(5)]) >= LEAST[name]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", LEAST)
def test_no_worse_than_scikit_learn(name):
    """Its defaults, as a user meets them: raw features. Means of 20 splits.

    The error of a difference of two accuracies on so many rows is below a point and a half.
    """
    neural = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")
    x, y = data(name)
    model = neural.MLPRegressor if name == "diabetes" else neural.MLPClassifier
    ours, theirs = [], []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(x))
        test, training = order[: len(x) // 5], order[len(x) // 5 :]
        network = tl.train(x[training], y[training], seed=seed, progress=False).network
        ours.append(network.evaluate(x[test], y[test])[1])
        fitted = model(random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its 200 epochs do not suffice
            fitted.fit(x[training], y[training])
        theirs.append(fitted.score(x[test], y[test]))
    assert np.mean(ours) >= LEAST[name]
    assert np.mean(ours) >= np.mean(theirs) - 0.015
