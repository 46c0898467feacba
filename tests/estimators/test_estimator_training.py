"""How estimators train beyond scikit-learn's solvers: the nets are those of `train`."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression

import twolayer_ext as tl
from twolayer_ext import losses, optimizers, schedules

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
X, Y = X[:300], Y[:300]
X_NUMBERS, Y_NUMBERS = make_regression(300, 6, noise=20, random_state=0)
Y_NUMBERS /= 100
OPTIMIZERS = [
    "sgd",
    "adam",
    optimizers.AdamW(weight_decay=0.1),
    "lion",
    optimizers.RmsProp(momentum=0.5),
]


def drawn(sizes, seed):
    """Weights and biases as scikit-learn draws them for relu."""
    rng = np.random.RandomState(seed)
    pairs = []
    for inputs, outputs in pairwise(sizes):
        bound = np.sqrt(6 / (inputs + outputs))
        weights = rng.uniform(-bound, bound, (inputs, outputs))
        pairs.append((weights, rng.uniform(-bound, bound, outputs)))
    return pairs


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("schedule", [None, schedules.one_cycle()])
def test_the_net_is_that_of_train(optimizer, schedule):
    estimator = tl.MLPRegressor(
        losses.Huber(), (8, 5), optimizer=optimizer, schedule=schedule, learning_rate_init=0.003,
        normalize="standard", alpha=0, batch_size=64, shuffle=False, max_iter=6, random_state=4,
    )  # fmt: skip
    estimator = clone(estimator).fit(X_NUMBERS, Y_NUMBERS)
    pair = X_NUMBERS.mean(axis=0), X_NUMBERS.std(axis=0)
    np.testing.assert_allclose((estimator.input_shift_, estimator.input_scale_), pair, atol=1e-14)
    given = estimator.input_shift_, estimator.input_scale_
    network = tl.Network((6, 8, 5, 1), loss=losses.Huber(), dtype="float64", normalize=given)
    network.set_parameters(drawn((6, 8, 5, 1), 4))
    pace = {"schedule": schedule} if schedule else {"learning_rate_decay": 1.0}
    result = tl.train(
        X_NUMBERS, Y_NUMBERS, network=network, optimizer=optimizer, learning_rate=0.003,
        batch_size=64, epochs=6, shuffle=False, **pace,
    )  # fmt: skip
    for i, (weights, bias) in enumerate(result.network.parameters):
        assert (weights == estimator.coefs_[i]).all()
        assert (bias == estimator.intercepts_[i]).all()
    assert (network.predict(X_NUMBERS) == estimator.predict(X_NUMBERS)).all()
    np.testing.assert_allclose(estimator.loss_curve_, result.history["loss"], rtol=1e-12)


class Halving:
    def __init__(self):
        self.seen = []

    def __call__(self, step, steps):
        self.seen.append((step, steps))
        return 0.5


def test_schedules_change_the_rates_of_solvers():
    for solver in ("adam", "sgd"):
        plain = tl.MLPClassifier(solver=solver, max_iter=3, random_state=0)
        same = clone(plain).set_params(schedule=lambda step, steps: 1.0).fit(X, Y)
        assert same.loss_curve_ == plain.fit(X, Y).loss_curve_
        halving = Halving()
        half = tl.MLPClassifier(solver=solver, max_iter=3, random_state=0, schedule=halving)
        plain.set_params(learning_rate_init=0.0005).fit(X, Y)
        assert half.fit(X, Y).loss_curve_ == plain.loss_curve_
        assert halving.seen == [(step, 6) for step in range(6)]


@pytest.mark.parametrize("normalize", ["center", "standard", "scale", (3.0, 5.0)])
def test_normalized_rows_make_the_same_net(normalize):
    for solver in ("adam", "lbfgs"):
        inside = tl.MLPClassifier(solver=solver, normalize=normalize, max_iter=5, random_state=0)
        inside = clone(inside).fit(X, Y)
        rows = (X - inside.input_shift_) / inside.input_scale_
        before = tl.MLPClassifier(solver=solver, max_iter=5, random_state=0).fit(rows, Y)
        np.testing.assert_allclose(inside.loss_, before.loss_, rtol=1e-8)
        np.testing.assert_allclose(inside.predict_proba(X), before.predict_proba(rows), atol=1e-8)
    shift = inside.input_shift_.copy()
    if solver != "lbfgs":
        inside.partial_fit(X[:50] * 2, Y[:50])
    assert (inside.input_shift_ == shift).all()
    assert not hasattr(inside.set_params(normalize=None).fit(X, Y), "input_shift_")


def test_rows_set_aside_are_not_normalized_by():
    estimator = tl.MLPClassifier(normalize="center", early_stopping=True, max_iter=1)
    estimator.set_params(random_state=0, validation_fraction=0.5).fit(X, Y)
    assert not np.allclose(estimator.input_shift_, X.mean(axis=0))


def test_batch_norm_is_folded_into_the_weights():
    """At a rate of nothing the running statistics become those of the one batch."""
    estimator = tl.MLPRegressor(
        hidden_layer_sizes=(7,), batch_norm=True, learning_rate_init=1e-300, alpha=0,
        batch_size=300, max_iter=400, n_iter_no_change=np.inf, random_state=2,
    )  # fmt: skip
    estimator.fit(X_NUMBERS, Y_NUMBERS)
    (w, b), (v, c) = drawn((6, 7, 1), 2)
    z = X_NUMBERS @ w
    z = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) + b
    expected = (np.maximum(z, 0) @ v + c)[:, 0]
    np.testing.assert_allclose(estimator.predict(X_NUMBERS), expected, rtol=2e-2, atol=2e-2)
    learned = tl.MLPClassifier(batch_norm=True, max_iter=20, random_state=0).fit(X, Y)
    assert learned.score(X, Y) > 0.95


def test_dtypes():
    for dtype in ("float32", np.float32, "float64"):
        for solver in ("adam", "lbfgs"):
            estimator = tl.MLPClassifier(solver=solver, dtype=dtype, max_iter=3, random_state=0)
            for x in (X, X.astype(np.float32)):
                clone(estimator).fit(x, Y)
                estimator.fit(x, Y)
                assert {a.dtype for a in estimator.coefs_} == {np.dtype(dtype)}
                assert estimator.predict_proba(X).dtype == np.dtype(dtype)
    single = tl.MLPClassifier(max_iter=3, random_state=0).fit(X.astype(np.float32), Y)
    same = clone(single).set_params(dtype="float32").fit(X, Y)
    assert same.loss_curve_ == single.loss_curve_


def test_bfloat16_is_near_and_the_same_for_any_threads():
    settings = {"dtype": "float32", "max_iter": 5, "random_state": 0, "normalize": "standard"}
    exact = tl.MLPClassifier((64,), **settings).fit(X, Y)
    rounded = [
        tl.MLPClassifier((64,), **settings, compute_dtype="bfloat16", n_threads=n).fit(X, Y)
        for n in (1, 2)
    ]
    assert rounded[0].loss_curve_ == rounded[1].loss_curve_ != exact.loss_curve_
    np.testing.assert_allclose(rounded[0].loss_curve_, exact.loss_curve_, rtol=0.02)


def test_sparse_rows_are_only_scaled():
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(X)
    dense = tl.MLPClassifier(normalize="scale", max_iter=2, random_state=0).fit(X, Y)
    same = clone(dense).fit(sparse, Y)
    assert dense.loss_curve_ == same.loss_curve_
    with pytest.raises(ValueError, match="with a sparse matrix"):
        clone(dense).set_params(normalize="standard").fit(sparse, Y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adamw", "beta_1": 0.5}, "beta_1: 0.5 with an optimizer"),
        ({"optimizer": "sgd", "learning_rate": "adaptive"}, "learning_rate: 'adaptive' with an"),
        ({"schedule": schedules.cosine(), "solver": "lbfgs"}, "with solver='lbfgs'"),
        (
            {"schedule": schedules.cosine(), "solver": "sgd", "learning_rate": "invscaling"},
            "together with schedule",
        ),
        ({"schedule": lambda step, steps: -1.0}, r"schedule\(0, 400\): -1"),
        ({"batch_norm": True, "solver": "lbfgs"}, "batch_norm: True with solver='lbfgs'"),
        ({"batch_norm": True, "batch_size": 1}, "batches of one row"),
        ({"compute_dtype": "bfloat16"}, "must come with dtype='float32'"),
        ({"normalize": (0, 0)}, "normalize: its scale is zero"),
        ({"optimizer": optimizers.Adam(epsilon=1e-60), "dtype": "float32"}, "epsilon"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        tl.MLPClassifier(**settings).fit(X, Y)


def test_what_cannot_go_on_is_refused():
    estimator = tl.MLPClassifier(batch_norm=True, warm_start=True, max_iter=1).fit(X, Y)
    for again in (estimator.fit, estimator.partial_fit):
        with pytest.raises(ValueError, match="batch_norm: True with partial_fit or warm_start"):
            again(X, Y)
    with pytest.raises(ValueError, match="schedule: given with partial_fit"):
        tl.MLPClassifier(schedule=schedules.cosine()).partial_fit(X, Y, classes=range(10))
