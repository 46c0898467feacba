"""The `class_weight` argument: from what the user says to one number a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.losses import labels
from twolayer_ext.losses.loss import Vector
from twolayer_ext.losses.targets import Task


def class_weights(
    value: object, task: Task, encoded: Array, rows: NDArray[np.int64] | None = None
) -> Vector:
    """Return the weight of each sample's class.

    Parameters
    ----------
    value : "balanced", mapping or sequence
        "balanced" weighs a class by N / (C * its samples), counted over `rows`; a mapping is keyed
        by the user's labels, and classes it leaves out weigh 1; a sequence has one number a class,
        in the order of `task.classes`.
    task : Task
        With classes.
    encoded : ndarray
        The targets, as the task encoded them.
    rows : ndarray of int64, optional
        The training rows. Default: all.

    Returns
    -------
    ndarray of float64, shape (N,)

    Raises
    ------
    ValueError, TypeError
        The task has no classes; an unknown class; a weight that is negative or not finite.
    """
    weights = weights_of_classes(value, task, encoded, rows)
    return np.asarray(weights[_indices(encoded)])


def weights_of_classes(
    value: object, task: Task, encoded: Array, rows: NDArray[np.int64] | None = None
) -> Vector:
    """Return the weight of each class (C,); takes and raises what `class_weights` does."""
    if task.classes is None:
        raise ValueError(
            f"class_weight: {checks.shown(value)} with loss {task.loss.name!r}; must be None "
            "without classes, sample_weight weighs rows"
        )
    indices = _indices(encoded)
    return _of_classes(value, task.classes, indices if rows is None else indices[rows])


def _indices(encoded: Array) -> NDArray[np.int64]:
    return encoded.astype(np.int64, copy=False).reshape(-1)


def _of_classes(value: object, classes: Array, indices: NDArray[np.int64]) -> Vector:
    count = len(classes)
    if isinstance(value, str):
        checks.choice("class_weight", value, ("balanced",))
        counts = np.bincount(indices, minlength=count)
        return len(indices) / (count * np.maximum(counts, 1))
    weights = np.ones(count)
    if isinstance(value, Mapping):
        place = {label: index for index, label in enumerate(classes.tolist())}
        for label, weight in value.items():
            if label not in place:
                raise ValueError(
                    f"class_weight: class {checks.shown(label)}; must be of "
                    f"{labels.listed_classes(classes)}"
                )
            weights[place[label]] = checks.number(f"class_weight[{label!r}]", weight, minimum=0)
        return weights
    is_list = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim > 0)
    if not is_list:
        raise TypeError(
            f"class_weight: {checks.shown(value)}; must be 'balanced', a number for each class, "
            "or a dict"
        )
    assert isinstance(value, (Sequence, np.ndarray))
    if len(value) != count:
        raise ValueError(f"class_weight: {len(value)} numbers; must be {count}, one a class")
    for index, weight in enumerate(value):
        weights[index] = checks.number(f"class_weight[{index}]", weight, minimum=0)
    return weights
