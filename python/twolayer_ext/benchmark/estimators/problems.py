"""What both estimators are fitted to: the data, and the hyper-parameters that both are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from twolayer_ext import datasets
from twolayer_ext.benchmark.cases import CASES, normalised
from twolayer_ext.network import normalization

_TEST_SHARE = 0.2
_TRAINING_IMAGES = 49_000  # the study's
_WORDS, _TEXTS, _TOPICS = 20_000, 5_000, 4


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test with; arrays, or CSR matrices of x."""

    x: Any
    y: Any
    test_x: Any
    test_y: Any


Splits = Callable[[int], Split]  # of a seed


@dataclass(frozen=True)
class Problem:
    """Data and hyper-parameters.

    Attributes
    ----------
    name : str
        For the command line.
    title : str
        Where the data come from.
    kind : {"MLPClassifier", "MLPRegressor"}
    load : function
        (path of CIFAR-10 or None, rows to use at most or None) to the splits.
    settings : dict
        Hyper-parameters that are not scikit-learn's defaults.
    tolerance : float
        Largest relative deviation of the loss of one of the first epochs from scikit-learn's.
    needs_images : bool
        Whether `load` needs CIFAR-10.
    """

    name: str
    title: str
    kind: Literal["MLPClassifier", "MLPRegressor"]
    load: Callable[[str | None, int | None], Splits]
    settings: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-6
    needs_images: bool = False


def drawn_splits(x: Any, y: Any, limit: int | None, *, numbers: bool = False) -> Splits:
    """Return splits that draw a fifth of the rows to test with.

    Columns of dense x, and targets that are numbers, are standardised by the other rows.
    """
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).permutation(len(y))[:limit]
    x, y = x[rows], y[rows]

    def split(seed: int) -> Split:
        train_x, test_x, train_y, test_y = train_test_split(
            x, y, test_size=_TEST_SHARE, random_state=seed
        )
        if isinstance(x, np.ndarray):
            scaler = StandardScaler().fit(train_x)
            train_x, test_x = scaler.transform(train_x), scaler.transform(test_x)
        if numbers:
            mean, deviation = train_y.mean(), train_y.std()
            train_y, test_y = (train_y - mean) / deviation, (test_y - mean) / deviation
        return Split(train_x, train_y, test_x, test_y)

    return split


def _shipped(name: str) -> Callable[[str | None, int | None], Splits]:
    """Return the loader of one of scikit-learn's own data sets."""

    def load(path: str | None, limit: int | None) -> Splits:
        data = datasets.load_sklearn(name)
        return drawn_splits(data.x, data.y, limit, numbers=name == "diabetes")

    return load


def _classification(path: str | None, limit: int | None) -> Splits:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        20_000, 30, n_informative=12, n_redundant=6, n_classes=5, flip_y=0.05, random_state=0
    )
    return drawn_splits(x, y, limit)


def _regression(path: str | None, limit: int | None) -> Splits:
    from sklearn.datasets import make_regression

    x, y = make_regression(20_000, 30, n_informative=20, noise=50, random_state=0)
    return drawn_splits(x, y, limit, numbers=True)


def _multilabel(path: str | None, limit: int | None) -> Splits:
    from sklearn.datasets import make_multilabel_classification

    x, y = make_multilabel_classification(4_000, 40, n_classes=8, n_labels=3, random_state=0)
    return drawn_splits(x, y, limit)


def _text(path: str | None, limit: int | None) -> Splits:
    return drawn_splits(*make_texts(), limit)


def make_texts() -> tuple[Any, Any]:
    """Make rows like those of a tf-idf matrix: x CSR (5000, 20000), y (5000,) of 4 topics.

    Each row has 50 words drawn by Zipf's law, one in ten of them from its topic's own order of
    words: about 40 values, 0.2% of the columns. Values are 1 + log(count), rows of length 1.
    """
    from scipy.sparse import csr_array
    from sklearn.preprocessing import normalize

    rng = np.random.default_rng(0)
    frequencies = 1 / (np.arange(_WORDS) + 10)
    ranks = rng.choice(_WORDS, (_TEXTS, 50), p=frequencies / frequencies.sum())
    orders = np.array([rng.permutation(_WORDS) for _ in range(_TOPICS)])
    y = rng.integers(0, _TOPICS, _TEXTS)
    words = np.where(rng.random(ranks.shape) < 0.1, orders[y[:, np.newaxis], ranks], ranks)
    rows = np.repeat(np.arange(_TEXTS), ranks.shape[1])
    x = csr_array((np.ones(words.size), (rows, words.ravel())), shape=(_TEXTS, _WORDS))
    x.sum_duplicates()
    x.data = 1 + np.log(x.data)
    return normalize(x, copy=False), y


def _cifar10(path: str | None, limit: int | None) -> Splits:
    assert path is not None
    train, test = datasets.load_cifar10(path)
    x, y = train.x[:_TRAINING_IMAGES][:limit], train.y[:_TRAINING_IMAGES][:limit]
    shift, scale = normalization.from_data("standard", x, None, "float32")
    whole = Split(
        normalised(x, shift, scale),
        y,
        normalised(test.x[:limit], shift, scale),
        test.y[:limit],
    )
    return lambda seed: whole  # the published test images, whatever the seed


_FIRST = CASES[0]
PROBLEMS = (
    Problem("digits", "handwritten digits", "MLPClassifier", _shipped("digits")),
    Problem("iris", "iris", "MLPClassifier", _shipped("iris")),
    Problem("wine", "wine", "MLPClassifier", _shipped("wine")),
    Problem("breast_cancer", "breast cancer", "MLPClassifier", _shipped("breast_cancer")),
    Problem("diabetes", "diabetes", "MLPRegressor", _shipped("diabetes")),
    Problem(
        "classification", "made-up classes", "MLPClassifier", _classification, {"max_iter": 20}
    ),
    Problem("regression", "made-up numbers", "MLPRegressor", _regression, {"max_iter": 50}),
    Problem("multilabel", "made-up label sets", "MLPClassifier", _multilabel, {"max_iter": 100}),
    Problem("text", "made-up texts, CSR", "MLPClassifier", _text, {"max_iter": 5}),
    Problem(
        "cifar10",
        "CIFAR-10, float32, SGD",
        "MLPClassifier",
        _cifar10,
        {
            "hidden_layer_sizes": _FIRST.layer_sizes[1:-1],
            "solver": _FIRST.optimizer,
            "momentum": 0.0,
            "batch_size": _FIRST.batch_size,
            "learning_rate_init": _FIRST.learning_rate,
            "max_iter": 2,
        },
        tolerance=1e-3,
        needs_images=True,
    ),
)


def problems_named(names: Sequence[str]) -> list[Problem]:
    """Return the problems of these names, all of them for none, in the usual order."""
    known = [problem.name for problem in PROBLEMS]
    for name in names:
        if name not in known:
            raise ValueError(f"estimators: {name!r}; must be of {', '.join(known)}")
    return [problem for problem in PROBLEMS if not names or problem.name in names]
