"""Argument checks shared by all public functions.

Every message reads ``argument: what it was; what it should be``. What passes can go to a kernel,
which trusts its input: labels are in range, values are finite, rows are contiguous.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import _core

Array: TypeAlias = NDArray[Any]
Parameters: TypeAlias = list[tuple[Array, Array]]

ACTIVATIONS = ("relu", "tanh", "logistic", "identity")

# Types the kernels read as they are, and what the others become: the smallest type of the three
# that holds every value exactly (64-bit integers are looked at first).
_READ_AS = {
    "u1": "u1", "f4": "f4", "f8": "f8", "b1": "u1",
    "i1": "f4", "i2": "f4", "u2": "f4", "f2": "f4",
    "i4": "f8", "u4": "f8", "i8": "f8", "u8": "f8",
}  # fmt: skip
_LARGEST_EXACT = 2**53
_LARGEST_SIZE = 2**31 - 1
_CHECKED_AT_ONCE = 2**18  # values: stays in cache, and short enough for Ctrl-C
# Far above the CPUs of any machine; the runtime ends the process where threads cannot be made.
_MOST_THREADS = 4096
_LONGEST_SHOWN = 200


def clipped(text: str) -> str:
    """Return `text` as far as a message shows it: not pages of it."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def shown(value: object) -> str:
    """Return `value` as a message shows it."""
    try:
        return clipped(str(value) if isinstance(value, (int, float, np.number)) else repr(value))
    except ValueError:  # Python writes no integers of more than 4300 digits
        return "an integer of thousands of digits"


def integer(name: str, value: object, *, minimum: int, maximum: int | None = None) -> int:
    """Return `value` as int, which must be within the bounds; bool is no integer here."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:  # arrays have __index__, but only some can be an index
        raise TypeError(f"{name}: {shown(value)}; must be an integer") from None
    if number < minimum:
        raise ValueError(f"{name}: {shown(number)}; must be at least {minimum}")
    if maximum is not None and number > maximum:
        raise ValueError(f"{name}: {shown(number)}; must be at most {maximum}")
    return number


def number(
    name: str,
    value: object,
    *,
    minimum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return `value` as a finite float within the bounds (`above` and `below` are excluded)."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise TypeError(f"{name}: {shown(value)}; must be a number")
    try:
        result = float(value)
    except OverflowError:  # an integer beyond the floats
        result = math.inf
    bounds = []
    if minimum is not None:
        bounds.append(f"at least {minimum:g}")
    if above is not None:
        bounds.append(f"above {above:g}")
    if below is not None:
        bounds.append(f"below {below:g}")
    inside = (
        math.isfinite(result)
        and (minimum is None or result >= minimum)
        and (above is None or result > above)
        and (below is None or result < below)
    )
    if not inside:
        raise ValueError(f"{name}: {shown(value)}; must be {' and '.join(['finite', *bounds])}")
    return result


def choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of the strings `choices`."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: {value!r}; must be one of {', '.join(map(repr, choices))}")
    if value not in choices:
        raise ValueError(f"{name}: {value!r}; must be one of {', '.join(map(repr, choices))}")
    return str(value)


def flag(name: str, value: object) -> bool:
    """Return `value` as bool; only True and False are taken."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {value!r}; must be True or False")
    return bool(value)


def dtype_name(dtype: object) -> Literal["float32", "float64"]:
    """Return "float32" or "float64" for a name or any other NumPy spelling of the two."""
    try:
        name = np.dtype(dtype).name if dtype is not None else ""  # type: ignore[call-overload]
    except (TypeError, ValueError, SyntaxError):  # NumPy parses text as a list of fields
        name = ""
    if name == "float32":
        return "float32"
    if name == "float64":
        return "float64"
    raise ValueError(f"dtype: {dtype!r}; must be 'float32' or 'float64'")


