"""The losses of the package and of the user's, in estimators."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_digits, make_multilabel_classification, make_regression
from sklearn.metrics import r2_score

import twolayer_ext as tl
from twolayer_ext import losses

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
X, Y = X[:300], Y[:300]
X_NUMBERS, Y_NUMBERS = make_regression(300, 6, noise=20, random_state=0)
Y_NUMBERS /= 100


def squared(outputs, targets):
    d = outputs - targets
    return (d * d).mean(axis=1), 2 * d / d.shape[1]


def cross_entropy(outputs, classes):
    return losses.CrossEntropy().value_and_gradient(outputs, classes)


def spread(outputs, targets):
    """Gaussian with a mean and the logarithm of its deviation."""
    d = (outputs[:, :1] - targets) * np.exp(-outputs[:, 1:])
    value = d * d / 2 + outputs[:, 1:]
    return value[:, 0], np.hstack([d * np.exp(-outputs[:, 1:]), 1 - d * d])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_several_quantiles(solver):
    settings = {"solver": solver, "max_iter": 60, "alpha": 0, "random_state": 0}
    levels = (0.1, 0.5, 0.8)
    estimator = tl.MLPRegressor(losses.Quantile(levels), (20,), **settings)
    estimator.fit(X_NUMBERS, Y_NUMBERS)
    predicted = estimator.predict(X_NUMBERS)
    assert predicted.shape == (300, 3)
    assert estimator.n_outputs_ == 3
    if solver == "lbfgs":
        below = (Y_NUMBERS[:, None] <= predicted).mean(axis=0)
        np.testing.assert_allclose(below, levels, atol=0.1)
        values, _ = losses.Quantile(levels).value_and_gradient(predicted, Y_NUMBERS[:, None])
        assert estimator.loss_ == pytest.approx(values.mean(), rel=1e-9)
    middle = tl.losses.Quantile(levels).middle_output
    expected = r2_score(Y_NUMBERS, predicted[:, middle])
    assert estimator.score(X_NUMBERS, Y_NUMBERS) == pytest.approx(expected)
    pair = np.stack([Y_NUMBERS, 1 - Y_NUMBERS], axis=1)
    estimator.set_params(max_iter=2).fit(X_NUMBERS, pair)
    assert estimator.predict(X_NUMBERS).shape == (300, 2, 3)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_functions_are_as_the_losses_they_compute(solver):
    settings = {"solver": solver, "max_iter": 8, "random_state": 0, "batch_size": 70}
    of_numbers = tl.MLPRegressor(**settings)
    fits = [
        clone(of_numbers).set_params(loss=loss).fit(X_NUMBERS, Y_NUMBERS)
        for loss in (squared, losses.SquaredError())
    ]
    assert_alike(fits)
    of_classes = tl.MLPClassifier(**settings)
    for y in (Y, Y % 2):
        own = clone(of_classes).set_params(loss=cross_entropy).fit(X, y)
        known = clone(of_classes).set_params(loss="cross_entropy").fit(X, y)
        assert_alike([own, known])
        assert own.n_outputs_ == len(own.classes_) == own.coefs_[-1].shape[1]
        assert (own.predict(X) == known.predict(X)).all()
        assert hasattr(known, "predict_proba")
        assert not hasattr(own, "predict_proba")


def assert_alike(fits):
    """Rounding alone: sums over the outputs may come in another order."""
    assert fits[0].loss_ == pytest.approx(fits[1].loss_, rel=1e-9)
    for a, b in zip(fits[0].coefs_, fits[1].coefs_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_outputs_that_are_no_predictions():
    loss = losses.CustomLoss(spread, width=2)
    estimator = tl.MLPRegressor(loss, solver="lbfgs", alpha=0, max_iter=200, random_state=0)
    estimator.fit(X_NUMBERS, Y_NUMBERS, validation_data=(X_NUMBERS, Y_NUMBERS))
    mean, log_deviation = estimator.predict(X_NUMBERS).T
    z = (mean - Y_NUMBERS) / np.exp(log_deviation)
    assert 0.5 < (z * z).mean() < 2
    assert estimator.validation_loss_curve_[-1] == pytest.approx(estimator.loss_)
    assert np.isnan(estimator.validation_scores_).all()
    with pytest.raises(ValueError, match="outputs are no predictions"):
        estimator.score(X_NUMBERS, Y_NUMBERS)
    with pytest.raises(ValueError, match="early_stopping: True"):
        estimator.set_params(early_stopping=True).fit(X_NUMBERS, Y_NUMBERS)


def test_the_packages_losses_of_labels():
    labels_x, labels_y = make_multilabel_classification(200, random_state=0)
    for x, y, loss in ((X, Y % 2, "logistic"), (labels_x, labels_y, losses.Logistic())):
        estimator = tl.MLPClassifier(loss=loss, solver="lbfgs", alpha=0, max_iter=30)
        estimator.set_params(random_state=0).fit(x, y)
        probabilities = estimator.predict_proba(x)
        targets = y if y.ndim == 2 else np.eye(2)[y]
        p = np.where(targets > 0, probabilities, 1 - probabilities).clip(1e-300)
        assert estimator.loss_ == pytest.approx(-np.log(p).mean(), rel=1e-6)


@pytest.mark.parametrize(
    ("estimator", "y", "message"),
    [
        (tl.MLPRegressor(losses.CrossEntropy()), Y, "must be of numbers"),
        (tl.MLPRegressor(losses.Poisson()), -Y, "must be at least 0"),
        (tl.MLPClassifier(loss=losses.Huber()), Y, "must be of classes"),
        (tl.MLPClassifier(loss="logistic"), Y, "'logistic' for 10 classes"),
        (tl.MLPClassifier(loss="cross_entropy"), np.eye(10, dtype=int)[Y], "labels at once"),
        (tl.MLPClassifier(loss=cross_entropy, label_smoothing=0.1), Y, "label_smoothing"),
    ],
)
def test_losses_that_do_not_fit_are_refused(estimator, y, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y)
