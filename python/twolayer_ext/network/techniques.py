"""What a batch is given beside its rows: image shape, dropout, weights; arguments, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.engine import RowNumbers, Weights
from twolayer_ext.losses import Task, class_weights, weights_of_classes

_MOST_DROPPED = 0.999
_MOST_PIXELS = 4096  # a side


def image_shape(name: str, value: object, features: int | None) -> tuple[int, int, int]:
    """Return (channels, height, width), whose product must be `features`."""
    shape = checks.sizes(name, value, minimum_length=3)
    if len(shape) != 3:
        raise ValueError(f"{name}: {shape}; must be (channels, height, width)")
    channels, height, width = shape
    if max(height, width) > _MOST_PIXELS:
        raise ValueError(f"{name}: {shape}; must have at most {_MOST_PIXELS} pixels a side")
    if features is not None and channels * height * width != features:
        raise ValueError(
            f"{name}: {shape} makes {channels * height * width} values; must make the {features} "
            "features of a row"
        )
    return channels, height, width


def _is_list(value: object) -> TypeGuard[Sequence[object] | NDArray[Any]]:
    """Tell whether `value` holds numbers, and is not one itself."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def dropout_shares(value: object, hidden_layers: int) -> tuple[float, ...]:
    """Return one share for each hidden layer, or none where nothing is dropped."""
    if not _is_list(value):
        shares = (checks.number("dropout", value, minimum=0, below=1),) * hidden_layers
    else:
        if len(value) != hidden_layers:
            raise ValueError(
                f"dropout: {len(value)} shares; must be a number, or one for each of the "
                f"{hidden_layers} hidden layers"
            )
        shares = tuple(
            checks.number(f"dropout[{i}]", share, minimum=0, below=1)
            for i, share in enumerate(value)
        )
    for share in shares:
        if share > _MOST_DROPPED:
            raise ValueError(f"dropout: {share}; must be at most {_MOST_DROPPED}")
    return shares if any(shares) else ()


def sample_weights(
    sample_weight: ArrayLike | None,
    class_weight: object,
    task: Task,
    targets: Array,
    rows: RowNumbers,
) -> Weights | None:
    """Return the weight of each sample, its own times its class's; None where all are 1.

    Only `rows` are trained on: they alone count, and all others get 0. Only ratios matter: weights
    come scaled by a power of two, so that no sum of them overflows.
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(targets))
    with np.errstate(over="ignore", invalid="ignore"):  # the check that follows says it better
        if sample_weight is not None:
            weights *= _one_a_row(sample_weight, len(targets))
        if class_weight is not None:
            weights *= class_weights(class_weight, task, targets, rows)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"sample_weight: {weights[row]} in row {row}; must be finite and at least 0"
        )
    used = np.zeros(len(targets))
    used[rows] = weights[rows]
    if not used.any():
        name = "class_weight" if sample_weight is None else "sample_weight"
        raise ValueError(
            f"{name}: the weights of all training rows are 0; must be above 0 somewhere"
        )
    return np.ldexp(used, -int(np.frexp(used.max())[1]))


def weights_in_loss(
    sample_weight: ArrayLike | None,
    class_weight: object,
    task: Task,
    targets: Array,
    rows: RowNumbers,
) -> tuple[Weights | None, Weights | None]:
    """Return the weight of each sample, and of each class where that is not the same.

    A sample's weight is its class's as well, unless its label is spread over other classes.
    """
    weights = sample_weights(sample_weight, class_weight, task, targets, rows)
    spread = task.loss.name == "cross_entropy" and getattr(task.loss, "label_smoothing", 0.0) > 0
    if class_weight is None or not spread:
        return weights, None
    of_classes = weights_of_classes(class_weight, task, targets, rows)
    return (
        sample_weights(sample_weight, None, task, targets, rows),
        np.ldexp(of_classes, -int(np.frexp(of_classes.max())[1])),
    )


def _one_a_row(sample_weight: ArrayLike, rows: int) -> Array:
    weights = checks.as_array(sample_weight, "sample_weight")
    if weights.dtype.kind not in "iufb":
        raise TypeError(f"sample_weight: type {weights.dtype}; must be real numbers")
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight: shape {weights.shape}; must be ({rows},), one a row")
    return weights
