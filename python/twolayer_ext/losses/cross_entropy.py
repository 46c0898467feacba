"""Cross-entropy of softmax: one of several classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.losses.loss import ScoreName, SmoothedLoss, Takes, Vector


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