def compute_dtype_name(compute_dtype: object, dtype: str) -> str:
    """Return what the products of a network in `dtype` read; None is `dtype` itself."""
    if compute_dtype is None:
        return dtype
    possible = (dtype, "bfloat16") if dtype == "float32" else (dtype,)
    if isinstance(compute_dtype, str) and compute_dtype in possible:
        return compute_dtype
    names = " or ".join(map(repr, possible))
    raise ValueError(
        f"compute_dtype: {compute_dtype!r}; must be None or {names} with dtype {dtype!r}"
    )


def sizes(name: str, value: object, *, minimum_length: int) -> tuple[int, ...]:
    """Return a sequence of positive integers as a tuple."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        value = value.tolist()
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError(f"{name}: {shown(value)}; must be a sequence of integers, such as (512,)")
    result = tuple(
        integer(f"{name}[{i}]", size, minimum=1, maximum=_LARGEST_SIZE)
        for i, size in enumerate(value)
    )
    if len(result) < minimum_length:
        raise ValueError(f"{name}: {result}; must have at least {minimum_length} entries")
    return result


def layer_sizes(value: object) -> tuple[int, ...]:
    """Return (features, hidden..., classes): at least two entries, at least two classes."""
    result = sizes("layer_sizes", value, minimum_length=2)
    if result[-1] < 2:
        raise ValueError(f"layer_sizes: {result}; the last entry, the classes, must be at least 2")
    addressable("layer_sizes", result, result)
    return result


def addressable(name: str, value: object, layer_sizes: tuple[int, ...]) -> None:
    """Raise ValueError if a network of `layer_sizes`, as `value` asks for, fits no memory at all.

    A layer that has addresses, but is too large for the machine, is left to NumPy's MemoryError.
    """
    parameters = sum((a + 1) * b for a, b in pairwise(layer_sizes))
    if 8 * parameters > sys.maxsize:  # weights are drawn in float64
        raise ValueError(
            f"{name}: {shown(value)}; must be of no more parameters than memory has addresses for"
        )


def thread_count(threads: object) -> int:
    """Return the number of threads to use; None means OMP_NUM_THREADS or the CPUs allowed."""
    if threads is None:
        return min(_core.default_threads(), _MOST_THREADS)
    return integer("threads", threads, minimum=1, maximum=_MOST_THREADS)


def as_rows(x: ArrayLike, *, features: int | None, dtype: str, name: str = "x") -> Array:
    """Return x as a kernel reads it; without a copy wherever that is possible.

    Parameters
    ----------
    x : array_like, shape (N, D)
        uint8, float32 and float64 are used in place if each row is contiguous: read-only arrays,
        memory maps and slices of rows too. Other memory orders are copied once, other numeric
        types converted once: bool to uint8; integers of up to 16 bits and float16 to float32;
        larger integers and longdouble to float64.
    features : int or None
        The D required; None takes any.
    dtype : {"float32", "float64"}
        What the network computes in; values must be finite there.
    name : str
        How messages call the array.

    Returns
    -------
    ndarray, shape (N, D), of uint8, float32 or float64 in native byte order

    Raises
    ------
    TypeError
        Complex, text, objects, masked arrays: not numbers; None, a dict: no arrays.
    ValueError
        Wrong shape, no rows, a NaN or an infinity (the first is named), integers beyond 2**53.
    """
    rows = as_array(x, name)
    if rows.ndim > 2:
        raise ValueError(
            f"{name}: shape {rows.shape}; must be (rows, features): {name}.reshape(len({name}), -1)"
        )
    if rows.ndim < 2:
        raise ValueError(
            f"{name}: shape {rows.shape}; must be (rows, features), "
            f"for a single row {name}.reshape(1, -1)"
        )
    if len(rows) == 0:
        raise ValueError(f"{name}: no rows, shape {rows.shape}; must have at least one")
    if features is None and rows.shape[1] == 0:
        raise ValueError(f"{name}: no features, shape {rows.shape}; must have at least one")
    if features is not None and rows.shape[1] != features:
        raise ValueError(f"{name}: {rows.shape[1]} features a row; must have {features}")
    rows = _readable(rows, name)
    if rows.dtype.kind == "f":
        _check_finite(rows, dtype, name)
    return rows


def as_labels(
    y: ArrayLike, *, rows: int, classes: int | None, name: str = "y"
) -> NDArray[np.int64]:
    """Return y as contiguous int64 class indices.

    Parameters
    ----------
    y : array_like of any integer type, shape (N,)
    rows : int
        The N required.
    classes : int or None
        Labels must be in [0, classes); None only refuses negative ones.
    name : str
        How messages call the array.

    Raises
    ------
    TypeError
        Not integers: floats that hold whole numbers must be converted by the caller.
    ValueError
        Wrong shape or a label out of range; the first such row is named.
    """
    labels = as_array(y, name)
    if labels.ndim != 1:
        hint = "a vector"
        if labels.ndim == 2:
            hint = f"{name}.ravel()" if labels.shape[1] == 1 else f"{name}.argmax(axis=1)"
        raise ValueError(f"{name}: shape {labels.shape}; must be (rows,): {hint}")
    if len(labels) != rows:
        raise ValueError(f"{name}: {len(labels)} labels; must be one for each of the {rows} rows")
    if labels.dtype.kind not in "iub":
        hint = f", {name}.astype(int)" if labels.dtype.kind == "f" else ""
        raise TypeError(f"{name}: type {labels.dtype}; must be integer class indices{hint}")
    end = classes if classes is not None else np.iinfo(np.int64).max
    outside = (labels < 0) | (labels >= end)
    if outside.any():
        row = int(outside.argmax())
        allowed = f"in 0 ... {end - 1}" if classes is not None else "class indices 0 ... C-1"
        raise ValueError(f"{name}: {labels[row]} in row {row}; labels must be {allowed}")
    return np.ascontiguousarray(labels, dtype=np.int64)


def as_array(value: ArrayLike, name: str) -> Array:
    """Return `value` as an array; what NumPy would wrap as a single object is no array."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: a masked array; fill the masked values first")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}; must be an array of numbers") from None
    if array.ndim == 0 and array.dtype.kind not in "buifc":
        raise TypeError(f"{name}: {type(value).__name__}; must be an array of numbers")
    return array


