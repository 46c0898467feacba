"""Argument checks shared by all public functions.

Every message reads ``argument: what it was; what it should be``. `rows.as_rows` does the same for
data, `losses.read` for targets.
"""

from __future__ import annotations

import math
import mmap
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


_LARGEST_SIZE = 2**31 - 1
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
    # NumPy parses text as a list of fields; of some letters it warns.
    except (TypeError, ValueError, SyntaxError, Warning):
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
    """Return (features, hidden..., outputs): at least two entries."""
    result = sizes("layer_sizes", value, minimum_length=2)
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
    check_mapped(array, name)
    return array


def check_mapped(array: Array, name: str) -> None:
    """Refuse a memory map whose file was made shorter: to read the rest would end the process."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and not base.closed and 0 <= _file_size(base) < len(base):
        raise ValueError(
            f"{name}: its file has {base.size()} of the {len(base)} bytes that are mapped; must "
            "keep them"
        )


def _file_size(mapped: mmap.mmap) -> int:
    """Return how long the mapped file is now; -1 if it has none."""
    try:
        return mapped.size()
    except (OSError, ValueError):
        return -1
