"""The rows of a data set as kernels read them: arrays of any memory order, sparse matrices.

A row type is an entry of `_READ_AS`; its conversion to floats stands in kernels/source.hpp. SciPy
is not imported here: who passes one of its matrices has it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext.checks import Array, as_array

# Types the kernels read as they are, and what the others become: the smallest of them that holds
# every value exactly (64-bit integers are looked at first).
_READ_AS = {
    "u1": "u1", "i1": "i1", "i2": "i2", "u2": "u2", "f2": "f2", "f4": "f4", "f8": "f8",
    "b1": "u1", "i4": "f8", "u4": "f8", "i8": "f8", "u8": "f8",
}  # fmt: skip
_LARGEST_EXACT = 2**53
_LARGEST_SIZE = 2**31 - 1
_HASHED_AT_ONCE = 2**22  # bytes
_CHECKED_AT_ONCE = 2**18  # values: stays in cache, and short enough for Ctrl-C


@dataclass(frozen=True, eq=False)
class Sparse:
    """Compressed sparse rows (CSR), of which only the stored values exist.

    Parameters
    ----------
    values : ndarray, shape (stored,), of a type the kernels read
    columns : ndarray of int32, shape (stored,)
        Of each value; ascending within a row, none twice.
    starts : ndarray of int64, shape (N + 1,)
        Row n is values[starts[n] : starts[n + 1]]. Not all values need belong to a row.
    shape : (N, D)
    """

    values: Array
    columns: NDArray[np.int32]
    starts: NDArray[np.int64]
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.values.dtype


Rows: TypeAlias = Array | Sparse


def as_rows(x: ArrayLike | Sparse, *, features: int | None, dtype: str, name: str = "x") -> Rows:
    """Return x as a kernel reads it; without a copy wherever that is possible.

    Parameters
    ----------
    x : array_like, SciPy sparse array or matrix, or Sparse, shape (N, D)
        Arrays of uint8, int8, int16, uint16, float16, float32 and float64 are used in place in any
        memory order: read-only arrays, memory maps, slices, columns-first arrays; bool is read as
        uint8. What is not in native byte order, or does not lie at multiples of its own size, is
        copied once, other numeric types are converted once: larger integers and longdouble to
        float64. CSR is used in place if its indices are int32, sorted and unique, and put in order
        in a copy otherwise; other sparse formats are converted to CSR. What this function has
        returned comes back as it is.
    features : int or None
        The D required; None takes any.
    dtype : {"float32", "float64"}
        What the network computes in; values must be finite there.
    name : str
        How messages call the array.

    Returns
    -------
    ndarray or Sparse, shape (N, D), of one of the seven types in native byte order

    Raises
    ------
    TypeError
        Complex, text, objects, masked arrays: not numbers; None, a dict: no arrays.
    ValueError
        Wrong shape, no rows, a NaN or an infinity (the first is named), integers beyond 2**53, a
        sparse matrix whose parts do not fit each other.
    """
    if isinstance(x, Sparse):
        _check_shape(x.shape, features, name)
        if x.dtype.kind == "f":
            _check_finite_entries(x, dtype, name)
        return x
    if _is_sparse(x):
        return _sparse(x, features, dtype, name)
    rows = as_array(x, name)
    _check_shape(rows.shape, features, name)
    rows = _in_place(_readable(rows, name))
    if rows.dtype.kind == "f":
        _check_finite(rows, dtype, name)
    return rows


def part(rows: Rows, chosen: slice) -> Rows:
    """Return consecutive rows as a view; `chosen` has no step."""
    if not isinstance(rows, Sparse):
        return rows[chosen]
    begin, end, _ = chosen.indices(len(rows))
    end = max(begin, end)
    starts = rows.starts[begin : end + 1]
    return Sparse(rows.values, rows.columns, starts, (end - begin, rows.shape[1]))


def take(rows: Rows, numbers: NDArray[np.int64]) -> Rows:
    """Return a copy of the rows with these numbers, in this order."""
    if not isinstance(rows, Sparse):
        return rows[numbers]
    begin = rows.starts[numbers]
    counts = rows.starts[numbers + 1] - begin
    starts = np.concatenate(([0], counts.cumsum()), dtype=np.int64)
    entries = np.arange(starts[-1]) + np.repeat(begin - starts[:-1], counts)
    shape = (len(numbers), rows.shape[1])
    return Sparse(rows.values[entries], rows.columns[entries], starts, shape)


def dense(rows: Rows) -> Array:
    """Return sparse rows as an array, which is meant for a few of them; arrays as they are."""
    if not isinstance(rows, Sparse):
        return rows
    result = np.zeros(rows.shape, rows.dtype)
    stored = slice(int(rows.starts[0]), int(rows.starts[-1]))
    number = np.repeat(np.arange(len(rows)), np.diff(rows.starts))
    result[number, rows.columns[stored]] = rows.values[stored]
    return result


def bytes_of(rows: Rows) -> int:
    """Return the memory that the rows occupy."""
    if not isinstance(rows, Sparse):
        return int(rows.nbytes)
    return int(rows.values.nbytes + rows.columns.nbytes + rows.starts.nbytes)


def digest(array: Rows) -> dict[str, Any]:
    """Return shape, dtype and SHA-256 of an array or of sparse rows, read in blocks."""
    parts: tuple[Array, ...] = (
        (array.starts, array.columns, array.values) if isinstance(array, Sparse) else (array,)
    )
    sha256 = hashlib.sha256()
    for part in parts:
        rows = np.atleast_1d(part)
        block = max(1, _HASHED_AT_ONCE * len(rows) // max(1, rows.nbytes))
        for start in range(0, len(rows), block):
            sha256.update(np.ascontiguousarray(rows[start : start + block]).view(np.uint8).data)
    return {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": sha256.hexdigest()}


def largest_magnitudes(rows: Rows, numbers: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Return max |x| of every column over the rows with these numbers (None: all), shape (D,).

    What normalize="scale" divides by: values end in [-1, 1], zeros stay zeros. A standard deviation
    would do so too, but of a column that few rows store it is next to nothing: a word found in one
    text of 10,000 would enter the network a hundred times as large as one found everywhere.
    """
    result = np.zeros(rows.shape[1])
    per_row = rows.shape[1]
    if isinstance(rows, Sparse):
        per_row = -(-int(rows.starts[-1] - rows.starts[0]) // len(rows))
    size = max(1, _CHECKED_AT_ONCE // max(1, per_row))
    count = len(rows) if numbers is None else len(numbers)
    for start in range(0, count, size):
        chosen = slice(start, start + size)
        block = part(rows, chosen) if numbers is None else take(rows, numbers[chosen])
        if isinstance(block, Sparse):
            stored = slice(int(block.starts[0]), int(block.starts[-1]))
            values = np.abs(block.values[stored].astype(np.float64))
            np.maximum.at(result, block.columns[stored], values)
        else:
            for bound in (block.max(axis=0), block.min(axis=0)):
                np.maximum(result, np.abs(bound.astype(np.float64)), out=result)
    return result


def _check_shape(shape: tuple[int, ...], features: int | None, name: str) -> None:
    if len(shape) > 2:
        raise ValueError(
            f"{name}: shape {shape}; must be (rows, features): {name}.reshape(len({name}), -1)"
        )
    if len(shape) < 2:
        raise ValueError(
            f"{name}: shape {shape}; must be (rows, features), "
            f"for a single row {name}.reshape(1, -1)"
        )
    if shape[0] == 0:
        raise ValueError(f"{name}: no rows, shape {shape}; must have at least one")
    if features is None and shape[1] == 0:
        raise ValueError(f"{name}: no features, shape {shape}; must have at least one")
    if features is not None and shape[1] != features:
        raise ValueError(f"{name}: {shape[1]} features a row; must have {features}")


def _readable(values: Array, name: str) -> Array:
    """Return values in one of the types the kernels read, in native byte order."""
    kind = values.dtype.kind
    code = f"{kind}{values.dtype.itemsize}"
    target = "f8" if kind == "f" and values.dtype.itemsize > 8 else _READ_AS.get(code)
    if target is None:
        raise TypeError(f"{name}: type {values.dtype}; must be an array of real numbers")
    if kind == "b":
        return values.view(np.uint8)
    if code in ("i8", "u8") and values.size > 0:
        low, high = int(values.min()), int(values.max())
        if low < -_LARGEST_EXACT or high > _LARGEST_EXACT:
            worst = low if low < -_LARGEST_EXACT else high
            raise ValueError(f"{name}: holds {worst}; integers must be within 2**53 to stay exact")
    if values.dtype == np.dtype(target):
        return values
    with np.errstate(over="ignore"):  # the check of values that follows says it better
        return values.astype(target, order="C")


def _in_place(rows: Array) -> Array:
    """Return the array itself if each element lies at a multiple of its size, else a copy."""
    steps = zip(rows.shape, rows.strides, strict=True)
    whole = all(count <= 1 or step % rows.itemsize == 0 for count, step in steps)
    return rows if rows.flags.aligned and whole else rows.copy(order="C")


def _blocks(rows: Array) -> Iterator[Array]:
    """Cut an array into pieces of neighbours in memory."""
    if abs(rows.strides[0]) < abs(rows.strides[1]):
        rows = rows.T
    columns = min(max(1, rows.shape[1]), _CHECKED_AT_ONCE)
    height = _CHECKED_AT_ONCE // columns
    for row in range(0, rows.shape[0], height):
        for column in range(0, rows.shape[1], columns):
            yield rows[row : row + height, column : column + columns]


def _all_finite(values: Array, dtype: str) -> bool:
    if values.dtype == np.float16:  # of the bits: NumPy compares halves one by one
        return not values.size or bool((values.view(np.uint16) & 0x7FFF).max() < 0x7C00)
    limit = _limit(values, dtype)
    # both False when a NaN is there
    return not values.size or bool(values.min() >= -limit and values.max() <= limit)


def _limit(values: Array, dtype: str) -> np.floating[Any]:
    limit: np.floating[Any] = values.dtype.type(
        min(np.finfo(dtype).max, np.finfo(values.dtype).max)
    )
    return limit


def _check_finite(rows: Array, dtype: str, name: str) -> None:
    if all(_all_finite(block, dtype) for block in _blocks(rows)):
        return
    height = max(1, _CHECKED_AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), height):  # the first in reading order
        block = rows[start : start + height]
        outside = ~(np.abs(block) <= _limit(rows, dtype))
        if outside.any():
            row, column = (int(i) for i in np.argwhere(outside)[0])
            _refuse_value(block[row, column], start + row, column, dtype, name)


def _refuse_value(value: object, row: int, column: int, dtype: str, name: str) -> NoReturn:
    raise ValueError(
        f"{name}: {value} in row {row}, column {column}; values must be finite in {dtype}"
    )


def _is_sparse(x: object) -> bool:
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(x))


