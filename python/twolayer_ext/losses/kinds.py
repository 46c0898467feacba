"""The losses there are: one class each, the twin of the kernel of the same name, and the list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.losses.elementwise import Elementwise, Regression
from twolayer_ext.losses.loss import Loss, ScoreName, SmoothedLoss, Takes, Vector
from twolayer_ext.losses.moments import mean_and_deviation

LossName: TypeAlias = Literal[
    "cross_entropy", "logistic", "squared_error", "absolute_error", "huber", "poisson", "quantile"
]


@dataclass(frozen=True)
class CrossEntropy(SmoothedLoss):
    """-log of the label's probability, with softmax over the K classes: PyTorch's CrossEntropyLoss.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default 0
        The loss is the mean of -log p over targets: the label with 1 - `label_smoothing`, and all
        classes evenly with the rest.

    Notes
    -----
    The largest logit of a row is subtracted first, so that exp never overflows; the loss is
    log Σ exp(z) - z_y, which stays exact where p underflows.
    """

    name: ClassVar[str] = "cross_entropy"
    has_probabilities: ClassVar[bool] = True

    @property
    def takes(self) -> Takes:
        """Class indices."""
        return "labels"

    @property
    def score_name(self) -> ScoreName:
        """Accuracy."""
        return "accuracy"

    def value_and_gradient(self, outputs: Array, targets: Array) -> tuple[Array, Array]:
        """Return losses (N,) and the gradient p - target (N, K)."""
        count, classes = outputs.shape
        samples = np.arange(count)
        shifted, e, total = _softmax_parts(outputs)
        target = shifted[samples, targets]
        gradient = e / total
        if self.label_smoothing:
            smoothing = self.label_smoothing
            target = (1 - smoothing) * target + smoothing * shifted.mean(axis=1)
            gradient -= smoothing / classes
        gradient[samples, targets] -= 1 - self.label_smoothing
        return np.log(total[:, 0]) - target, gradient

    def prediction(self, outputs: Array) -> Array:
        """Return softmax of the logits (N, K)."""
        _, e, total = _softmax_parts(outputs)
        return np.asarray(e / total)

    def outputs(self, targets: Array) -> int:
        """Return the largest class index and one."""
        return int(targets.max()) + 1

    def score(self, outputs: Array, targets: Array, score_scale: Vector | None = None) -> Array:
        """Return 1 where the largest logit, of equals the first, is the label's."""
        return np.asarray(outputs.argmax(axis=1) == targets, outputs.dtype)


def _softmax_parts(logits: Array) -> tuple[Array, Array, Array]:
    """Return z - max z (N, K), its exp, and the sums of that (N, 1)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    return shifted, e, e.sum(axis=1, keepdims=True)


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


# In the order of the compiled core's list.
LOSSES: dict[str, type[Loss]] = {
    loss.name: loss
    for loss in (CrossEntropy, Logistic, SquaredError, AbsoluteError, Huber, Poisson, Quantile)
}
