"""The absolute error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.losses.elementwise import Regression


@dataclass(frozen=True)
class AbsoluteError(Regression):
    """|z - t|, the mean over the outputs: PyTorch's L1Loss. It predicts medians."""

    name: ClassVar[str] = "absolute_error"

    def value(self, z: Array, t: Array) -> Array:
        """Return |z - t|."""
        return np.asarray(np.abs(z - t))

    def slope(self, z: Array, t: Array) -> Array:
        """Return the sign of z - t, 0 where they are equal."""
        return np.asarray(np.sign(z - t))
