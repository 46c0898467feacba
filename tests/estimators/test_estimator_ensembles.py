"""Ensembles: the mean of nets that are what each would be alone."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_digits, make_multilabel_classification, make_regression

import twolayer_ext as tl

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
X, Y = X[:300], Y[:300]
NUMBERS = make_regression(200, 6, random_state=0)
CASES = {
    "classes": (tl.MLPClassifier(), (X, Y)),
    "two": (tl.MLPClassifier(solver="sgd"), (X, Y % 2)),
    "labels": (tl.MLPClassifier(dropout=0.2), make_multilabel_classification(200, random_state=0)),
    "numbers": (tl.MLPRegressor(normalize="standard", early_stopping=True), NUMBERS),
    "lbfgs": (tl.MLPRegressor("huber", solver="lbfgs", dtype="float32"), NUMBERS),
}


def outputs(estimator, x):
    """What is averaged; of two classes the probability of the second."""
    if isinstance(estimator, tl.MLPRegressor):
        return estimator.predict(x)
    probabilities = estimator.predict_proba(x)
    return probabilities[:, -1] if probabilities.shape[1] == 2 else probabilities


@pytest.mark.parametrize("case", CASES)
def test_an_ensemble_is_the_mean_of_nets_trained_alone(case):
    single, (x, y) = CASES[case]
    single = clone(single).set_params(max_iter=4, random_state=3)
    fits = [clone(single).set_params(ensemble=3, n_threads=n).fit(x, y) for n in (1, 2, 5)]
    seeds = np.random.RandomState(3).randint(np.iinfo(np.int32).max, size=3)
    alone = [clone(single).set_params(random_state=int(seed)).fit(x, y) for seed in seeds]
    expected = np.mean([outputs(net, x) for net in alone], axis=0)
    for ensemble in fits:
        assert (outputs(ensemble, x) == expected).all()
        for row in (x[:1], x[-1:]):
            assert (
                outputs(ensemble, row) == outputs(pickle.loads(pickle.dumps(ensemble)), row)
            ).all()
        assert [net.random_state for net in ensemble.estimators_] == list(seeds)
        assert {net.n_threads for net in ensemble.estimators_} == {ensemble.n_threads}
        assert ensemble.loss_ == np.mean([net.loss_ for net in alone])
        assert not hasattr(ensemble, "coefs_")
    assert fits[0].score(x, y) == fits[1].score(x, y)


def test_ensembles_go_on():
    x, y = X, Y
    first = tl.MLPClassifier(ensemble=2, random_state=0)
    first.partial_fit(x[:5], y[:5], classes=np.arange(10)).partial_fit(x, y)
    seeds = [net.random_state for net in first.estimators_]
    alone = [tl.MLPClassifier(random_state=seed) for seed in seeds]
    for net in alone:
        net.partial_fit(x[:5], y[:5], classes=np.arange(10)).partial_fit(x, y)
    expected = np.mean([net.predict_proba(x) for net in alone], axis=0)
    assert (first.predict_proba(x) == expected).all()
    warm = tl.MLPClassifier(ensemble=2, random_state=0, max_iter=2, warm_start=True).fit(x, y)
    before = warm.loss_
    assert warm.fit(x, y).loss_ < before
    assert [net.t_ for net in warm.estimators_] == [4 * len(x)] * 2
    one = warm.set_params(ensemble=1).fit(x, y)
    assert not hasattr(one, "estimators_")
    assert one.coefs_[0].shape == (64, 100)
    assert not hasattr(one.set_params(ensemble=3).fit(x, y), "coefs_")


def test_names_of_columns_are_the_ensembles():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    ensemble = tl.MLPClassifier(ensemble=2, max_iter=1, random_state=0).fit(frame, Y)
    assert (ensemble.predict(frame) == ensemble.predict_proba(frame).argmax(axis=1)).all()
    with pytest.raises(ValueError, match="feature names"):
        ensemble.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="NaN"):
        ensemble.predict(frame * np.nan)


def test_an_error_of_a_member_is_the_ensembles():
    with pytest.raises(ValueError, match="batch_norm: True with batches of one row"):
        tl.MLPClassifier(ensemble=2, batch_norm=True, batch_size=1).fit(X, Y)


def test_callbacks_are_told_of_all_nets_one_at_a_time():
    events = []
    ensemble = tl.MLPClassifier(ensemble=3, max_iter=5, n_threads=3, random_state=0)
    ensemble.set_params(callbacks=[lambda event: events.append(event.epoch) or event.epoch == 2])
    ensemble.fit(X, Y, validation_data=(X[:20], Y[:20]))
    assert sorted(events) == [1, 1, 1, 2, 2, 2]
    assert [len(net.validation_scores_) for net in ensemble.estimators_] == [2, 2, 2]
    assert all(net.callbacks is ensemble.callbacks for net in ensemble.estimators_)
