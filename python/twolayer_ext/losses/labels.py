"""From y as users have it to an array of numbers, strings or booleans; from labels to classes."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks
from twolayer_ext.checks import Array

# What Python objects may be, and what an array of them is called; bool comes before the numbers.
_KINDS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool, np.bool_), "booleans"),
    ((int, float, np.integer, np.floating), "numbers"),
    ((str,), "strings"),
    ((bytes,), "bytes"),
)
_KIND_OF_DTYPE = {
    "b": "booleans",
    "i": "numbers",
    "u": "numbers",
    "f": "numbers",
    "U": "strings",
    "S": "bytes",
}


def values(y: ArrayLike, name: str) -> Array:
    """Return y as an array of booleans, integers, floats, strings or bytes, nothing missing.

    Parameters
    ----------
    y : array_like, shape (N,) or (N, columns)
        Arrays, lists, and the columns and frames of pandas and polars; objects must be all of one
        kind.
    name : str
        How messages call it.

    Raises
    ------
    TypeError
        Complex numbers, dates, masked arrays, other objects, or several kinds mixed.
    ValueError
        None, NaN or infinity (the first is named), or another number of dimensions.
    """
    array = checks.as_array(y, name)
    if array.ndim not in (1, 2):
        raise ValueError(f"{name}: shape {array.shape}; must be (rows,) or (rows, columns)")
    if array.dtype.kind == "T" or (array.dtype.kind in "US" and isinstance(y, (list, tuple))):
        # NumPy has written the other things in a list of strings, such as NaN, as text.
        array = np.array(y, dtype=object)
    if array.dtype.kind == "O":
        array = _of_one_kind(array, name)
    if array.dtype.kind not in _KIND_OF_DTYPE:
        raise TypeError(f"{name}: type {array.dtype}; must be numbers, strings or booleans")
    outside = ~np.isfinite(array) if array.dtype.kind == "f" else np.False_
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(f"{name}: {array[place]} {_where(place)}; must be finite everywhere")
    return array


def whole(array: Array) -> bool:
    """Tell whether all values of an array of floats are whole numbers."""
    return bool((array == np.trunc(array)).all())


def vector(array: Array, name: str) -> Array:
    """Return labels (N,), refusing another shape with what would help."""
    if array.ndim == 1:
        return array
    hint = f"{name}.ravel(); to predict numbers, loss='squared_error'"
    if array.shape[1] != 1:
        hint = f"{name}.argmax(axis=1) of one-hot rows, or loss='logistic' of several labels a row"
    raise ValueError(f"{name}: shape {array.shape}; labels must be (rows,): {hint}")


def classes_of(array: Array, name: str) -> Array:
    """Return the distinct labels, ascending, in their dtype.

    Raises
    ------
    ValueError
        Fewer than two, or floats that are no whole numbers.
    """
    classes = np.unique(vector(array, name))
    if classes.dtype.kind == "f" and not whole(classes):
        row = int((array != np.trunc(array)).argmax())
        raise ValueError(
            f"{name}: {array[row]} in row {row}; labels must be whole numbers, strings or "
            "booleans; to predict numbers, loss='squared_error'"
        )
    if len(classes) < 2:
        raise ValueError(
            f"{name}: only the class {label(classes[0])}; must have at least 2, or classes= must "
            "say which there can be"
        )
    return classes


def given_classes(classes: object) -> Array:
    """Return the argument `classes`: an int C stands for 0 ... C-1, a list comes back ascending."""
    if isinstance(classes, (int, np.integer)):
        return np.arange(checks.integer("classes", classes, minimum=2, maximum=2**31 - 1))
    listed = values(cast(ArrayLike, classes), "classes")
    result = classes_of(listed, "classes")
    if len(result) != len(listed):
        raise ValueError(f"classes: {len(listed)} labels; must all differ")
    return result


def indices(array: Array, classes: Array, name: str) -> NDArray[np.int64]:
    """Return the class index of each label (N,), an array of its own.

    Raises
    ------
    TypeError
        Strings where the classes are numbers, or the reverse.
    ValueError
        A label that is none of the classes; the first such row is named.
    """
    labels = vector(array, name)
    kinds = [_KIND_OF_DTYPE[a.dtype.kind].replace("booleans", "numbers") for a in (labels, classes)]
    if kinds[0] != kinds[1]:
        raise TypeError(
            f"{name}: type {labels.dtype}; labels must be {kinds[1]}, such as {label(classes[0])}"
        )
    counted = is_range(classes)
    if counted and labels.dtype.kind in "iu":
        # A copy before the check: what is changed meanwhile is never written out of bounds.
        found = labels.astype(np.int64, order="C")
        known = (found >= 0) & (found < len(classes))
    else:
        found = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        known = classes[found] == labels
    if not known.all():
        row = int((~known).argmax())
        allowed = f"in 0 ... {len(classes) - 1}" if counted else f"of {listed_classes(classes)}"
        raise ValueError(f"{name}: {label(labels[row])} in row {row}; labels must be {allowed}")
    return found.astype(np.int64, order="C", copy=False)


def is_range(classes: Array) -> bool:
    """Tell whether the classes are the integers 0 ... C-1."""
    return classes.dtype.kind in "iu" and classes[0] == 0 and classes[-1] == len(classes) - 1


def listed_classes(classes: Array) -> str:
    """Return the classes as a message lists them."""
    return f"the {len(classes)} classes " + checks.clipped(
        ", ".join(label(c) for c in classes[:50])
    )


def label(value: object) -> str:
    """Return one label as a message shows it."""
    return checks.shown(value.item() if isinstance(value, np.generic) else value)


def _of_one_kind(array: Array, name: str) -> Array:
    """Return an array of objects as one of booleans, numbers, strings or bytes."""
    first: str | None = None
    for place, value in np.ndenumerate(array):
        if _is_missing(value):
            raise ValueError(f"{name}: {value} {_where(place)}; must have a value in every row")
        kind = next((kind for types, kind in _KINDS if isinstance(value, types)), None)
        if kind is None:
            raise TypeError(
                f"{name}: {checks.shown(value)} {_where(place)}; must be a number, a string or a "
                "boolean"
            )
        first = first or kind
        if kind != first:
            raise TypeError(
                f"{name}: {checks.shown(value)} {_where(place)} among {first}; must be all of one "
                "kind"
            )
    result = np.array(array.tolist())
    if result.dtype.kind == "O":
        raise ValueError(f"{name}: integers beyond 64 bits; must be smaller")
    return result.reshape(array.shape)


def _is_missing(value: object) -> bool:
    """Tell whether a Python object is None, a NaN, or a missing value of pandas."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA is neither equal to itself nor not
        return True
    except ValueError:  # an array
        return False


def _where(place: tuple[int, ...]) -> str:
    row = f"in row {place[0]}"
    return row if len(place) == 1 else f"{row}, column {place[1]}"
