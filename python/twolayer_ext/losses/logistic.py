"""Logistic loss: one of two classes with one output, or K labels that each hold or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.losses.elementwise import Elementwise
from twolayer_ext.losses.loss import ScoreName, SmoothedLoss, Takes, Vector


@dataclass(frozen=True)
class Logistic(SmoothedLoss, Elementwise):
    """Binary cross-entropy of sigmoid(z), the mean over the outputs: PyTorch's BCEWithLogitsLoss.

    Targets are 0 or 1, or shares between them; with two classes, 1 is the second.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default 0
        e: targets become t (1 - e) + e / 2.
    """

    name: ClassVar[str] = "logistic"
    has_probabilities: ClassVar[bool] = True

    @property
    def takes(self) -> Takes:
        """Numbers in [0, 1]."""
        return "indicators"

    @property
    def score_name(self) -> ScoreName:
        """Accuracy: with several labels, of whole rows."""
        return "accuracy"

    def prediction(self, outputs: Array) -> Array:
        """Return the probabilities 1 / (1 + exp(-z)), from an exp that never overflows."""
        e = np.exp(-np.abs(outputs))
        return np.asarray(np.where(outputs < 0, e, 1) / (1 + e))

    def value(self, z: Array, t: Array) -> Array:
        """Return max(z, 0) - z t + log(1 + exp(-|z|))."""
        smoothed = self._smoothed(t)
        return np.asarray(np.maximum(z, 0) - z * smoothed + np.log1p(np.exp(-np.abs(z))))

    def slope(self, z: Array, t: Array) -> Array:
        """Return sigmoid(z) - t."""
        return np.asarray(self.prediction(z) - self._smoothed(t))

    def score(self, outputs: Array, targets: Array, score_scale: Vector | None = None) -> Array:
        """Return 1 where every output of the sample is on its target's side."""
        right = (outputs > 0) == (targets > 0.5)
        return np.asarray(right.all(axis=1), outputs.dtype)

    def _smoothed(self, t: Array) -> Array:
        e = self.label_smoothing
        return np.asarray(t * (1 - e) + e / 2) if e else t