def _sparse(x: Any, features: int | None, dtype: str, name: str) -> Sparse:
    _check_shape(x.shape, features, name)
    if x.shape[1] > _LARGEST_SIZE:
        raise ValueError(f"{name}: {x.shape[1]} features; must be at most {_LARGEST_SIZE}")
    _readable(np.zeros(0, x.dtype), name)  # objects are refused before SciPy meets them
    if x.format != "csr":
        x = x.tocsr()
    rows = _checked_csr(x, name)
    if not _in_order(rows):
        made = sys.modules["scipy.sparse"].csr_matrix(
            (rows.values.copy(), rows.columns.copy(), rows.starts.copy()), shape=rows.shape
        )
        made.sum_duplicates()
        rows = _checked_csr(made, name)
    if rows.dtype.kind == "f":
        _check_finite_entries(rows, dtype, name)
    return rows


def _checked_csr(x: Any, name: str) -> Sparse:
    """Take a CSR matrix apart; what a kernel would read out of bounds is refused."""
    data, indices, indptr = (np.asarray(a) for a in (x.data, x.indices, x.indptr))
    count, features = (int(size) for size in x.shape)
    for what, array in (("indices", indices), ("indptr", indptr)):
        if array.dtype.kind not in "iu":
            raise TypeError(f"{name}: its {what} are {array.dtype}; must be integers")
    if not data.ndim == indices.ndim == indptr.ndim == 1:
        raise ValueError(f"{name}: its data, indices and indptr must be vectors")
    if len(indptr) != count + 1:
        raise ValueError(f"{name}: its indptr has {len(indptr)} entries; must have {count + 1}")
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        raise ValueError(f"{name}: its indptr must begin with 0 and never decrease")
    stored = int(indptr[-1])
    if stored > min(len(data), len(indices)):
        raise ValueError(
            f"{name}: its indptr ends at {stored}; "
            f"must be within {len(data)} values and {len(indices)} indices"
        )
    data, indices = data[:stored], indices[:stored]
    for start in range(0, stored, _CHECKED_AT_ONCE):
        block = indices[start : start + _CHECKED_AT_ONCE]
        low, high = int(block.min()), int(block.max())
        if low < 0 or high >= features:
            worst = low if low < 0 else high
            raise ValueError(f"{name}: holds column {worst}; must be in 0 ... {features - 1}")
    return Sparse(
        np.ascontiguousarray(_in_place_vector(_readable(data, name))),
        np.ascontiguousarray(_in_place_vector(indices.astype(np.int32, copy=False))),
        np.ascontiguousarray(_in_place_vector(indptr.astype(np.int64, copy=False))),
        (count, features),
    )


def _in_place_vector(vector: Array) -> Array:
    return vector if vector.flags.aligned else vector.copy()


def _in_order(rows: Sparse) -> bool:
    """Whether the columns of every row ascend, without doubles."""
    stored = int(rows.starts[-1])
    for start in range(0, stored - 1, _CHECKED_AT_ONCE):
        block = rows.columns[start : start + _CHECKED_AT_ONCE + 1]
        ascends = block[1:] > block[:-1]
        # from one row to the next it need not
        first, last = np.searchsorted(rows.starts, (start + 1, start + len(block)))
        ascends[rows.starts[first:last] - start - 1] = True
        if not ascends.all():
            return False
    return True


def _check_finite_entries(rows: Sparse, dtype: str, name: str) -> None:
    for start in range(0, len(rows.values), _CHECKED_AT_ONCE):
        block = rows.values[start : start + _CHECKED_AT_ONCE]
        if _all_finite(block, dtype):
            continue
        outside = ~(np.abs(block) <= _limit(block, dtype))
        entry = start + int(outside.argmax())
        row = int(np.searchsorted(rows.starts, entry, side="right")) - 1
        _refuse_value(rows.values[entry], row, int(rows.columns[entry]), dtype, name)
