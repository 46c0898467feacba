"""scikit-learn's tools make of our estimators what they make of scikit-learn's."""

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.9")  # whose parameters they have
import joblib
from sklearn import config_context, neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import twolayer_ext as tl
from twolayer_ext.estimators.optimizer import StochasticOptimizer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
PACKAGE = str(Path(tl.__file__).parents[1])
X, Y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
NUMBERS = load_diabetes(return_X_y=True)
SETTINGS = {"hidden_layer_sizes": (20,), "max_iter": 15, "random_state": 0}
OURS = tl.MLPClassifier(**SETTINGS)
THEIRS = neural_network.MLPClassifier(**SETTINGS)
# As the courses agree, see test_scikit_learn.py; probabilities are at most as far apart.
CLOSE = 1e-7


def both(tool):
    """Return what the tool makes of our classifier, and of scikit-learn's."""
    return tool(clone(OURS)), tool(clone(THEIRS))


def test_pipeline():
    pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    raw = load_breast_cancer(as_frame=True)
    weights = np.random.default_rng(0).random(len(Y))

    def tool(estimator):
        pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), estimator)
        name = type(estimator).__name__.lower()
        pipeline.set_params(**{f"{name}__alpha": 0.1})
        return pipeline.fit(raw.data, Y, **{f"{name}__sample_weight": weights})

    ours, theirs = both(tool)
    assert ours[-1].alpha == 0.1
    assert list(ours[-1].feature_names_in_) == list(raw.data.columns)
    expected = theirs.predict_proba(raw.data)
    np.testing.assert_allclose(ours.predict_proba(raw.data), expected, atol=CLOSE)
    assert (ours.predict(raw.data) == theirs.predict(raw.data)).all()
    assert "MLPClassifier" in ours._repr_html_()


def test_cross_val_score():
    ours, theirs = both(lambda estimator: cross_val_score(estimator, X, Y, cv=3))
    assert (ours == theirs).all()
    regressors = (tl.MLPRegressor, neural_network.MLPRegressor)
    ours, theirs = (cross_val_score(make(**SETTINGS), *NUMBERS, cv=3) for make in regressors)
    np.testing.assert_allclose(ours, theirs, atol=CLOSE)


def test_weights_are_routed():
    weights = np.random.default_rng(0).random(len(Y))

    def tool(estimator):
        estimator.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(estimator, X, Y, cv=3, params={"sample_weight": weights})
        return found["test_score"]

    with config_context(enable_metadata_routing=True):
        ours, theirs = both(tool)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert (ours != cross_val_score(OURS, X, Y, cv=3)).any()


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_classifier(method):
    ours, theirs = both(lambda e: CalibratedClassifierCV(e, method=method, cv=3).fit(X, Y))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    plain = clone(OURS).fit(X, Y)
    assert abs(ours.predict_proba(X) - plain.predict_proba(X)).max() > 0.01


def test_permutation_importance():
    def tool(estimator):
        estimator.fit(X, Y)
        return permutation_importance(estimator, X, Y, n_repeats=3, random_state=0).importances

    ours, theirs = both(tool)
    assert (ours == theirs).all()
    assert ours.max() > 0
    with joblib.parallel_backend("threading", n_jobs=2):
        again, _ = both(tool)
    assert (again == ours).all()


def test_voting():
    others = [("linear", LogisticRegression())]
    ours, theirs = both(
        lambda net: VotingClassifier([("net", net), *others], voting="soft").fit(X, Y)
    )
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=CLOSE)
    net, linear = ours.estimators_
    mean = (net.predict_proba(X) + linear.predict_proba(X)) / 2
    np.testing.assert_allclose(ours.predict_proba(X), mean, rtol=1e-12)
    nets = (tl.MLPRegressor(**SETTINGS), neural_network.MLPRegressor(**SETTINGS))
    ours, theirs = (
        VotingRegressor([("net", net), ("linear", Ridge())]).fit(*NUMBERS) for net in nets
    )
    np.testing.assert_allclose(ours.predict(NUMBERS[0]), theirs.predict(NUMBERS[0]), rtol=CLOSE)


GRID = {"alpha": [1e-4, 1.0], "learning_rate_init": [1e-3, 1e-2]}


def assert_same_results(search, expected):
    assert search.best_params_ == expected.best_params_
    for name in ("split0_test_score", "split1_test_score"):
        assert (search.cv_results_[name] == expected.cv_results_[name]).all()
    for a, b in zip(search.best_estimator_.coefs_, expected.best_estimator_.coefs_, strict=True):
        assert a.tobytes() == b.tobytes()


def test_grid_search_is_that_of_scikit_learn():
    ours, theirs = both(lambda e: GridSearchCV(e, GRID, cv=2).fit(X, Y))
    assert ours.best_params_ == theirs.best_params_
    scores = "mean_test_score"
    assert (ours.cv_results_[scores] == theirs.cv_results_[scores]).all()


