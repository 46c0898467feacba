"""Several nets from different seeds, trained side by side, whose predictions are averaged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.utils import check_random_state

from twolayer_ext.estimators.reports import Watch, fit_begins
from twolayer_ext.sweeping.side_by_side import Task, run_side_by_side
from twolayer_ext.training.progress import RunsProgress

# What a member has of its own.
_OWN = ("random_state", "ensemble")


def fit(
    estimator: Any, X: Any, y: ArrayLike, *, first: bool, incremental: bool, **given: Any
) -> None:
    """Fit `estimators_`, each as it would be alone, whatever the number of threads.

    X is checked already; `given` are the further arguments of `_fit`.
    """
    if first or len(estimator.estimators_) != estimator.ensemble:
        estimator.estimators_ = _members(estimator)
    nets, threads, config = estimator.estimators_, estimator._threads(), get_config()

    def train(net: Any) -> Callable[[Watch], None]:
        def run(watch: Watch) -> None:
            with config_context(**config):  # which is each thread's own
                net._fit(X, y, incremental=incremental, watch=watch, **given)

        return run

    lock = threading.Lock()
    context = fit_begins(estimator, 0, X=X, y=y)
    try:
        for net in nets:
            _follow(estimator, net)
            net.n_threads, net.progress = max(1, threads // len(nets)), False
            if estimator.callbacks is not None:
                net.callbacks = [_one_at_a_time(lock, called) for called in estimator.callbacks]
        with RunsProgress(estimator.progress, "net ", len(nets)) as progress:
            run_side_by_side(
                [Task(train(net)) for net in nets],
                workers=min(threads, len(nets)),
                watch=lambda done, share: progress.update(done, share, "trained"),
            )
    finally:
        for net in nets:
            _follow(estimator, net)
    estimator.n_iter_ = max(net.n_iter_ for net in nets)
    estimator.loss_ = float(np.mean([net.loss_ for net in nets]))
    if context is not None:
        # A copy of the estimator, as it is, is the fitted one.
        attributes = {"n_layers_": nets[0].n_layers_, "out_activation_": nets[0].out_activation_}
        context.call_on_fit_task_end(
            estimator=estimator, X=X, y=y, reconstruction_attributes=attributes
        )


def _members(estimator: Any) -> list[Any]:
    """Return unfitted ones, whose seeds are drawn as scikit-learn's ensembles draw them."""
    random = check_random_state(estimator.random_state)
    seeds = random.randint(np.iinfo(np.int32).max, size=estimator.ensemble)
    nets = [clone(estimator).set_params(ensemble=1, random_state=int(seed)) for seed in seeds]
    for net in nets:
        net.__dict__.pop("_skl_callbacks", None)  # they are told of the ensemble
        for name in ("classes_", "_label_binarizer"):  # the first rows need not show all classes
            if name in estimator.__dict__:
                setattr(net, name, estimator.__dict__[name])
    return nets


def _follow(estimator: Any, net: Any) -> None:
    """Let a member have the ensemble's parameters, as they are now."""
    for name, value in estimator.get_params(deep=False).items():
        if name not in _OWN:
            setattr(net, name, value)


def _one_at_a_time(lock: threading.Lock, callback: Any) -> Any:
    if not callable(callback):
        return callback  # a member's fit says what is wrong with it

    def called(event: Any) -> Any:
        with lock:
            return callback(event)

    return called
