"""The squared error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.losses.elementwise import Regression


@dataclass(frozen=True)
class SquaredError(Regression):
    """(z - t)², the mean over the outputs: PyTorch's MSELoss. It predicts means."""

    name: ClassVar[str] = "squared_error"

    def value(self, z: Array, t: Array) -> Array:
        """Return (z - t)²."""
        d = z - t
        return np.asarray(d * d)

    def slope(self, z: Array, t: Array) -> Array:
        """Return 2 (z - t)."""
        return np.asarray(2 * (z - t))
