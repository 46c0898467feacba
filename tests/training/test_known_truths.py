"""Losses against truths that are known: least squares, quantiles, rates and probabilities."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl

# Full batches and no weight decay: descent that ends where NumPy's solution is.
LINEAR = {
    "hidden_sizes": (),
    "loss": "squared_error",
    "optimizer": "adam",
    "dtype": "float64",
    "progress": False,
}


def r2(targets, predictions):
    error = ((targets - predictions) ** 2).sum(axis=0)
    return (1 - error / ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)).mean()


def least_squares(x, y):
    rows = np.column_stack([x, np.ones(len(x))])
    return rows @ np.linalg.lstsq(rows, y, rcond=None)[0]


def test_diabetes_as_least_squares():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    x, y = datasets.load_diabetes(return_X_y=True)
    result = tl.train(x, y, **LINEAR, epochs=1000, batch_size=len(x), learning_rate=0.03)
    # Features 5 to 9 are nearly dependent: along them the error decreases slowly, and costs little.
    assert result.network.evaluate(x, y)[1] == pytest.approx(r2(y, least_squares(x, y)), abs=1e-3)


@pytest.mark.parametrize("columns", [None, 3])
def test_a_linear_model_as_least_squares(columns):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (500, 8))
    shape = (500,) if columns is None else (500, columns)
    y = x @ rng.normal(size=(8, *shape[1:])) + 2 * rng.normal(size=shape) + 40
    result = tl.train(x, y, **LINEAR, epochs=600, batch_size=500, learning_rate=0.05)
    expected = least_squares(x, y)
    score = result.network.evaluate(x, y)[1]
    assert score == pytest.approx(r2(y, expected), abs=1e-6)
    predictions = result.network.predict(x)
    assert predictions.shape == y.shape
    np.testing.assert_allclose(predictions, expected, atol=1e-3 * y.std())
    assert result.history["r2"][-1] == pytest.approx(score, abs=1e-5)


def test_quantiles_cover_their_shares():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40_000, 5))
    middle, spread = x[:, 0] + np.sin(2 * x[:, 1]), 0.3 + 0.5 * np.abs(x[:, 2])
    y = middle + spread * rng.normal(size=len(x))
    trained, held_out = slice(0, 20_000), slice(20_000, None)
    network = tl.train(x[trained], y[trained], loss="quantile", threads=1, progress=False).network
    for rows in (trained, held_out):
        predictions = network.predict(x[rows]).reshape(-1, 3)
        covered = (y[rows, np.newaxis] <= predictions).mean(axis=0)
        np.testing.assert_allclose(covered, [0.1, 0.5, 0.9], atol=0.02)
    # And not by the same interval everywhere: it is as wide as the spread tells.
    width = predictions[:, 2] - predictions[:, 0]
    assert np.corrcoef(width, spread[held_out])[0, 1] > 0.9


def poisson_deviance(targets, rates):
    ratio = np.where(targets > 0, targets / rates, 1)
    return 2 * np.mean(targets * np.log(ratio) - targets + rates)


@pytest.mark.parametrize("hidden_sizes", [(), (64,)])
def test_counts_give_their_rates(hidden_sizes):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(12_000, 4))
    rates = np.exp(x @ [0.5, -0.4, 0.3, 0.0] + 1)
    y = rng.poisson(rates)
    trained, held_out = slice(0, 10_000), slice(10_000, None)
    network = tl.train(
        x[trained], y[trained], loss="poisson", hidden_sizes=hidden_sizes, progress=False
    ).network
    predictions = network.predict(x[held_out])
    truth = poisson_deviance(y[held_out], rates[held_out])
    constant = poisson_deviance(y[held_out], y[held_out].mean())
    ours = poisson_deviance(y[held_out], predictions)
    # Of what there is to explain, at most 1% is lost by a model that has the true form, 5% else.
    assert (ours - truth) / (constant - truth) < (0.01 if hidden_sizes == () else 0.05)
    if hidden_sizes == ():
        (weights, _), *_ = network.parameters
        # Standard errors are about 1 / sqrt(10,000 · mean rate) = 0.006.
        np.testing.assert_allclose(weights[:, 0] / network.scale, [0.5, -0.4, 0.3, 0.0], atol=0.03)


def test_labels_that_each_hold_or_not():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(12_000, 4))
    truth = rng.normal(size=(4, 3))
    probabilities = 1 / (1 + np.exp(-(x @ truth + [0.5, 0.0, -1.0])))
    y = (rng.random(probabilities.shape) < probabilities).astype(int)
    trained, held_out = slice(0, 10_000), slice(10_000, None)
    network = tl.train(
        x[trained], y[trained], hidden_sizes=(), learning_rate=0.01, progress=False
    ).network
    assert network.loss.name == "logistic"
    ours = network.predict_proba(x[held_out])
    # A probability's standard error is at most that of the logit, some 0.05, over 4.
    assert np.abs(ours - probabilities[held_out]).max() < 0.05
    np.testing.assert_array_equal(network.predict(x[held_out]), ours > 0.5)
    _, accuracy = network.evaluate(x[held_out], y[held_out])
    best = ((probabilities[held_out] > 0.5) == y[held_out]).all(axis=1).mean()
    assert accuracy == pytest.approx(best, abs=0.02)


def test_medians_and_means_of_a_skewed_target():
    """Without features that tell: absolute error ends at the median, the others at the mean."""
    rng = np.random.default_rng(4)
    x = np.ones((4001, 2))
    y = rng.exponential(2, 4001)
    options = {"hidden_sizes": (), "optimizer": "adam", "learning_rate": 0.02}
    options |= {"batch_size": 4001, "epochs": 500}
    expected = {
        "absolute_error": np.median(y),
        tl.losses.Quantile((0.25,)): np.quantile(y, 0.25),
        "squared_error": y.mean(),
        "poisson": y.mean(),
        tl.losses.Huber(1e-3): np.median(y),
        tl.losses.Huber(1e3): y.mean(),
    }
    for loss, wanted in expected.items():
        network = tl.train(x, y, loss=loss, progress=False, **options).network
        assert network.predict(x[:1]).ravel()[0] == pytest.approx(wanted, abs=0.03), loss