def _readable(rows: Array, name: str) -> Array:
    """Convert to one of the three types the kernels read, with contiguous rows."""
    kind = rows.dtype.kind
    code = f"{kind}{rows.dtype.itemsize}"
    target = "f8" if kind == "f" and rows.dtype.itemsize > 8 else _READ_AS.get(code)
    if target is None:
        raise TypeError(f"{name}: type {rows.dtype}; must be an array of real numbers")
    if code in ("i8", "u8"):
        low, high = int(rows.min()), int(rows.max())
        if low < -_LARGEST_EXACT or high > _LARGEST_EXACT:
            worst = low if low < -_LARGEST_EXACT else high
            raise ValueError(f"{name}: holds {worst}; integers must be within 2**53 to stay exact")
    if rows.dtype != np.dtype(target):
        with np.errstate(over="ignore"):  # the check of values that follows says it better
            return rows.astype(target, order="C")
    itemsize = rows.itemsize
    in_place = (
        rows.flags.aligned
        and (rows.shape[1] == 1 or rows.strides[1] == itemsize)
        and rows.strides[0] % itemsize == 0
    )
    return rows if in_place else rows.copy(order="C")


def _check_finite(rows: Array, dtype: str, name: str) -> None:
    limit = rows.dtype.type(min(np.finfo(dtype).max, np.finfo(rows.dtype).max))
    block = max(1, _CHECKED_AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        if part.min() >= -limit and part.max() <= limit:  # both False when a NaN is there
            continue
        outside = ~(np.abs(part) <= limit)
        row, column = (int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"{name}: {part[row, column]} in row {start + row}, column {column}; "
            f"values must be finite in {dtype}"
        )
