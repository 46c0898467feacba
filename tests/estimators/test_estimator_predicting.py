"""Predictions of few rows, by a network that is kept ready."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.datasets import load_digits

import twolayer_ext as tl

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)


def fitted(dtype=np.float64, **settings):
    return tl.MLPClassifier((40,), max_iter=2, random_state=0, **settings).fit(X.astype(dtype), Y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_is_predicted_as_among_others(dtype):
    estimator = fitted(dtype)
    x = X.astype(dtype)
    expected = estimator.predict_proba(x)
    for _ in range(2):  # the second time the network is ready
        for rows in (slice(0, 1), slice(7, 8), slice(3, 50)):
            assert (estimator.predict_proba(x[rows]) == expected[rows]).all()
    assert len(estimator._ready) == 1
    again = pickle.loads(pickle.dumps(estimator))
    assert not again._ready
    assert (again.predict_proba(x[:1]) == expected[:1]).all()


def test_whatever_changes_is_seen():
    """Every element of every array counts, and so does what the network is."""
    estimator = fitted()
    row = X[:1] + 1
    rng = np.random.RandomState(0)
    for name in ("coefs_", "intercepts_"):
        for i, array in enumerate(getattr(estimator, name)):
            for _ in range(20):
                estimator.predict_proba(row)
                place = tuple(rng.randint(size) for size in array.shape)
                array[place] += 1e-3
                before = [a.copy() for a in estimator.coefs_]
                known = tl.MLPClassifier.__new__(tl.MLPClassifier)
                known.__setstate__(pickle.loads(pickle.dumps(estimator.__getstate__())))
                assert (estimator.predict_proba(row) == known.predict_proba(row)).all()
                assert all((a == b).all() for a, b in zip(before, estimator.coefs_, strict=True))
            assert getattr(estimator, name)[i] is array
    proba = estimator.predict_proba(row)
    estimator.activation = "tanh"
    assert (estimator.predict_proba(row) != proba).any()
    estimator.coefs_ = [coef.astype(np.float32) for coef in estimator.coefs_]
    assert estimator.predict_proba(row).dtype == np.float64
    estimator.intercepts_[0] = estimator.intercepts_[0][:3]
    with pytest.raises(ValueError, match="bias"):
        estimator.predict(row)
    estimator.coefs_ = None
    with pytest.raises(TypeError):
        estimator.predict(row)


def test_rows_are_checked_though_the_network_is_ready():
    estimator = fitted()
    estimator.predict(X[:1])
    wrong = [np.full((1, 64), bad) for bad in (np.nan, np.inf, -np.inf)]
    for column in (0, 31, 63):
        one = X[:1].copy()
        one[0, column] = np.nan
        wrong.append(one)
    for bad in (*wrong, X[0], X[:1, :5], X[:0], np.array(1.0), X[:1].astype(complex)):
        with pytest.raises(ValueError):  # noqa: PT011
            estimator.predict(bad)
    expected = estimator.predict_proba(X[:1])
    for form in (
        np.asfortranarray(X[:3])[:1],
        X[:1].astype(">f8"),
        X[:2][::-1][1:],
        X[:1].tolist(),
    ):
        assert (estimator.predict_proba(form) == expected).all()
    odd = np.frombuffer(b"\0" + X[:1].tobytes(), np.uint8)[1:].view(np.float64).reshape(1, 64)
    assert (estimator.predict_proba(odd) == expected).all()


def test_threads_may_predict_while_weights_change():
    estimator = fitted()
    known = {}
    for factor in (1.0, 2.0):
        coefs = [factor * coef for coef in estimator.coefs_]
        known[factor] = coefs, None
    expected = []
    for coefs, _ in known.values():
        estimator.coefs_ = coefs
        expected.append(estimator.predict_proba(X[:1]).tobytes())

    def work(number):
        for _ in range(200):
            if number == 0:
                estimator.coefs_ = known[1.0][0]
                estimator.coefs_ = known[2.0][0]
            elif estimator.predict_proba(X[:1]).tobytes() not in expected:
                return False
        return True

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(work, range(3)))


def test_predicting_leaves_the_estimator_as_it_is():
    estimator = fitted()
    before = dict(vars(estimator))
    estimator.predict(X[:1])
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is before[name] for name in before)
