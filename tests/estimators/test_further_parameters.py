"""What the estimators have beyond scikit-learn's."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.utils.class_weight import compute_sample_weight

import twolayer_ext as tl
from twolayer_ext.losses import Huber, Quantile

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
X_NUMBERS, Y_NUMBERS = make_regression(400, 6, noise=20, random_state=0)
Y_NUMBERS /= 100


@pytest.mark.parametrize("activation", ["gelu", "silu", "elu", "softplus"])
def test_every_activation(activation):
    for solver in ("adam", "lbfgs"):
        estimator = tl.MLPClassifier(activation=activation, solver=solver, max_iter=40)
        assert estimator.set_params(random_state=0).fit(X, Y).score(X, Y) > 0.95


def test_class_weights_are_weights_of_rows():
    few = np.r_[np.flatnonzero(Y > 0), np.flatnonzero(Y == 0)[:10]]
    x, y = X[few], Y[few]
    plain = tl.MLPClassifier(max_iter=3, random_state=0)
    balanced = clone(plain).set_params(class_weight="balanced").fit(x, y)
    weights = compute_sample_weight("balanced", y)
    assert (plain.fit(x, y, weights).coefs_[0] == balanced.coefs_[0]).all()
    both = clone(balanced).set_params(class_weight={0: 3.0}).fit(x, y, sample_weight=weights)
    plain.fit(x, y, weights * np.where(y == 0, 3, 1))
    assert (plain.coefs_[0] == both.coefs_[0]).all()
    with pytest.raises(ValueError, match="'balanced' with partial_fit"):
        balanced.partial_fit(x, y)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", Huber(0.1), Quantile((0.9,))])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses_of_the_package(loss, solver):
    estimator = tl.MLPRegressor(
        loss, (20,), solver=solver, alpha=0, max_iter=100, random_state=0, early_stopping=False
    )
    estimator = clone(estimator).fit(X_NUMBERS, Y_NUMBERS)
    predicted = estimator.predict(X_NUMBERS)
    kind = tl.losses.make(loss)
    values, _ = kind.value_and_gradient(predicted[:, None], Y_NUMBERS[:, None])
    if solver == "lbfgs":
        assert estimator.loss_ == pytest.approx(values.mean(), rel=1e-9)
    else:
        assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]
    if isinstance(loss, Quantile) and solver == "lbfgs":
        assert 0.8 < (predicted >= Y_NUMBERS).mean() < 0.97


def test_dropout_draws_from_the_random_state():
    fits = [
        tl.MLPClassifier(dropout=0.5, max_iter=10, random_state=seed).fit(X, Y)
        for seed in (0, 0, 1)
    ]
    assert fits[0].loss_curve_ == fits[1].loss_curve_ != fits[2].loss_curve_
    plain = tl.MLPClassifier(max_iter=10, random_state=0).fit(X, Y)
    assert fits[0].loss_ > plain.loss_
    assert fits[0].score(X, Y) > 0.8
    fits[0].partial_fit(X, Y)


def test_clipped_gradients_make_small_steps():
    settings = {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1, "max_iter": 1}
    settings |= {"batch_size": len(X), "random_state": 0}
    before = tl.MLPClassifier(**settings).set_params(learning_rate_init=1e-300).fit(X, Y)
    after = tl.MLPClassifier(**settings, clip_norm=0.5).fit(X, Y)
    moved = [
        a - b
        for name in ("coefs_", "intercepts_")
        for a, b in zip(getattr(after, name), getattr(before, name), strict=True)
    ]
    assert np.sqrt(sum((m * m).sum() for m in moved)) == pytest.approx(0.1 * 0.5, rel=1e-6)


@pytest.mark.exhaustive
def test_smoothed_labels_keep_probabilities_from_the_ends():
    for y in (Y, Y % 2, np.eye(10, dtype=int)[Y]):
        estimator = tl.MLPClassifier(solver="lbfgs", label_smoothing=0.2, alpha=0, max_iter=300)
        estimator.set_params(random_state=0).fit(X, y)
        plain = clone(estimator).set_params(label_smoothing=0).fit(X, y)
        assert estimator.score(X, y) > 0.95
        middle = np.median(estimator.predict_proba(X).max(axis=1))
        assert 0.8 < middle < 0.95 < np.median(plain.predict_proba(X).max(axis=1))


def test_solvers_without_steps_have_no_techniques_of_steps():
    for settings in ({"dropout": 0.5}, {"clip_norm": 1.0}):
        with pytest.raises(ValueError, match="with solver='lbfgs'"):
            tl.MLPClassifier(solver="lbfgs", **settings).fit(X, Y)


@pytest.mark.parametrize(
    "name", ["alpha", "learning_rate_init", "tol", "epsilon", "clip_norm", "hidden_layer_sizes"]
)
def test_integers_that_no_float_holds_are_refused(name):
    for value in (10**400, [10**400]) if name == "hidden_layer_sizes" else (10**400,):
        with pytest.raises(ValueError, match=rf"^{name}: 1000"):
            tl.MLPClassifier(max_iter=1).set_params(**{name: value}).fit(X, Y)
