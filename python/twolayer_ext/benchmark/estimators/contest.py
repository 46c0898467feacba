"""Both estimators on one problem: fitted in turn, compared, and timed."""

from __future__ import annotations

import copy
import os
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import twolayer_ext as tl
from twolayer_ext.benchmark.contenders import limited_blas
from twolayer_ext.benchmark.estimators.paired import PairedDifference, paired_difference
from twolayer_ext.benchmark.estimators.problems import Problem, Split, Splits
from twolayer_ext.benchmark.run import UnfitError

NO_IMAGES = "no images; --data or TWOLAYER_CIFAR10 must tell where CIFAR-10 is"
CHECKED_EPOCHS = 20  # rounding errors grow with training, so later ones may part
_WARM_UP = 1000  # rows
# With the same weights: of classes nearly as probable as one another rounding may choose either.
_EQUAL_ROWS = 0.999


@dataclass(frozen=True)
class Settings:
    """How thoroughly to compare.

    Attributes
    ----------
    seeds : int
        Each draws a split, initial weights and orders of rows; both sides fit once a seed. At
        least 2.
    threads : int or None
        Of both sides; None leaves each its own default.
    shortest : float
        Seconds that predictions are repeated for, once a seed.
    limit, max_iter : int or None
        Rows of data and epochs at most.
    """

    seeds: int = 5
    threads: int | None = None
    shortest: float = 0.03
    limit: int | None = None
    max_iter: int | None = None


@dataclass(frozen=True)
class Side:
    """One estimator's figures, one a seed: seconds of a fit and of a call of predict."""

    scores: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    fit: list[float] = field(default_factory=list)
    predict: list[float] = field(default_factory=list)
    one_row: list[float] = field(default_factory=list)

    def median(self, what: str) -> float:
        """Return the median seconds of "fit", "predict" or "one_row"."""
        return float(statistics.median(getattr(self, what)))


@dataclass(frozen=True)
class Result:
    """All about one problem.

    Attributes
    ----------
    problem : Problem
    shape : tuple of int
        Of the rows to train on.
    test_rows : int
    ours, theirs, one_thread : Side
        This package; scikit-learn; scikit-learn with its BLAS bound to one thread, which is often
        faster where products are small.
    deviation : float
        Of a loss from scikit-learn's at most, relative to it.
    """

    problem: Problem
    shape: tuple[int, int]
    test_rows: int
    ours: Side
    theirs: Side
    one_thread: Side
    deviation: float

    @property
    def difference(self) -> PairedDifference:
        """Our score minus scikit-learn's."""
        return paired_difference(self.ours.scores, self.theirs.scores)

    def ratio(self, what: str, *peers: Side) -> float:
        """Return how many times as fast ours is, of medians: "fit", "predict" or "one_row".

        Compared with the faster of `peers`, by default of both of scikit-learn's.
        """
        peers = peers or (self.theirs, self.one_thread)
        fastest = min(peer.median(what) for peer in peers)
        return fastest / self.ours.median(what)


def contests(
    problems: Sequence[Problem],
    settings: Settings,
    *,
    data: str | None = None,
    say: Callable[[str], None] = print,
    done: Callable[[Result], None] = lambda result: None,
) -> tuple[list[Result], dict[str, str]]:
    """Compare on all problems.

    Parameters
    ----------
    problems : sequence of Problem
    settings : Settings
    data : str, optional
        Where CIFAR-10 is; else TWOLAYER_CIFAR10 from the environment, else it is left out.
    say : function
        Told what is going on, a line at a time.
    done : function
        Given each result as soon as it is there.

    Returns
    -------
    results : list of Result
    left_out : dict
        Names of the other problems to the reason.
    """
    data = data or os.environ.get("TWOLAYER_CIFAR10")
    results: list[Result] = []
    left_out: dict[str, str] = {}
    for problem in problems:
        if problem.needs_images and data is None:
            left_out[problem.name] = NO_IMAGES
            continue
        say(f"{problem.name} ...")
        try:
            result = contest(problem, problem.load(data, settings.limit), settings)
        except UnfitError as error:
            left_out[problem.name] = str(error)
            continue
        results.append(result)
        done(result)
    return results, left_out


