"""What a fit tells while it runs: validation, callbacks, progress; and Ctrl-C."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.metrics import log_loss, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import twolayer_ext as tl

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
X, Y, X_NEW, Y_NEW = X[:300], Y[:300], X[300:400], Y[300:400]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_validation_data_are_judged_and_change_nothing(solver):
    plain = tl.MLPClassifier(solver=solver, max_iter=6, random_state=0)
    watched = clone(plain).fit(X, Y, validation_data=(X_NEW, Y_NEW))
    plain.fit(X, Y)
    for a, b in zip(plain.coefs_, watched.coefs_, strict=True):
        assert (a == b).all()
    assert len(watched.validation_loss_curve_) == len(watched.validation_scores_) == 6
    assert watched.validation_scores_[-1] == watched.score(X_NEW, Y_NEW)
    assert watched.best_validation_score_ == max(watched.validation_scores_)
    expected = log_loss(Y_NEW, watched.predict_proba(X_NEW), labels=range(10))
    assert watched.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-9)


def test_early_stopping_takes_validation_data_in_place_of_a_split():
    estimator = tl.MLPClassifier(early_stopping=True, n_iter_no_change=2, random_state=0)
    estimator.fit(X, Y, validation_data=(X_NEW, Y_NEW))
    assert estimator.t_ == estimator.n_iter_ * len(X)
    assert estimator.score(X_NEW, Y_NEW) == estimator.best_validation_score_
    split = clone(estimator).fit(X, Y)
    assert len(split.validation_loss_curve_) == split.n_iter_
    assert split.t_ == split.n_iter_ * 270


def test_validation_data_are_routed_through_pipelines():
    with config_context(enable_metadata_routing=True):
        estimator = tl.MLPClassifier(max_iter=2).set_fit_request(validation_data=True)
        pipeline = make_pipeline(FunctionTransformer(), estimator)
        pipeline.fit(X, Y, validation_data=(X_NEW, Y_NEW))
    assert len(pipeline[-1].validation_loss_curve_) == 2


def test_validation_of_numbers():
    x, y = make_regression(200, 5, n_targets=2, random_state=0)
    counts = np.random.RandomState(0).poisson(2, (200, 2))
    for loss, values in (("squared_error", y), ("poisson", counts), ("quantile", y)):
        estimator = tl.MLPRegressor(loss, max_iter=3, random_state=0, alpha=0)
        estimator.fit(x, values, validation_data=(x[:50], values[:50]))
        assert len(estimator.validation_loss_curve_) == 3
        at_the_end = clone(estimator).set_params(learning_rate_init=1e-300, max_iter=1)
        at_the_end.fit(x[:50], values[:50], validation_data=(x[:50], values[:50]))
        assert at_the_end.validation_loss_curve_[0] == pytest.approx(at_the_end.loss_, rel=1e-9)
        if loss != "quantile":
            score = r2_score(values[:50], estimator.predict(x[:50]))
            assert estimator.validation_scores_[-1] == pytest.approx(score)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (X_NEW, TypeError, "must be a pair"),
        ((X_NEW[:, :5], Y_NEW), ValueError, "features"),
        ((X_NEW, Y_NEW + 5), ValueError, "validation_data: y has classes"),
        ((X_NEW, Y_NEW[:5]), ValueError, "inconsistent"),
    ],
)
def test_validation_data_are_checked(data, error, message):
    with pytest.raises(error, match=message):
        tl.MLPClassifier().fit(X, Y, validation_data=data)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_see_each_epoch_and_may_end_the_fit(solver):
    events = []

    def stop_at_four(event):
        network = event.network
        events.append((event.epoch, event.history["loss"][-1], network.evaluate(X_NEW, Y_NEW)[1]))
        return event.epoch == 4

    estimator = tl.MLPClassifier(solver=solver, max_iter=30, random_state=0, normalize="center")
    estimator.set_params(callbacks=(stop_at_four,)).fit(X, Y, validation_data=(X_NEW, Y_NEW))
    assert [event[0] for event in events] == [1, 2, 3, 4]
    assert estimator.n_iter_ == 4
    assert [event[2] for event in events] == pytest.approx(estimator.validation_scores_)
    assert events[-1][1] == estimator.loss_
    with pytest.raises(TypeError, match="callbacks: holds 3"):
        estimator.set_params(callbacks=[3]).fit(X, Y)


def test_scikit_learns_callbacks():
    callback = pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")
    for settings in ({"solver": "adam"}, {"solver": "lbfgs"}, {"ensemble": 2}):
        monitor = callback.ScoringMonitor(scoring="accuracy")
        estimator = tl.MLPClassifier(max_iter=3, random_state=0, **settings)
        estimator.set_callbacks(monitor).fit(X, Y)
        logged = [row["accuracy"] for row in monitor.get_logs().data]
        assert logged[-1 if "solver" in settings else 0] == estimator.score(X, Y)
        assert len(logged) == (4 if "solver" in settings else 1)


class EndsAfter:
    """A callback in scikit-learn's protocol."""

    def __init__(self, epochs):
        self.epochs = epochs
        self.log = []

    def setup(self, estimator, context):
        self.log.append("setup")

    def teardown(self, estimator, context):
        self.log.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.log.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.log.append(("end", context.task_name))
        return self.log.count(("end", "epoch")) == self.epochs


def test_scikit_learns_callbacks_may_end_the_fit():
    pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")
    ends = EndsAfter(2)
    estimator = tl.MLPClassifier(max_iter=9).set_callbacks(ends).fit(X, Y)
    assert estimator.n_iter_ == 2
    epoch = [("begin", "epoch"), ("end", "epoch")]
    assert ends.log == ["setup", ("begin", "fit"), *epoch, *epoch, ("end", "fit"), "teardown"]


def test_progress_is_shown_and_changes_nothing(capsys):
    plain = tl.MLPClassifier(max_iter=3, random_state=0).fit(X, Y)
    assert capsys.readouterr().err == ""
    for settings in ({}, {"ensemble": 2}, {"solver": "lbfgs"}):
        shown = clone(plain).set_params(progress=True, **settings).fit(X, Y)
        assert "left" in capsys.readouterr().err
        if not settings:
            assert shown.loss_curve_ == plain.loss_curve_


def test_an_interrupted_lbfgs_keeps_what_it_tried_last():
    def interrupt(event):
        kept.append(event.network.parameters)
        if event.epoch == 3:
            raise KeyboardInterrupt

    kept = []
    estimator = tl.MLPClassifier(solver="lbfgs", callbacks=[interrupt], random_state=0)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, Y)
    for (weights, bias), a, b in zip(
        kept[-1], estimator.coefs_, estimator.intercepts_, strict=True
    ):
        assert (weights == a).all()
        assert (bias == b).all()
    assert estimator.predict(X).shape == Y.shape
