"""Huber's loss: squared near the target, absolute far from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.losses.elementwise import Regression
from twolayer_ext.losses.loss import Vector


@dataclass(frozen=True)
class Huber(Regression):
    """(z - t)² / 2 up to |z - t| = δ, then δ (|z - t| - δ / 2): PyTorch's HuberLoss.

    Parameters
    ----------
    delta : float above 0, default 1
        δ, in the units of the targets.
    """

    delta: float = 1.0
    name: ClassVar[str] = "huber"

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", checks.number("delta", self.delta, above=0))

    def parameters(self, outputs: int) -> Vector:
        """Return δ for each output."""
        return np.full(outputs, self.delta)

    def value(self, z: Array, t: Array) -> Array:
        """Return the loss of each output."""
        d = np.abs(z - t)
        return np.asarray(np.where(d <= self.delta, d * d / 2, self.delta * (d - self.delta / 2)))

    def slope(self, z: Array, t: Array) -> Array:
        """Return z - t, within ±δ."""
        return np.asarray(np.clip(z - t, -self.delta, self.delta))
