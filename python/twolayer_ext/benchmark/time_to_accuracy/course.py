"""The course of a run: the data it sees, and the clock that stops while accuracy is measured."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import datasets
from twolayer_ext.checks import Array
from twolayer_ext.datasets import Dataset
from twolayer_ext.datasets.split import Split
from twolayer_ext.network import normalization

# The study validates on 1000 images, where 51.4% has a standard error of 1.6 points: the first
# of several looks would often be beyond a goal by luck. On 5000 it is 0.7.
_TRAINING_IMAGES = 45_000

Predict = Callable[[Array], Array]


@dataclass(frozen=True)
class Standardised(Split):
    """The same data for everyone; nets read (x - shift) / scale."""

    shift: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, split: Split) -> Standardised:
        """Standardise by the training rows."""
        moments = normalization.from_data("standard", split.training.x, None, "float32")
        return cls(split.training, split.validation, split.test, *moments)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """What a row is: (C, H, W)."""
        assert self.training.image_shape is not None
        channels, height, width = self.training.image_shape
        return channels, height, width


def load_split(path: str | None, limit: int | None = None) -> Standardised:
    """Return CIFAR-10 from `path` or TWOLAYER_CIFAR10; at most `limit` rows to train on.

    Raises
    ------
    ValueError
        Neither is given. Accuracy on made-up images would say nothing.
    """
    path = path or os.environ.get("TWOLAYER_CIFAR10")
    if path is None:
        raise ValueError(
            "--data: not given, nor TWOLAYER_CIFAR10 in the environment; --time-to-accuracy must "
            "have CIFAR-10, its folder or .tar.gz"
        )
    train, test = datasets.load_cifar10(path)
    split = Split.at(train, test, _TRAINING_IMAGES)
    return Standardised.of(replace(split, training=split.training.part(0, limit)))


def accuracy(part: Dataset, predict: Predict) -> float:
    """Return the share of rows whose class `predict` tells from the raw rows."""
    return float((predict(part.x) == part.y).mean())


@dataclass
class Course:
    """What one run does, epoch by epoch. Its clock starts when it is made.

    Attributes
    ----------
    split : Standardised
    goal : float
        The validation accuracy that ends the run.
    limit : float
        Seconds of training after which the run ends anyhow, at the end of an epoch.
    seconds : list of float
        Of training alone, from the start to the end of each epoch.
    accuracies : list of float
        On the validation images, after each epoch.
    test_accuracy : float or None
        Of the net that reached the goal: far below the goal if luck had a part in it.
    """

    split: Standardised = field(repr=False)
    goal: float
    limit: float = math.inf
    seconds: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    test_accuracy: float | None = None
    _started: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def reached(self) -> bool:
        """Whether the last epoch reached the goal."""
        return bool(self.accuracies) and self.accuracies[-1] >= self.goal

    @property
    def seconds_to_goal(self) -> float:
        """Return them; infinity for a run that did not reach it."""
        return self.seconds[-1] if self.reached else math.inf

    def epoch_done(self, predict: Predict) -> bool:
        """Stop the clock, look at the accuracy, start the clock; tell whether to stop training."""
        elapsed = time.perf_counter() - self._started
        self.seconds.append(elapsed + (self.seconds[-1] if self.seconds else 0.0))
        self.accuracies.append(accuracy(self.split.validation, predict))
        if self.reached:
            self.test_accuracy = accuracy(self.split.test, predict)
        self._started = time.perf_counter()
        return self.reached or self.seconds[-1] >= self.limit
