"""What every loss has: value, gradient at the outputs, prediction, score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import checks
from twolayer_ext.checks import Array

Vector: TypeAlias = NDArray[np.float64]
# labels: int64 class indices (N,); all others are matrices (N, columns): of numbers in [0, 1], of
# numbers from 0 on, of any numbers.
Takes: TypeAlias = Literal["labels", "indicators", "counts", "real"]
ScoreName: TypeAlias = Literal["accuracy", "r2", ""]


@dataclass(frozen=True)
class Loss(ABC):
    """A loss of the outputs z (N, K) of the last layer, one number a sample."""

    name: ClassVar[str]
    has_probabilities: ClassVar[bool] = False

    @property
    @abstractmethod
    def takes(self) -> Takes:
        """What targets must be: "labels", "indicators" (0 ... 1), "counts" (from 0) or "real"."""

    @property
    @abstractmethod
    def score_name(self) -> ScoreName:
        """What `score` adds up to: "accuracy", "r2", or "" where nothing is known."""

    @property
    def outputs_per_target(self) -> int:
        """How many neighbouring outputs share a target: output k belongs to target k // this."""
        return 1

    @abstractmethod
    def value_and_gradient(self, outputs: Array, targets: Array) -> tuple[Array, Array]:
        """Return each sample's loss (N,) and that loss's gradient at the outputs (N, K).

        Neither is averaged over the samples nor weighted; both are of the outputs' dtype.

        Parameters
        ----------
        outputs : ndarray of float32 or float64, shape (N, K)
        targets : ndarray
            As `Task.encode` gives them: int64 (N,) for losses of labels, else (N, columns).
        """

    def prediction(self, outputs: Array) -> Array:
        """Return what the outputs (N, K) stand for: probabilities, means or values."""
        return outputs

    def parameters(self, outputs: int) -> Vector | None:
        """Return one number for each of K outputs, as a kernel takes them; None: it takes none."""
        return None

    @abstractmethod
    def outputs(self, targets: Array) -> int:
        """Return the number K of outputs that encoded targets ask for."""

    def score(self, outputs: Array, targets: Array, score_scale: Vector | None = None) -> Array:
        """Return each sample's share of the score (N,).

        The mean over the samples is the accuracy; where `score_name` is "r2", R² is 1 - the mean.
        Without a score: NaN.
        """
        return np.full(len(outputs), np.nan, outputs.dtype)

    def score_of_mean(self, mean: float) -> float:
        """Return the score from the mean of `score` over the samples."""
        return 1 - mean if self.score_name == "r2" else mean

    def score_scale(self, targets: Array) -> Vector | None:
        """Return what `score` multiplies squared errors by (K,), from all targets it is asked for.

        None for losses whose score is not R².
        """
        return None

    def output_scaling(
        self, targets: Array, weights: Vector | None = None
    ) -> tuple[Vector, Vector] | None:
        """Return (shift, scale), each (K,): targets' place and size, where outputs should start.

        The network then predicts scale * z + shift, with z of its last layer; None: z itself.

        Parameters
        ----------
        targets : ndarray, shape (M, columns)
            Those of the training rows, encoded.
        weights : ndarray of float64, shape (M,), optional
            Of the samples; at least one above 0.
        """
        return None

    def with_label_smoothing(self, label_smoothing: float) -> Loss:
        """Return this loss with train's `label_smoothing`; 0 leaves it as it is.

        Raises
        ------
        ValueError
            The loss has no labels to smooth, or another smoothing of its own.
        """
        smoothing = checks.number("label_smoothing", label_smoothing, minimum=0, below=1)
        if smoothing:
            raise ValueError(
                f"label_smoothing: {label_smoothing} with loss {self.name!r}; must be 0, only "
                "cross_entropy and logistic can smooth labels"
            )
        return self

    def without_smoothing(self) -> Loss:
        """Return the loss as data not trained on are judged by it: of the labels as they are."""
        return self

    def describe(self) -> dict[str, Any]:
        """Return name and parameters as JSON holds them; `from_description` reads it back."""
        result: dict[str, Any] = {"name": self.name}
        for field in fields(self):
            value = getattr(self, field.name)
            result[field.name] = list(value) if isinstance(value, tuple) else value
        return result


@dataclass(frozen=True)
class SmoothedLoss(Loss):
    """A loss of labels that need not be quite certain (Szegedy et al. 2016)."""

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        smoothing = checks.number("label_smoothing", self.label_smoothing, minimum=0, below=1)
        object.__setattr__(self, "label_smoothing", smoothing)

    def with_label_smoothing(self, label_smoothing: float) -> Self:
        """Return this loss with train's `label_smoothing`; 0 leaves it as it is."""
        smoothing = checks.number("label_smoothing", label_smoothing, minimum=0, below=1)
        if not smoothing or smoothing == self.label_smoothing:
            return self
        if self.label_smoothing:
            raise ValueError(
                f"label_smoothing: {label_smoothing} with loss {self}; must be given once"
            )
        return replace(self, label_smoothing=smoothing)

    def without_smoothing(self) -> Self:
        """Return the loss as data not trained on are judged by it: of the labels as they are."""
        return replace(self, label_smoothing=0.0)
