"""A loss that is a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.losses.kinds import SquaredError
from twolayer_ext.losses.loss import Loss, ScoreName, Vector
from twolayer_ext.losses.moments import mean_and_deviation

# f(outputs (N, K), targets) -> (losses (N,), gradient (N, K))
LossFunction: TypeAlias = Callable[[Array, Array], tuple[ArrayLike, ArrayLike]]


@dataclass(frozen=True)
class LostFunction:
    """What stands for the function of a custom loss that came from a file: it only refuses."""

    name: str

    def __call__(self, outputs: Array, targets: Array) -> tuple[ArrayLike, ArrayLike]:
        """Raise ValueError."""
        raise ValueError(
            f"loss: the network was trained with the function {self.name!r}, which no file "
            "holds; must be given again, as loss=function, where a loss is asked for"
        )


@dataclass(frozen=True)
class CustomLoss(Loss):
    """A function ``f(outputs, targets) -> (losses, gradient)`` as a loss.

    Parameters
    ----------
    function : callable
        Called once a batch with the outputs (N, K), in the network's dtype, and the targets:
        (N, columns) in the same dtype, or int64 class indices (N,). It returns each sample's loss
        (N,) and the gradient of that loss at the sample's outputs (N, K), neither averaged over
        the samples nor weighted. It may overwrite its arguments.
    takes : {"real", "labels"}, default "real"
        What y holds: numbers, or labels, with one output a class.
    width : int, optional
        How many outputs the network has, such as 2 for a mean and a variance. Default: one a
        column of y, or one a class.

    Notes
    -----
    Predictions are the outputs; of labels, the class of the largest. A file holds the function's
    name only: a loaded network predicts, and what needs its loss must be given the function again.
    """

    function: LossFunction
    takes: Literal["real", "labels"] = "real"
    width: int | None = None
    name: ClassVar[str] = "custom"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(
                f"function: {checks.shown(self.function)}; must be a function "
                "f(outputs, targets) -> (losses, gradient)"
            )
        checks.choice("takes", self.takes, ("real", "labels"))
        if self.width is None:
            return
        object.__setattr__(self, "width", checks.integer("width", self.width, minimum=1))
        if self.takes == "labels":
            raise ValueError(f"width: {self.width}; must be None with labels: one output a class")

    @property
    def score_name(self) -> ScoreName:
        """Accuracy where there are classes, R² of outputs that stand for y; else none is known."""
        if self.takes == "labels":
            return "accuracy"
        return "r2" if self.width is None else ""

    @property
    def function_name(self) -> str:
        """The function's name, else its type's."""
        if isinstance(self.function, LostFunction):
            return self.function.name
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def value_and_gradient(self, outputs: Array, targets: Array) -> tuple[Array, Array]:
        """Return what the function gives, in the outputs' dtype.

        Raises
        ------
        TypeError, ValueError
            It gives something else than losses (N,) and a gradient (N, K).
        """
        dtype = targets.dtype if self.takes == "labels" else outputs.dtype
        result = self.function(outputs.copy(), np.array(targets, dtype=dtype))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(
                f"loss: {self.function_name} returned {checks.shown(result)}; must return the "
                "pair (losses, gradient)"
            )
        return (
            self._returned("losses", result[0], outputs, (len(outputs),)),
            self._returned("gradient", result[1], outputs, outputs.shape),
        )

    def _returned(
        self, part: str, value: ArrayLike, outputs: Array, shape: tuple[int, ...]
    ) -> Array:
        array = np.asarray(value)
        if array.dtype.kind not in "iufb":
            raise TypeError(
                f"loss: {self.function_name} returned {part} of type {array.dtype}; must be real "
                "numbers"
            )
        if array.shape != shape:
            raise ValueError(
                f"loss: {self.function_name} returned {part} of shape {array.shape}; must be "
                f"{shape}"
            )
        return array.astype(outputs.dtype, order="C", copy=False)

    def outputs(self, targets: Array) -> int:
        """Return `width`, or one output a column or class."""
        if self.width is not None:
            return self.width
        return int(targets.max()) + 1 if self.takes == "labels" else int(targets.shape[1])

    def score(self, outputs: Array, targets: Array, score_scale: Vector | None = None) -> Array:
        """Return 1 where the largest output is the label's; of real targets as squared error."""
        if self.takes == "labels":
            return np.asarray(outputs.argmax(axis=1) == targets, outputs.dtype)
        if self.width is not None:
            return super().score(outputs, targets)
        return SquaredError().score(outputs, targets, score_scale)

    def score_scale(self, targets: Array) -> Vector | None:
        """Return what squared error has, where R² is the score."""
        return SquaredError().score_scale(targets) if self.score_name == "r2" else None

    def output_scaling(
        self, targets: Array, weights: Vector | None = None
    ) -> tuple[Vector, Vector] | None:
        """Return mean and standard deviation of real targets; None unless each has one output."""
        if self.takes == "labels" or self.width not in (None, targets.shape[1]):
            return None
        mean, deviation = mean_and_deviation(targets, weights)
        return mean, np.where(deviation > 0, deviation, 1.0)

    def describe(self) -> dict[str, Any]:
        """Return what a file can hold of it: not the function, but its name."""
        return {
            "name": self.name,
            "function": self.function_name,
            "takes": self.takes,
            "width": self.width,
        }
