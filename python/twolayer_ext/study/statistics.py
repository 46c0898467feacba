"""How far accuracies can be trusted: standard errors, and of differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TWO_ERRORS = 2.0


def binomial_error(accuracy: float, images: int) -> float:
    """Return the standard error sqrt(p (1 - p) / n) of an accuracy measured on n images."""
    return math.sqrt(accuracy * (1 - accuracy) / images)


def spread(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample of seeds; nan for one seed."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class Comparison:
    """Runs with several seeds against one run of somebody else, on the same images.

    Attributes
    ----------
    ours : tuple of float
        Accuracies, one a seed.
    theirs : float
        One accuracy.
    images : int
        On which all of them were measured.
    """

    ours: tuple[float, ...]
    theirs: float
    images: int

    @property
    def mean(self) -> float:
        """Of ours."""
        return float(np.mean(self.ours))

    @property
    def difference(self) -> float:
        """Our mean minus theirs."""
        return self.mean - self.theirs

    @property
    def seeds_error(self) -> float:
        """Standard error of the difference by the choice of seeds alone, s sqrt(1/k + 1).

        s is the spread of our k seeds; the one run on the other side varies as any of ours does.
        """
        return spread(self.ours) * math.sqrt(1 / len(self.ours) + 1)

    @property
    def images_error(self) -> float:
        """Standard error of the difference by the choice of images, were it made for each side."""
        sides = self.mean, self.theirs
        return math.hypot(*(binomial_error(side, self.images) for side in sides))

    @property
    def error(self) -> float:
        """Standard error of the difference, by seeds and images.

        Both sides see the same images, so what images do to both alike is counted though it
        cancels: this error is rather too large. `seeds_error` alone is the strict one, as far as
        a few seeds can tell it.
        """
        return math.hypot(self.images_error, self.seeds_error)

    @property
    def within(self) -> bool:
        """Whether the difference is less than two standard errors."""
        return abs(self.difference) < TWO_ERRORS * self.error


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{100 * self.value:+.1f} ± {100 * self.error:.1f}".replace("-", "−")

    @property
    def clear(self) -> bool:
        """Whether it is more than two standard errors away from zero."""
        return abs(self.value) > TWO_ERRORS * self.error


def paired_difference(a: Sequence[NDArray[np.bool_]], b: Sequence[NDArray[np.bool_]]) -> Estimate:
    """Mean accuracy of nets `a` minus that of nets `b`, each given as what it got right.

    All have seen the same images (n,), so the images' part of the error comes from the
    differences image by image; the seeds' part from the spread of each side.
    """
    difference = np.mean(a, axis=0) - np.mean(b, axis=0)
    by_images = float(np.std(difference, ddof=1)) / math.sqrt(len(difference))
    by_seeds = [
        spread([float(right.mean()) for right in side]) / math.sqrt(len(side))
        for side in (a, b)
        if len(side) > 1
    ]
    return Estimate(float(difference.mean()), math.hypot(by_images, *by_seeds))


def mean_of(values: Sequence[float]) -> Estimate:
    """Mean of independent values and its standard error."""
    error = spread(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(np.mean(values)), error)