def test_grid_search_in_processes(monkeypatch):
    """Each process uses its share of the CPUs, and the results are the bits of one process."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def scores(estimator, X, y):
        return {
            "accuracy": estimator.score(X, y),
            "threads": estimator._threads(),
            "process": os.getpid(),
        }

    def search(n_jobs):
        found = GridSearchCV(
            OURS, GRID, cv=2, n_jobs=n_jobs, scoring=scores, refit="accuracy", error_score="raise"
        )
        return found.fit(X, Y)

    found, expected = search(2), search(1)
    accuracies = (each.cv_results_["mean_test_accuracy"] for each in (found, expected))
    assert (next(accuracies) == next(accuracies)).all()
    for a, b in zip(found.best_estimator_.coefs_, expected.best_estimator_.coefs_, strict=True):
        assert a.tobytes() == b.tobytes()
    processes = found.cv_results_["split0_test_process"]
    assert os.getpid() not in processes
    threads = {*found.cv_results_["split0_test_threads"], *found.cv_results_["split1_test_threads"]}
    assert threads == {max(joblib.cpu_count() // 2, 1)}


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux tells the threads")
def test_a_process_makes_no_more_threads_than_its_share(monkeypatch):
    """Counted by the system, in processes that have computed nothing before."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    loky = pytest.importorskip("joblib.externals.loky")

    def made(n_threads):
        net = tl.MLPClassifier((400,), max_iter=1, random_state=0, n_threads=n_threads)
        before = len(list(Path("/proc/self/task").iterdir()))
        net.fit(X, Y)
        return len(list(Path("/proc/self/task").iterdir())) - before

    def in_new_processes(n_threads):
        loky.get_reusable_executor(reuse=True).shutdown(wait=True)
        return joblib.Parallel(n_jobs=2)([joblib.delayed(made)(n_threads)] * 2)

    share = max(joblib.cpu_count() // 2, 1)
    assert max(in_new_processes(None)) <= share - 1  # the first is the process's own
    assert max(in_new_processes(share + 1)) > 0


def test_grid_search_in_threads(monkeypatch):
    """joblib's threads train on one each, whatever the number of CPUs."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(tl._core, "default_threads", lambda: 8)
    used, bind = [], StochasticOptimizer.bind

    def spy(self, *arguments, **options):
        used.append((threading.current_thread() is threading.main_thread(), options["threads"]))
        return bind(self, *arguments, **options)

    monkeypatch.setattr(StochasticOptimizer, "bind", spy)
    expected = GridSearchCV(OURS, GRID, cv=2).fit(X, Y)
    assert set(used) == {(True, 8)}
    used.clear()
    with joblib.parallel_backend("threading", n_jobs=2):
        found = GridSearchCV(OURS, GRID, cv=2).fit(X, Y)
    assert_same_results(found, expected)
    assert used[:-1] == [(False, 1)] * 8
    assert used[-1] == (True, 8)  # the best one, fitted again when the others are done


PREDICT = """
import sys, pickle, joblib
estimator = joblib.load(sys.argv[1])
with open(sys.argv[2], "rb") as file:
    X = pickle.load(file)
sys.stdout.buffer.write(estimator.predict_proba(X).tobytes())
"""


def in_another_process(code, *paths):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_joblib_files_in_another_process(tmp_path):
    pipeline = make_pipeline(StandardScaler(), clone(OURS)).fit(X, Y)
    joblib.dump(pipeline, tmp_path / "net.joblib", compress=3)
    (tmp_path / "x.pickle").write_bytes(pickle.dumps(X))
    found = in_another_process(PREDICT, tmp_path / "net.joblib", tmp_path / "x.pickle")
    assert found == pipeline.predict_proba(X).tobytes()


def test_memory_maps(tmp_path):
    """joblib hands large arrays to its processes as read-only memory maps."""
    estimator = clone(OURS).fit(X, Y)
    joblib.dump((X, estimator), tmp_path / "all.joblib")
    x, mapped = joblib.load(tmp_path / "all.joblib", mmap_mode="r")
    assert (mapped.predict_proba(x) == estimator.predict_proba(X)).all()
    assert (clone(OURS).fit(x, Y).coefs_[0] == estimator.coefs_[0]).all()
    mapped.partial_fit(x, Y)
    assert (mapped.coefs_[0] == estimator.partial_fit(X, Y).coefs_[0]).all()


TRUSTED = {
    "twolayer_ext.estimators.classifier.MLPClassifier",
    "twolayer_ext.estimators.regressor.MLPRegressor",
    "twolayer_ext.estimators.optimizer.StochasticOptimizer",
    "twolayer_ext.losses.kinds.Quantile",
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (OURS, Y),
        (clone(OURS).set_params(solver="lbfgs"), Y),
        (tl.MLPRegressor(tl.losses.Quantile((0.9,)), **SETTINGS), X[:, 0]),
    ],
    ids=["adam", "lbfgs", "quantile"],
)
def test_skops_files(estimator, y):
    skops = pytest.importorskip("skops.io", reason="skops is not installed: pip install skops")
    estimator = clone(estimator).fit(X, y)
    data = skops.dumps(estimator)
    unknown = skops.get_untrusted_types(data=data)
    assert set(unknown) <= TRUSTED
    loaded = skops.loads(data, trusted=unknown)
    assert (loaded.predict(X) == estimator.predict(X)).all()
    if estimator.solver == "lbfgs":
        return
    for each in (loaded, estimator):
        each.partial_fit(X, y)
    assert (loaded.coefs_[0] == estimator.coefs_[0]).all()
