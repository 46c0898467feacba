"""Mean and standard deviation of targets, read in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.losses.loss import Vector

_VALUES_AT_ONCE = 2**18


def mean_and_deviation(targets: Array, weights: Vector | None = None) -> tuple[Vector, Vector]:
    """Return mean and standard deviation of each column, both float64 (columns,).

    A constant column has a deviation of exactly 0, and no finite targets overflow on the way.

    Parameters
    ----------
    targets : ndarray of uint8, float32 or float64, shape (M, columns)
    weights : ndarray of float64, shape (M,), optional
        At least one above 0. Default: all 1. The deviation is the root of the mean square, over M.
    """
    count, columns = targets.shape
    first = 0 if weights is None else int((weights > 0).argmax())
    largest = max(abs(float(targets.min())), abs(float(targets.max())))
    exponent = int(np.frexp(largest)[1])
    origin = np.ldexp(targets[first].astype(np.float64), -exponent)
    # Only ratios of weights matter; their sum must not overflow.
    relative = np.ones(count) if weights is None else weights / weights.max()
    rows = max(1, _VALUES_AT_ONCE // columns)

    def blocks() -> Iterator[tuple[Vector, Vector]]:
        for start in range(0, count, rows):
            part = targets[start : start + rows].astype(np.float64)
            # Scaled by a power of two, and from the first row on.
            yield np.ldexp(part, -exponent) - origin, relative[start : start + rows, np.newaxis]

    total = relative.sum()
    mean = np.zeros(columns)
    for values, share in blocks():
        mean += (share * values).sum(axis=0)
    mean /= total
    square = np.zeros(columns)
    for values, share in blocks():
        square += (share * (values - mean) ** 2).sum(axis=0)
    deviation = np.sqrt(square / total)
    return np.ldexp(origin + mean, exponent), np.ldexp(deviation, exponent)
