"""Scores of two estimators on the same splits: whether they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
# What rounding alone does to an R². An accuracy moves by whole test rows, which is far more.
ROUNDING = 1e-6


@dataclass(frozen=True)
class PairedDifference:
    """Mean of the differences, and half the width of its 95% interval (Student's t, n - 1)."""

    mean: float
    half_width: float

    @property
    def within_noise(self) -> bool:
        """Whether the interval holds zero, or the difference is no more than rounding."""
        return abs(self.mean) <= max(self.half_width, ROUNDING)


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> PairedDifference:
    """Return the difference of two sides' scores, n >= 2 each, number i of the same split."""
    from scipy.stats import t

    differences = np.subtract(ours, theirs)
    count = len(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return PairedDifference(float(differences.mean()), quantile * error)
