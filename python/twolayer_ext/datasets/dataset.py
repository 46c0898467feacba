"""The one type every loader returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import losses
from twolayer_ext.losses import labels


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples, their targets, and what is known about both.

    Attributes
    ----------
    x : ndarray, shape (n, d)
        One sample a row, in the dtype and memory order the file holds (uint8 pixels stay uint8);
        may be a read-only memory map.
    y : ndarray, shape (n,) or (n, columns)
        What `train` takes: labels of any type, numbers, a matrix of 0 and 1.
    class_names : tuple of str
        The name of each class; () where y holds no labels.
    image_shape : tuple of int, or None
        What a row is when it is an image: ``(3, 32, 32)`` for CIFAR-10 (planes first), ``(8, 8)``
        for the digits; its product is d. None when rows are not images.
    name : str
        What to call the data in tables and pictures.
    classes : ndarray or None
        The labels that `class_names` name, ascending; None where y holds no labels. When not given:
        the distinct labels if there are as many as names, else 0, 1, ... up to the last name.

    Raises
    ------
    TypeError
        If x is not an array of real numbers, or y neither of numbers nor strings nor booleans.
    ValueError
        If shapes, labels, class names and image shape do not agree, y has missing values, or there
        are no samples.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...] | None
    name: str
    classes: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.x, np.ndarray) or self.x.dtype.kind not in "buif":
            what = getattr(self.x, "dtype", type(self.x).__name__)
            raise TypeError(f"x: {what}; an array of real numbers is needed")
        if not isinstance(self.y, np.ndarray) or self.y.dtype.kind not in "buifUS":
            what = getattr(self.y, "dtype", type(self.y).__name__)
            raise TypeError(f"y: {what}; an array of numbers, strings or booleans is needed")
        if self.x.ndim != 2 or self.x.shape[0] == 0 or self.x.shape[1] == 0:
            raise ValueError(f"x: shape {self.x.shape}; (n, d) with at least one row is needed")
        labels.values(self.y, "y")
        if len(self.y) != len(self.x):
            raise ValueError(
                f"y: shape {self.y.shape}; ({len(self.x)},), a target for each row of x, is needed"
            )
        if self.class_names and self.classes is None:
            object.__setattr__(self, "classes", self._named())
        if self.classes is not None and len(self.classes) != len(self.class_names):
            raise ValueError(
                f"classes: {len(self.classes)} labels for {len(self.class_names)} class names"
            )
        if self.image_shape is not None and math.prod(self.image_shape) != self.x.shape[1]:
            raise ValueError(
                f"image_shape: {self.image_shape} has {math.prod(self.image_shape)} values; "
                f"rows of x have {self.x.shape[1]}"
            )

    def _named(self) -> NDArray[Any]:
        """Return the labels that the class names stand for."""
        count = len(self.class_names)
        found = np.unique(self.y)
        if self.y.ndim == 1 and len(found) == count:
            return found
        if self.y.ndim != 1 or self.y.dtype.kind not in "iu":
            raise ValueError(
                f"y: {self.y.dtype} of shape {self.y.shape} with {len(found)} different values; "
                f"{count} class names are for as many labels (n,)"
            )
        wrong = np.flatnonzero((self.y < 0) | (self.y >= count))
        if wrong.size:
            raise ValueError(
                f"y: label {self.y[wrong[0]]} in row {wrong[0]}; "
                f"with {count} class names labels are 0 to {count - 1}"
            )
        return np.arange(count)

    def __len__(self) -> int:
        return len(self.x)

    def part(self, start: int, end: int | None) -> Dataset:
        """Return rows [start, end) as views; to the last one without an end."""
        return replace(self, x=self.x[start:end], y=self.y[start:end])

    def __repr__(self) -> str:
        of_y = f"{len(self.class_names)} classes"
        if not self.class_names:
            of_y = f"y={self.y.shape} {self.y.dtype}"
        return (
            f"Dataset({self.name!r}, x={self.x.shape} {self.x.dtype}, "
            f"{of_y}, image_shape={self.image_shape})"
        )


def names_of_labels(y: NDArray[Any]) -> tuple[str, ...]:
    """Return the distinct labels as text, ascending; () if `train` would not take y for labels.

    Raises
    ------
    TypeError, ValueError
        y that `train` never takes.
    """
    values = labels.values(y, "y")
    try:
        task, _ = losses.read(values, rows=len(values))
    except ValueError:  # what helps is an option of `train`, which will say so
        return ()
    if task.classes is None:
        return ()
    return tuple(str(label) for label in task.classes.tolist())
