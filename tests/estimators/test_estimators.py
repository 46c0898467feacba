"""What scikit-learn asks of every estimator, and what users do with a fitted one."""

import copy
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks

import twolayer_ext as tl

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
PACKAGE = str(Path(tl.__file__).parents[1])
X, Y = load_digits(return_X_y=True)


@parametrize_with_checks([tl.MLPClassifier(), tl.MLPRegressor()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_package_does_not_import_scikit_learn():
    code = "import sys, twolayer_ext; assert not {'sklearn', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": PACKAGE})


def test_without_scikit_learn_the_extra_is_named():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import twolayer_ext\n"
        "try: twolayer_ext.MLPClassifier\n"
        "except twolayer_ext.MissingExtraError as error: assert error.extra == 'sklearn'\n"
        "else: raise SystemExit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": PACKAGE})


def test_a_star_import_asks_for_no_scikit_learn():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import twolayer_ext\n"
        "from twolayer_ext import *\n"
        "assert callable(train) and 'MLPClassifier' not in globals()\n"
        "assert {'MLPClassifier', 'MLPRegressor', 'train'} <= set(dir(twolayer_ext))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": PACKAGE})


def states(estimator):
    return [*estimator.coefs_, *estimator.intercepts_]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_copies_go_on_alike(copied, solver):
    estimator = tl.MLPClassifier(solver=solver, max_iter=3, random_state=0).fit(X, Y)
    other = copied(estimator)
    assert (other.predict_proba(X) == estimator.predict_proba(X)).all()
    for _ in range(3):
        for each in (estimator, other):
            each.partial_fit(X, Y)
    for a, b in zip(states(estimator), states(other), strict=True):
        assert (a == b).all()


def test_a_file_of_a_newer_version_is_refused():
    estimator = tl.MLPClassifier(max_iter=1).fit(X, Y)
    state = estimator.__getstate__()
    assert state["_twolayer_state"] == 2
    with pytest.raises(ValueError, match="newer version"):
        tl.MLPClassifier().__setstate__({**state, "_twolayer_state": 3})


def test_a_file_of_an_older_version_is_brought_up_to_date():
    for estimator in (tl.MLPClassifier(max_iter=1), tl.MLPRegressor(max_iter=1)):
        state = estimator.fit(X, Y).__getstate__()
        later = ["optimizer", "schedule", "normalize", "batch_norm", "dtype", "compute_dtype"]
        for name in (*later, "ensemble", "callbacks", "progress"):
            del state[name]
        old = type(estimator)()
        vars(old).clear()
        old.__setstate__({**state, "_twolayer_state": 1})
        assert old.get_params() == estimator.get_params()
        assert (old.predict(X) == estimator.predict(X)).all()
        old.set_params(warm_start=True).fit(X, Y)
        old.partial_fit(X, Y)


def test_threads_change_no_bit():
    fits = [
        tl.MLPClassifier((256,), max_iter=3, random_state=0, n_threads=n).fit(X, Y)
        for n in (1, 2, 3)
    ]
    for other in fits[1:]:
        for a, b in zip(states(fits[0]), states(other), strict=True):
            assert (a == b).all()
        assert (other.predict_proba(X) == fits[0].predict_proba(X)).all()


def test_predictions_follow_assigned_and_changed_weights():
    estimator = tl.MLPRegressor(max_iter=2, random_state=0).fit(X, Y)
    before = estimator.predict(X)
    estimator.intercepts_[-1] += 1
    np.testing.assert_allclose(estimator.predict(X), before + 1)
    estimator.coefs_ = [np.zeros_like(coef) for coef in estimator.coefs_]
    assert (estimator.predict(X) == estimator.intercepts_[-1]).all()


def test_rows_of_every_form_predict_the_same():
    estimator = tl.MLPClassifier(max_iter=3, random_state=0).fit(X, Y)
    expected = estimator.predict_proba(X)
    for form in (X.tolist(), np.asfortranarray(X), X[:, ::-1].copy()[:, ::-1], X.astype(np.uint8)):
        assert (estimator.predict_proba(form) == expected).all()
    for bad in (np.full((1, 64), np.nan), np.full((1, 64), np.inf), X[0], X[:, :3], X[:0]):
        with pytest.raises(ValueError):  # noqa: PT011
            estimator.predict(bad)


def test_frames_keep_their_names():
    pandas = pytest.importorskip("pandas")
    iris, y = load_iris(return_X_y=True, as_frame=True)
    estimator = tl.MLPClassifier(max_iter=2, random_state=0).fit(iris, y)
    assert list(estimator.feature_names_in_) == list(iris.columns)
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(iris[iris.columns[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        estimator.predict(iris.to_numpy())
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(iris.to_dict("list"))
    assert (estimator.predict(frame) == estimator.predict(iris)).all()
    assert isinstance(iris, pandas.DataFrame)


def test_clones_are_unfitted():
    estimator = tl.MLPRegressor("poisson", (3, 4), alpha=2, n_threads=1).fit(X, Y)
    other = clone(estimator)
    assert other.get_params() == estimator.get_params()
    assert not hasattr(other, "coefs_")


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to the own process")
def test_an_interrupted_fit_keeps_what_it_has():
    estimator = tl.MLPClassifier((400, 400), max_iter=10**6, tol=0, n_iter_no_change=10**6)

    def interrupt():
        while getattr(estimator, "n_iter_", 0) < 1:
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, Y)
    watcher.join()
    assert 1 <= estimator.n_iter_ < 10**6
    assert estimator.predict(X).shape == Y.shape


def test_weights_that_do_not_fit_are_refused():
    estimator = tl.MLPClassifier(max_iter=1, warm_start=True).fit(X, Y)
    estimator.coefs_ = [coef[:, :5] for coef in estimator.coefs_]
    with pytest.raises(ValueError, match="intercepts_: an array of shape"):
        estimator.fit(X, Y)


def threads_of(estimator):
    return estimator._threads()


def test_fits_side_by_side_share_the_threads(monkeypatch):
    joblib = pytest.importorskip("joblib")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    estimator = tl.MLPClassifier()
    together = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(threads_of)(e) for e in [estimator, tl.MLPClassifier(n_threads=3)] * 2
    )
    assert together == [1, 3, 1, 3]
    assert estimator._threads() == tl._core.default_threads()
