"""The loss of counts: Poisson's likelihood with a log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.losses.elementwise import Regression
from twolayer_ext.losses.loss import Takes, Vector
from twolayer_ext.losses.moments import mean_and_deviation


@dataclass(frozen=True)
class Poisson(Regression):
    """exp(z) - t z, the mean over the outputs: PyTorch's PoissonNLLLoss. It predicts exp(z).

    Targets are counts or rates, 0 or above, whole or not. What depends on the targets alone,
    log t!, is left out.
    """

    name: ClassVar[str] = "poisson"

    @property
    def takes(self) -> Takes:
        """Numbers from 0 on."""
        return "counts"

    def prediction(self, outputs: Array) -> Array:
        """Return the expected counts exp(z)."""
        return np.asarray(np.exp(outputs))

    def value(self, z: Array, t: Array) -> Array:
        """Return exp(z) - t z."""
        return np.asarray(np.exp(z) - t * z)

    def slope(self, z: Array, t: Array) -> Array:
        """Return exp(z) - t."""
        return np.asarray(np.exp(z) - t)

    def output_scaling(
        self, targets: Array, weights: Vector | None = None
    ) -> tuple[Vector, Vector]:
        """Return (log of each column's mean, 1); 0 for a column of zeros."""
        mean, _ = mean_and_deviation(targets, weights)
        return np.log(np.where(mean > 0, mean, 1.0)), np.ones(len(mean))
