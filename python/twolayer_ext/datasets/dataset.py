"""The one type every loader returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples, their labels, and what is known about both.

    Attributes
    ----------
    x : ndarray, shape (n, d)
        One sample a row, in the dtype the file holds (uint8 pixels stay uint8); may be a
        read-only memory map.
    y : ndarray, shape (n,), int64
        The class of each sample, from 0 to ``len(class_names) - 1``.
    class_names : tuple of str
        The name of each class.
    image_shape : tuple of int, or None
        What a row is when it is an image: ``(3, 32, 32)`` for CIFAR-10 (planes first), ``(8, 8)``
        for the digits; its product is d. None when rows are not images.
    name : str
        What to call the data in tables and pictures.

    Raises
    ------
    TypeError
        If x is not an array of real numbers or y is not int64.
    ValueError
        If shapes, labels, class names and image shape do not agree, or there are no samples.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...] | None
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.x, np.ndarray) or self.x.dtype.kind not in "buif":
            what = getattr(self.x, "dtype", type(self.x).__name__)
            raise TypeError(f"x: {what}; an array of real numbers is needed")
        if not isinstance(self.y, np.ndarray) or self.y.dtype != np.int64:
            what = getattr(self.y, "dtype", type(self.y).__name__)
            raise TypeError(f"y: {what}; an int64 array is needed")
        if self.x.ndim != 2 or self.x.shape[0] == 0 or self.x.shape[1] == 0:
            raise ValueError(f"x: shape {self.x.shape}; (n, d) with at least one row is needed")
        if self.y.shape != (len(self.x),):
            raise ValueError(f"y: shape {self.y.shape}; ({len(self.x)},), one label a row of x")
        classes = len(self.class_names)
        wrong = np.flatnonzero((self.y < 0) | (self.y >= classes))
        if wrong.size:
            raise ValueError(
                f"y: label {self.y[wrong[0]]} in row {wrong[0]}; "
                f"with {classes} class names labels are 0 to {classes - 1}"
            )
        if self.image_shape is not None and math.prod(self.image_shape) != self.x.shape[1]:
            raise ValueError(
                f"image_shape: {self.image_shape} has {math.prod(self.image_shape)} values; "
                f"rows of x have {self.x.shape[1]}"
            )

    def __len__(self) -> int:
        return len(self.x)

    def part(self, start: int, end: int | None) -> Dataset:
        """Return rows [start, end) as views; to the last one without an end."""
        return replace(self, x=self.x[start:end], y=self.y[start:end])

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, x={self.x.shape} {self.x.dtype}, "
            f"{len(self.class_names)} classes, image_shape={self.image_shape})"
        )