def contest(problem: Problem, splits: Splits, settings: Settings) -> Result:
    """Fit, check and time both on every seed; raise UnfitError if they compute different things."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _contest(problem, splits, settings)


@dataclass(frozen=True)
class _Entry:
    """An estimator that takes part, and the threads that its BLAS may use."""

    side: Side
    blas_threads: int | None
    estimator: Any

    def fit(self, split: Split) -> None:
        with limited_blas(self.blas_threads):
            self.side.fit.append(_seconds(lambda: self.estimator.fit(split.x, split.y)))

    def predict(self, split: Split, shortest: float) -> None:
        predict, row = self.estimator.predict, split.test_x[:1].copy()
        with limited_blas(self.blas_threads):
            self.side.scores.append(float(self.estimator.score(split.test_x, split.test_y)))
            self.side.predict.append(_seconds_a_call(lambda: predict(split.test_x), shortest))
            self.side.one_row.append(_seconds_a_call(lambda: predict(row), shortest))
        self.side.epochs.append(int(self.estimator.n_iter_))


def _contest(problem: Problem, splits: Splits, settings: Settings) -> Result:
    sides = Side(), Side(), Side()
    split = splits(0)
    for entry in _entries(problem, settings, 0, sides):  # warm-up
        entry.estimator.set_params(max_iter=1).fit(split.x[:_WARM_UP], split.y[:_WARM_UP])
    deviation = 0.0
    for seed in range(settings.seeds):
        split = splits(seed)
        entries = _entries(problem, settings, seed, sides)
        first = seed % len(entries)  # each finds the machine as another one has left it
        turns = entries[first:] + entries[:first]
        for entry in turns:
            entry.fit(split)
        ours, theirs, _ = (entry.estimator for entry in entries)
        deviation = max(deviation, _compare(problem, ours, theirs, split))
        for entry in turns:
            entry.predict(split, settings.shortest)
    return Result(problem, split.x.shape, len(split.test_y), *sides, deviation)


def _entries(
    problem: Problem, settings: Settings, seed: int, sides: tuple[Side, Side, Side]
) -> list[_Entry]:
    """Return our estimator and scikit-learn's, with the same hyper-parameters."""
    from sklearn import neural_network

    parameters = {**problem.settings, "random_state": seed}
    if settings.max_iter is not None:
        parameters["max_iter"] = min(settings.max_iter, parameters.get("max_iter", 200))
    theirs = getattr(neural_network, problem.kind)
    ours = getattr(tl, problem.kind)(**parameters, n_threads=settings.threads)
    return [
        _Entry(sides[0], settings.threads, ours),
        _Entry(sides[1], settings.threads, theirs(**parameters)),
        _Entry(sides[2], 1, theirs(**parameters)),
    ]


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _seconds_a_call(call: Callable[[], object], shortest: float) -> float:
    """Return the mean of as many calls as take `shortest` or more."""
    count = 1
    while True:
        seconds = _seconds(lambda n=count: [call() for _ in range(n)])  # type: ignore[misc]
        if seconds >= shortest:
            return seconds / count
        count *= 2


def _compare(problem: Problem, ours: Any, theirs: Any, split: Split) -> float:
    """Return the largest relative deviation of the first epochs' losses; UnfitError if too large.

    Predictions are compared with the same weights, scikit-learn's.
    """
    curves = [np.array(e.loss_curve_[:CHECKED_EPOCHS]) for e in (ours, theirs)]
    lengths = [len(curve) for curve in curves]
    if lengths[0] != lengths[1]:
        raise UnfitError(f"wrong: {lengths[0]} epochs where scikit-learn has {lengths[1]}")
    deviation = float(np.max(np.abs(curves[0] - curves[1]) / np.abs(curves[1])))
    if not deviation <= problem.tolerance:
        raise UnfitError(
            f"wrong: a loss of the first {lengths[0]} epochs deviates from scikit-learn's by "
            f"{deviation:.1e}; at most {problem.tolerance:.0e} is allowed"
        )
    same = copy.deepcopy(ours)
    same.coefs_, same.intercepts_ = theirs.coefs_, theirs.intercepts_
    predicted, expected = same.predict(split.test_x), theirs.predict(split.test_x)
    if problem.kind == "MLPRegressor":
        agree = bool(np.allclose(predicted, expected, atol=problem.tolerance))
    else:
        agree = bool(np.mean(predicted == expected) >= _EQUAL_ROWS)
    if not agree:
        raise UnfitError("wrong: with scikit-learn's weights it predicts something else")
    return deviation


def geometric_mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean of positive numbers."""
    return float(np.exp(np.mean(np.log(ratios))))
