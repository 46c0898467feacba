"""The pinball loss: several quantiles at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.losses.elementwise import Regression
from twolayer_ext.losses.loss import Vector


@dataclass(frozen=True)
class Quantile(Regression):
    """max(q e, (q - 1) e), e = t - z, the mean over levels q and targets: it predicts quantiles.

    Koenker and Bassett (1978). Each target has one output a level, side by side: outputs are
    ordered by target, then by level. Quantiles may cross where data are few: each level is a
    prediction of its own. R² is that of the level nearest to 0.5.

    Parameters
    ----------
    levels : sequence of float in (0, 1), ascending, default (0.1, 0.5, 0.9)
        Shares of the targets that shall lie below the predictions.
    """

    levels: tuple[float, ...] = (0.1, 0.5, 0.9)
    name: ClassVar[str] = "quantile"

    def __post_init__(self) -> None:
        if isinstance(self.levels, (str, bytes)) or not isinstance(self.levels, Iterable):
            raise TypeError(
                f"levels: {checks.shown(self.levels)}; must be a sequence of numbers, such as "
                "(0.1, 0.5, 0.9)"
            )
        levels = tuple(
            checks.number(f"levels[{i}]", level, above=0, below=1)
            for i, level in enumerate(self.levels)
        )
        if not levels or any(low >= high for low, high in pairwise(levels)):
            raise ValueError(f"levels: {levels}; must be at least one, ascending, no two the same")
        object.__setattr__(self, "levels", levels)

    @property
    def outputs_per_target(self) -> int:
        """One a level."""
        return len(self.levels)

    @property
    def middle_output(self) -> int:
        """The place of the level nearest to 0.5, of equals the first."""
        return int(np.abs(np.array(self.levels) - 0.5).argmin())

    def parameters(self, outputs: int) -> Vector:
        """Return the level of each output."""
        return np.tile(self.levels, outputs // len(self.levels)).astype(np.float64)

    def value(self, z: Array, t: Array) -> Array:
        """Return max(q e, (q - 1) e)."""
        q, e = self.parameters(z.shape[1]).astype(z.dtype), t - z
        return np.asarray(np.maximum(q * e, (q - 1) * e))

    def slope(self, z: Array, t: Array) -> Array:
        """Return -q below the target, 1 - q above it, 0 where they are equal."""
        q, e = self.parameters(z.shape[1]).astype(z.dtype), t - z
        return np.asarray(np.where(e > 0, -q, np.where(e < 0, 1 - q, 0 * e)))
