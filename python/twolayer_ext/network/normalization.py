"""The `normalize` argument: from what the user says to (shift, scale), one number a feature.

The data is only read, in blocks of rows: a copy in floats of the whole set never exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.losses import Loss
from twolayer_ext.rows import Rows, Sparse, largest_magnitudes

Vector: TypeAlias = NDArray[np.float64]

NAMES = ("center", "standard", "scale")
# Squares of 0 ... 255 summed over this many rows stay below 2**24, exact in float32.
_UINT8_ROWS = 256
_FLOAT_VALUES = 2**18


def check(normalize: object, *, features: int, dtype: str) -> str | tuple[Vector, Vector]:
    """Return the name, or the pair as vectors; None becomes (zeros, ones).

    Parameters
    ----------
    normalize : None, "center", "standard", "scale" or (shift, scale)
        Numbers or vectors of length D.
    features : int
        D.
    dtype : {"float32", "float64"}
        Every scale must be a normal number there, every shift finite.

    Raises
    ------
    TypeError, ValueError
        Anything else; a scale of zero; a vector of another length.
    """
    if normalize is None:
        return np.zeros(features), np.ones(features)
    if isinstance(normalize, str):
        if normalize in NAMES:
            return str(normalize)
    elif isinstance(normalize, (tuple, list)):
        if len(normalize) == 2:
            shift = _vector("shift", normalize[0], features)
            scale = _vector("scale", normalize[1], features)
            check_vectors(shift, scale, dtype)
            return shift, scale
    else:
        raise TypeError(
            f"normalize: {type(normalize).__name__}; must be None, 'center', 'standard', 'scale' "
            "or a pair (shift, scale)"
        )
    raise ValueError(
        f"normalize: {normalize!r}; must be None, 'center', 'standard', 'scale' or a pair "
        "(shift, scale)"
    )


def check_sparse(normalize: str | tuple[Vector, Vector]) -> None:
    """Raise ValueError if `normalize` would take from zeros, which sparse rows do not store."""
    if normalize == "scale" or (not isinstance(normalize, str) and not normalize[0].any()):
        return
    shown = repr(normalize) if isinstance(normalize, str) else "a pair with a shift"
    raise ValueError(
        f"normalize: {shown} with a sparse matrix, which it would make dense; must be 'scale' "
        "(each column divided by its largest magnitude), None, or (0, scale)"
    )


def check_targets(
    normalize_targets: object, *, loss: Loss, outputs: int, dtype: str
) -> tuple[Vector, Vector]:
    """Return the outputs' (shift, scale) as vectors; None becomes (zeros, ones).

    Raises
    ------
    TypeError, ValueError
        Anything else than None or a pair; a pair for a loss of labels; a scale of zero.
    """
    if normalize_targets is None:
        return np.zeros(outputs), np.ones(outputs)
    if not isinstance(normalize_targets, (tuple, list)) or len(normalize_targets) != 2:
        raise TypeError(
            f"normalize_targets: {checks.shown(normalize_targets)}; must be None or a pair "
            "(shift, scale)"
        )
    if loss.takes not in ("real", "counts"):
        raise ValueError(
            f"normalize_targets: a pair with loss {loss.name!r}; must be None, its targets are "
            "labels"
        )
    shift = _vector("shift", normalize_targets[0], outputs, "normalize_targets")
    scale = _vector("scale", normalize_targets[1], outputs, "normalize_targets")
    check_vectors(shift, scale, dtype, "normalize_targets")
    return shift, scale


def targets_in(
    scaling: tuple[Vector, Vector] | None, outputs: int, dtype: str
) -> tuple[Vector, Vector]:
    """Return the outputs' (shift, scale) from a loss's `output_scaling`, made safe in `dtype`."""
    if scaling is None:
        return np.zeros(outputs), np.ones(outputs)
    shift, scale = scaling
    limits = np.finfo(dtype)
    if not (np.abs(shift) <= float(limits.max)).all() or not (scale <= float(limits.max)).all():
        raise ValueError(f"y: values too large for {dtype}; scale them, or use dtype='float64'")
    return shift, np.where(scale >= float(limits.tiny), scale, 1.0)


def from_data(
    name: str, x: Rows, rows: NDArray[np.int64] | None, dtype: str
) -> tuple[Vector, Vector]:
    """Mean and, for "standard", standard deviation of every feature over the given rows.

    Parameters
    ----------
    name : {"center", "standard", "scale"}
        "scale" takes nothing away and divides by the largest magnitude.
    x : ndarray or Sparse, shape (N, D)
    rows : ndarray of int64 or None
        The training rows; None takes all.
    dtype : {"float32", "float64"}
        A deviation that is zero there (a constant feature) gives the scale 1.

    Returns
    -------
    shift, scale : ndarray of float64, shape (D,)
    """
    if name == "scale":
        largest = largest_magnitudes(x, rows)
        return np.zeros(len(largest)), np.where(largest >= np.finfo(dtype).tiny, largest, 1.0)
    if isinstance(x, Sparse):
        check_sparse(name)
        raise AssertionError("sparse rows are only scaled")
    if x.dtype == np.uint8:
        mean, variance = _moments_uint8(x, rows, with_variance=name == "standard")
    else:
        mean, variance = _moments_float(x, rows)
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        raise ValueError("x: values too large to average; scale them, or pass normalize=None")
    if name == "center":
        return mean, np.ones(x.shape[1])
    deviation = np.sqrt(variance)
    return mean, np.where(deviation >= np.finfo(dtype).tiny, deviation, 1.0)


def _vector(part: str, value: object, features: int, name: str = "normalize") -> Vector:
    try:
        array = np.asarray(cast(ArrayLike, value))
        if array.dtype.kind not in "iuf":
            raise TypeError
        with np.errstate(over="ignore"):  # the check of values that follows says it better
            vector = array.astype(np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name}: its {part} is {checks.shown(value)}; must be a number or a vector"
        ) from None
    if vector.ndim == 0:
        return np.full(features, vector[()])
    if vector.shape != (features,):
        raise ValueError(
            f"{name}: its {part} has shape {vector.shape}; must be a number or ({features},)"
        )
    return vector


def check_vectors(shift: Vector, scale: Vector, dtype: str, name: str = "normalize") -> None:
    """Raise ValueError unless every shift is finite in `dtype`, every scale a normal number."""
    limits = np.finfo(dtype)
    if not (np.abs(shift) <= float(limits.max)).all():
        raise ValueError(f"{name}: its shift is not finite in {dtype}")
    size = np.abs(scale)
    if not ((size >= float(limits.tiny)) & (size <= float(limits.max))).all():
        raise ValueError(f"{name}: its scale is zero or not finite in {dtype}; must be neither")


def _blocks(x: Array, rows: NDArray[np.int64] | None, size: int) -> Iterator[Array]:
    count = len(x) if rows is None else len(rows)
    for start in range(0, count, size):
        yield x[start : start + size] if rows is None else x[rows[start : start + size]]


def _moments_uint8(
    x: Array, rows: NDArray[np.int64] | None, *, with_variance: bool
) -> tuple[Vector, Vector]:
    """Exact: all sums are integers, and the one division is the last operation."""
    count = len(x) if rows is None else len(rows)
    total = np.zeros(x.shape[1])
    squares = np.zeros(x.shape[1])
    for block in _blocks(x, rows, _UINT8_ROWS):
        values = block.astype(np.float32)
        total += values.sum(axis=0)
        if with_variance:
            squares += np.einsum("nd,nd->d", values, values)
    sums = [int(s) for s in total]
    variance = np.zeros(x.shape[1])
    if with_variance:
        exact = zip(sums, map(int, squares), strict=True)
        variance = np.array([(count * q - s * s) / (count * count) for s, q in exact])
    return np.array([s / count for s in sums]), variance


def _moments_float(x: Array, rows: NDArray[np.int64] | None) -> tuple[Vector, Vector]:
    """Blocks merged by the update of Chan, Golub and LeVeque (1979).

    The first row is subtracted from all: then a constant feature has a variance of exactly 0,
    and a large offset costs no digits.
    """
    origin = x[0 if rows is None else rows[0]].astype(np.float64)
    mean = np.zeros(x.shape[1])
    moment = np.zeros(x.shape[1])
    seen = 0
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the result
        for block in _blocks(x, rows, max(1, _FLOAT_VALUES // x.shape[1])):
            values = block.astype(np.float64) - origin
            count = len(values)
            block_mean = values.mean(axis=0)
            values -= block_mean
            delta = block_mean - mean
            merged = seen + count
            mean += delta * (count / merged)
            moment += np.einsum("nd,nd->d", values, values)
            moment += delta * delta * (seen * count / merged)
            seen = merged
        return origin + mean, moment / seen
