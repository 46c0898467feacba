"""Column names of the tables that users bring, from pandas, polars or whatever has `columns`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twolayer_ext import checks
from twolayer_ext.rows import Sparse


def column_names(x: object) -> tuple[str, ...] | None:
    """Return the names of a frame's columns, or None of what has none, or other names than text.

    Raises
    ------
    ValueError
        Two columns have the same name.
    """
    columns = None if isinstance(x, Sparse) else getattr(x, "columns", None)
    if columns is None or isinstance(columns, str) or not isinstance(columns, Iterable):
        return None
    names = tuple(columns)
    if not names or not all(isinstance(name, str) for name in names):
        return None
    for name in set(names):
        if names.count(name) > 1:
            raise ValueError(f"x: two columns are named {name!r}; must all differ")
    return names


def in_order(x: Any, names: tuple[str, ...] | None, name: str = "x") -> Any:
    """Return a frame with its columns in the order of `names`; other data as they are.

    Parameters
    ----------
    x : frame or array_like
    names : tuple of str or None
        Those of the training data.
    name : str
        How messages call x.

    Raises
    ------
    ValueError
        A column is missing, or one is there that training did not have; the message names it.
    """
    own = None if names is None else column_names(x)
    if names is None or own is None or own == names:
        return x
    missing = [column for column in names if column not in own]
    unknown = [column for column in own if column not in names]
    if missing:
        raise ValueError(f"{name}: column {missing[0]!r} is missing; must have {_listed(names)}")
    if unknown:
        raise ValueError(
            f"{name}: column {unknown[0]!r} was not there in training; must have {_listed(names)}"
        )
    return x[list(names)]


def _listed(names: tuple[str, ...]) -> str:
    return checks.clipped(f"the {len(names)} columns {', '.join(map(repr, names))}")
