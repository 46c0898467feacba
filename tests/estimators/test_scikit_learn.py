"""The estimators against scikit-learn's: the same draws, the same formulas, the same course."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.9")  # whose parameters they have
from sklearn import neural_network
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    make_multilabel_classification,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning

import twolayer_ext as tl

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Rounding errors, 1e-16 a step, that 50 epochs of training multiply.
LOSS = 1e-9
PARAMETERS = 1e-7


def numbers():
    X, y = make_regression(457, 12, n_targets=3, random_state=0, noise=3)
    return X, y / 100


def counts():
    X, _ = numbers()
    return X, np.random.RandomState(0).poisson(np.exp(X[:, :2] * 0.3))


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:650], y[:650]


DATA = {
    "multiclass": ("MLPClassifier", digits(), {}),
    "binary": ("MLPClassifier", load_breast_cancer(return_X_y=True), {"learning_rate_init": 1e-6}),
    "text": ("MLPClassifier", (digits()[0], np.array(list("abcdefghij"))[digits()[1]]), {}),
    "multilabel": ("MLPClassifier", make_multilabel_classification(333, random_state=0), {}),
    "numbers": ("MLPRegressor", numbers(), {}),
    "number": ("MLPRegressor", (numbers()[0], numbers()[1][:, 0]), {}),
    "counts": ("MLPRegressor", counts(), {"loss": "poisson"}),
}
SETTINGS = {
    "adam": {},
    "ragged": {"batch_size": 64, "hidden_layer_sizes": (30, 20), "activation": "tanh", "alpha": 1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 1e-2},
    "nesterov": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.2},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 2},
    "early stopping": {"early_stopping": True, "activation": "logistic", "n_iter_no_change": 5},
    "lbfgs": {"solver": "lbfgs", "alpha": 0.5, "max_iter": 15, "activation": "identity"},
    "in order": {"shuffle": False, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
}


def pair(data, **settings):
    name, arrays, own = DATA[data]
    settings = {"max_iter": 50, "random_state": 3, **settings, **own}
    return *arrays, getattr(tl, name)(**settings), getattr(neural_network, name)(**settings)


def assert_same(ours, theirs):
    curves = [getattr(e, "loss_curve_", [e.loss_]) for e in (ours, theirs)]
    np.testing.assert_allclose(*curves, rtol=LOSS)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            np.testing.assert_allclose(a, b, atol=PARAMETERS)
            assert a.dtype == b.dtype
    for name in ("best_loss_", "best_validation_score_", "validation_scores_", "loss_"):
        a, b = (getattr(e, name, None) for e in (ours, theirs))
        assert (a is None) == (b is None), name
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-7)


@pytest.mark.parametrize("weighted", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(
    "data", [d if d == "binary" else pytest.param(d, marks=pytest.mark.exhaustive) for d in DATA]
)
def test_the_course_is_the_same(data, settings, weighted):
    X, y, ours, theirs = pair(data, **SETTINGS[settings])
    weights = np.random.RandomState(1).rand(len(y)) + 0.1 if weighted else None
    for estimator in (ours, theirs):
        estimator.fit(X, y, sample_weight=weights)
    assert_same(ours, theirs)
    expected = theirs.predict(X)
    assert ours.predict(X).dtype == expected.dtype
    if hasattr(ours, "classes_"):
        assert (ours.predict(X) == expected).all()
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
    else:
        np.testing.assert_allclose(ours.predict(X), expected, atol=1e-6)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-9)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("data", DATA)
def test_warm_start_goes_on(data, solver):
    X, y, ours, theirs = pair(data, solver=solver, warm_start=True)
    for estimator in (ours, theirs):
        estimator.set_params(max_iter=5).fit(X, y)
        estimator.fit(X, y)
    assert_same(ours, theirs)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("data", DATA)
def test_partial_fit_goes_on(data, solver):
    X, y, ours, theirs = pair(data, solver=solver, batch_size=100)
    for estimator in (ours, theirs):
        first = {"classes": np.unique(y)} if data in ("multiclass", "text", "binary") else {}
        if data == "multilabel":
            first = {"classes": np.arange(5)}
        estimator.partial_fit(X[:150], y[:150], **first)
        for _ in range(5):
            estimator.partial_fit(X[150:280], y[150:280])
        estimator.partial_fit(X, y, sample_weight=np.linspace(0.1, 1, len(y)))
    assert_same(ours, theirs)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_assigned_weights_are_those_that_are_trained(solver):
    X, y, ours, theirs = pair("multiclass", solver=solver, warm_start=True, max_iter=1)
    for estimator in (ours, theirs):
        estimator.fit(X, y)
        rng = np.random.RandomState(5)
        estimator.coefs_ = [0.1 * rng.randn(*coef.shape) for coef in estimator.coefs_]
        estimator.intercepts_ = [0.1 * rng.randn(*i.shape) for i in estimator.intercepts_]
        estimator.set_params(max_iter=50).fit(X, y)
    assert_same(ours, theirs)


@pytest.mark.parametrize("settings", ["adam", "early stopping"])
def test_a_generator_is_left_in_the_same_state(settings):
    X, y, ours, theirs = pair("multiclass", **SETTINGS[settings])
    drawn = []
    for estimator in (ours, theirs):
        rng = np.random.RandomState(7)
        estimator.set_params(random_state=rng, max_iter=3).fit(X, y)
        drawn.append(rng.randint(1 << 30))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "csr_array"])
def test_sparse_rows_are_as_dense_ones(form, solver):
    sparse = pytest.importorskip("scipy.sparse")
    X, y, ours, theirs = pair("multiclass", solver=solver, max_iter=20)
    rows = getattr(sparse, form)(X)
    ours.fit(rows, y)
    theirs.fit(rows, y)
    assert_same(ours, theirs)
    np.testing.assert_allclose(ours.predict_proba(rows), ours.predict_proba(X), atol=1e-12)


def test_float32_stays_float32():
    X, y, ours, theirs = pair("multiclass", max_iter=5)
    X = X.astype(np.float32)
    ours.fit(X, y)
    theirs.fit(X, y)
    assert {a.dtype for a in (*ours.coefs_, *ours.intercepts_)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-4)
    assert ours.predict_proba(X).dtype == np.float32
    assert ours.predict_proba(X.astype(np.float64)).dtype == np.float64


def test_hopeless_classifications_cost_as_much():
    """Probabilities of 0 and 1, whose logarithm scikit-learn clips."""
    for data in ("binary", "multiclass", "multilabel"):
        X, y, ours, theirs = pair(data, max_iter=1)
        for estimator in (ours, theirs):
            estimator.fit(1000 * X, y)
        assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
        assert theirs.loss_ > 1


@pytest.mark.filterwarnings("ignore")  # scikit-learn's of overflows
def test_training_that_diverges_ends_as_theirs():
    X, y, ours, theirs = pair("numbers", solver="sgd", learning_rate_init=1e3, max_iter=20)
    for estimator in (ours, theirs):
        with pytest.raises(ValueError, match="non-finite parameter"):
            estimator.fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_ == 20
    assert len(ours.loss_curve_) == len(theirs.loss_curve_)
    assert not np.isfinite(ours.loss_)
    X, y, ours, theirs = pair(
        "numbers", solver="sgd", learning_rate_init=1e3, early_stopping=True, max_iter=20
    )
    for estimator in (ours, theirs):
        estimator.fit(X, y)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0])
    assert len(ours.validation_scores_) == len(theirs.validation_scores_)


def test_verbose_prints_the_same(capsys):
    for settings in ("adam", "adaptive", "early stopping"):
        X, y, ours, theirs = pair("multiclass", **{**SETTINGS[settings], "tol": 0.01})
        printed = []
        for estimator in (ours, theirs):
            estimator.set_params(verbose=True, max_iter=30).fit(X, y)
            printed.append(capsys.readouterr().out)
        assert printed[0] == printed[1]


def messages(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except Exception as error:
            return type(error), str(error)
    return [(warning.category, str(warning.message)) for warning in caught]


@pytest.mark.parametrize(
    "settings",
    [
        {"max_iter": 2},
        {"batch_size": 5000},
        {"hidden_layer_sizes": (3, 0)},
        {"hidden_layer_sizes": -1},
        {"solver": "lbfgs", "max_iter": 2},
        {"momentum": 2.0},
        {"early_stopping": True, "validation_fraction": 1e-4},
        {"beta_1": 1.0},
    ],
)
def test_warnings_and_errors_are_the_same(settings):
    X, y, ours, theirs = pair("multiclass", **settings)
    expected = messages(lambda: theirs.fit(X, y))
    assert expected
    assert messages(lambda: ours.fit(X, y)) == expected


def test_batches_without_weight_are_refused():
    X, y, ours, theirs = pair("numbers", batch_size=10)
    for estimator in (ours, theirs):
        with pytest.raises(ZeroDivisionError, match="Weights sum to zero"):
            estimator.fit(X, y, sample_weight=np.eye(len(y))[0])


def test_classes_are_compared():
    X, y, ours, theirs = pair("multiclass", warm_start=True, max_iter=2)
    for estimator in (ours, theirs):
        estimator.fit(X, y)
    assert messages(lambda: ours.fit(X, y % 3)) == messages(lambda: theirs.fit(X, y % 3))
    for estimator in (ours, theirs):
        estimator.set_params(warm_start=False)
    with_new = [messages(lambda e=e: e.partial_fit(X, y + 1)) for e in (ours, theirs)]
    assert with_new[0] == with_new[1]


def test_parameters_and_defaults_are_theirs():
    for name in ("MLPClassifier", "MLPRegressor"):
        ours = getattr(tl, name)().get_params()
        theirs = getattr(neural_network, name)().get_params()
        nothing = "optimizer schedule normalize clip_norm dtype compute_dtype callbacks n_threads"
        own = dict.fromkeys(nothing.split())
        own |= {"dropout": 0.0, "batch_norm": False, "ensemble": 1, "progress": False}
        if name == "MLPClassifier":
            own |= {"loss": "log_loss", "class_weight": None, "label_smoothing": 0.0}
        assert ours == theirs | own


def test_an_unconverged_fit_warns():
    X, y, ours, _ = pair("multiclass", max_iter=2)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\)"):
        ours.fit(X, y)
