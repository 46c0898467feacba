"""Losses that are a mean over the outputs of a function of one output and its target."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.losses.loss import Loss, ScoreName, Takes, Vector
from twolayer_ext.losses.moments import mean_and_deviation


@dataclass(frozen=True)
class Elementwise(Loss):
    """A sample's loss is the mean of `value` over its K outputs."""

    @abstractmethod
    def value(self, z: Array, t: Array) -> Array:
        """Return the loss of each output z (N, K) at its target t (N, K)."""

    @abstractmethod
    def slope(self, z: Array, t: Array) -> Array:
        """Return the derivative of `value` with respect to z."""

    def targets_of_outputs(self, outputs: Array, targets: Array) -> Array:
        """Return the target of each output (N, K), in the outputs' dtype."""
        values = targets.astype(outputs.dtype, copy=False)
        return np.repeat(values, self.outputs_per_target, axis=1)

    def value_and_gradient(self, outputs: Array, targets: Array) -> tuple[Array, Array]:
        """Return losses (N,), means over the outputs, and their gradient (N, K)."""
        t = self.targets_of_outputs(outputs, targets)
        losses = self.value(outputs, t).mean(axis=1)
        return losses, self.slope(outputs, t) / outputs.shape[1]

    def outputs(self, targets: Array) -> int:
        """Return one output a column of the targets, or `outputs_per_target` of them."""
        return int(targets.shape[1]) * self.outputs_per_target


@dataclass(frozen=True)
class Regression(Elementwise):
    """An elementwise loss of real targets, judged by R²."""

    @property
    def takes(self) -> Takes:
        """Any real numbers."""
        return "real"

    @property
    def score_name(self) -> ScoreName:
        """R²."""
        return "r2"

    def score(self, outputs: Array, targets: Array, score_scale: Vector | None = None) -> Array:
        """Return Σ_k score_scale[k] (target - prediction)² (N,); without a scale, their mean.

        With `score_scale` of the same targets, 1 - the mean over the samples is R², averaged over
        the columns, as scikit-learn's r2_score; NaN where a column is constant.
        """
        error = self.targets_of_outputs(outputs, targets) - self.prediction(outputs)
        count = outputs.shape[1]
        scale = np.full(count, 1 / count) if score_scale is None else score_scale
        return np.asarray((scale.astype(outputs.dtype) * (error * error)).sum(axis=1))

    def score_scale(self, targets: Array) -> Vector:
        """Return 1 / (variance of the output's column * number of columns) (K,).

        Where several outputs share a target, only the one nearest to its middle counts, and the
        others get 0; NaN where a column is constant: it has no R².
        """
        _, deviation = mean_and_deviation(targets)
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            scale = 1 / (deviation * deviation * targets.shape[1])
        scale[~np.isfinite(scale) | (scale == 0)] = np.nan
        result = np.zeros((len(scale), self.outputs_per_target))
        result[:, self.middle_output] = scale
        return result.ravel()

    @property
    def middle_output(self) -> int:
        """Which of the outputs that share a target is the one for its middle."""
        return 0

    def output_scaling(
        self, targets: Array, weights: Vector | None = None
    ) -> tuple[Vector, Vector]:
        """Return mean and standard deviation of each output's column; 1 for constant columns."""
        mean, deviation = mean_and_deviation(targets, weights)
        scale = np.where(deviation > 0, deviation, 1.0)
        return np.repeat(mean, self.outputs_per_target), np.repeat(scale, self.outputs_per_target)
