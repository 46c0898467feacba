"""The task: what y holds, what a network's outputs mean, and the way between the two."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from twolayer_ext import frames
from twolayer_ext.checks import Array
from twolayer_ext.losses import labels
from twolayer_ext.losses.kinds import CrossEntropy, Logistic, SquaredError
from twolayer_ext.losses.loss import Loss
from twolayer_ext.losses.registry import make

_MANY_INTEGERS = 1000
_FEW_FLOATS = 20
_LARGEST_EXACT = 2**53  # of integers in float64
_REGRESSION = "loss='squared_error' (counts: 'poisson')"


@dataclass(frozen=True, eq=False)
class Task:
    """A loss, and the targets it was chosen for.

    Attributes
    ----------
    loss : Loss
    outputs : int
        K of the network's last layer.
    columns : int
        Of the encoded targets: 1 for labels.
    single : bool
        y was (N,), and so are predictions.
    classes : ndarray or None
        The user's labels, ascending, in their dtype; the class index is the place in it. None
        where y holds numbers or a matrix of labels.
    column_names : tuple of str or None
        The names of y's columns, where a frame gave them; in further frames they may stand in any
        order.
    """

    loss: Loss
    outputs: int
    columns: int
    single: bool
    classes: Array | None = None
    column_names: tuple[str, ...] | None = None

    def check(self) -> None:
        """Raise ValueError unless the parts fit each other, as those of a file may not."""
        labels_wanted = self.loss.takes == "labels"
        if labels_wanted and (self.classes is None or not self.single):
            raise ValueError(f"loss {self.loss.name!r} without classes")
        if self.classes is None:
            wanted = self.columns * self.loss.outputs_per_target
            width = getattr(self.loss, "width", None) or wanted
            if self.outputs != width:
                raise ValueError(f"{self.outputs} outputs for {self.columns} columns of targets")
            if self.single and self.columns != 1:
                raise ValueError(f"{self.columns} columns in targets of one")
            return
        count = len(self.classes)
        wanted = count if labels_wanted else 1
        known = count == 2 or (labels_wanted and count > 2)
        if not known or self.outputs != wanted or self.columns != 1:
            raise ValueError(f"{count} classes for {self.outputs} outputs")
        if not (self.classes[1:] > self.classes[:-1]).all():
            raise ValueError("its classes do not ascend")
        if self.classes.dtype.kind == "f" and not (
            np.isfinite(self.classes).all() and labels.whole(self.classes)
        ):
            raise ValueError("its classes are no whole numbers")

    def encode(self, y: ArrayLike, *, rows: int, name: str = "y") -> Array:
        """Return further targets as the kernels read them, checked against the task.

        Parameters
        ----------
        y : array_like, shape (N,) or (N, columns)
            As the training data had it; (N,) and (N, 1) are the same for numbers.
        rows : int
            The N required.
        name : str
            How messages call it.

        Returns
        -------
        ndarray, C-contiguous
            int64 class indices (N,) for cross-entropy and other losses of labels; for all others
            (N, columns) of uint8, float32 or float64, the smallest that holds every value exactly.

        Raises
        ------
        TypeError, ValueError
            Another type, shape or number of rows; a missing value; a label that training did not
            have; a value that the loss does not allow. The first such row is named.
        """
        ordered = frames.in_order(y, self.column_names, name)
        return self._encoded(labels.values(ordered, name), rows, name)

    def _encoded(self, values: Array, rows: int, name: str) -> Array:
        _check_rows(values, rows, name)
        if self.classes is not None:
            indices = labels.indices(values, self.classes, name)
            if self.loss.takes == "labels":
                return indices
            return indices.astype(np.uint8).reshape(-1, 1)
        numbers = _numbers(values, self.loss, name)
        if numbers.shape[1] != self.columns:
            raise ValueError(
                f"{name}: {numbers.shape[1]} columns; must have {self.columns}, as in training"
            )
        return numbers

    def decode(self, predictions: Array, *, even: float = 0.5) -> Array:
        """Return what `predict` gives, in the user's terms.

        Parameters
        ----------
        predictions : ndarray, shape (N, K)
            As the loss's `prediction` makes them of outputs: probabilities, means, values. Of
            classifiers the outputs themselves do as well, with ``even=0``: no rounding of a
            probability comes between two that are nearly the same.
        even : float, default 0.5
            What a logistic output must be above for its label to hold.

        Returns
        -------
        ndarray
            Labels (N,), of equally probable ones the first; for a matrix of labels int64 0 or 1
            (N, K), where the probability is above 1/2. Numbers: (N,) or (N, columns) as y was;
            where several outputs share a target, (N, outputs) or (N, columns, outputs).
        """
        if self.loss.takes == "indicators":
            holds = (predictions > even).astype(np.int64)
            return holds if self.classes is None else np.asarray(self.classes[holds[:, 0]])
        if self.classes is not None:
            return self.labels(predictions.argmax(axis=1))
        several = self.loss.outputs_per_target
        if self.single:
            return predictions[:, 0] if self.outputs == 1 else predictions
        if several > 1:
            return predictions.reshape(len(predictions), self.columns, several)
        return predictions

    def labels(self, numbers: Array) -> Array:
        """Return the labels (N,) of classes by their numbers."""
        return np.asarray(self.classes)[numbers]

    def probabilities(self, predictions: Array) -> Array:
        """Return what `predict_proba` gives: (N, C), or for a matrix of labels (N, K).

        Parameters
        ----------
        predictions : ndarray, shape (N, K)
            As for `decode`.

        Raises
        ------
        ValueError
            The loss has no probabilities.
        """
        if not self.loss.has_probabilities:
            raise ValueError(
                f"predict_proba: the loss is {self.loss.name!r}; must be 'cross_entropy' or "
                "'logistic' to give probabilities"
            )
        if self.loss.takes == "indicators" and self.classes is not None:
            return np.concatenate([1 - predictions, predictions], axis=1)
        return predictions


def task_of(loss: Loss, outputs: int) -> Task:
    """Return the task of a network made by hand: classes 0 ... K-1, or so many numbers.

    Raises
    ------
    ValueError
        So many outputs do not fit the loss.
    """
    if loss.takes == "labels":
        if outputs < 2:
            raise ValueError(f"layer_sizes: {outputs} output; must have at least 2 classes")
        return Task(loss, outputs, columns=1, single=True, classes=np.arange(outputs))
    if loss.takes == "indicators" and outputs == 1:
        return Task(loss, 1, columns=1, single=True, classes=np.arange(2))
    each = loss.outputs_per_target
    if outputs % each:
        raise ValueError(f"layer_sizes: {outputs} outputs; must be a multiple of the {each} levels")
    single = outputs == each and loss.takes != "indicators"
    return Task(loss, outputs, columns=outputs // each, single=single)


def read(
    y: ArrayLike,
    *,
    rows: int,
    loss: object = None,
    classes: object = None,
    label_smoothing: float = 0.0,
    name: str = "y",
) -> tuple[Task, Array]:
    """Return the task that y sets, and y encoded for it.

    Parameters
    ----------
    y : array_like, shape (N,) or (N, columns)
        Labels of any type (strings, booleans, integers, whole floats), or numbers; also columns
        and frames of pandas and polars.
    rows : int
        The N required.
    loss : str, Loss, callable or None
        None takes strings, booleans, integers and floats with few distinct whole values for labels
        ("cross_entropy"), a matrix of 0 and 1 for labels of which several can hold ("logistic"),
        other floats for numbers ("squared_error"). Few are 2, or up to 20 and half the rows, or
        up to the root of the number of rows.
    classes : int or array_like, optional
        The labels there can be, where y need not hold all of them; an int C means 0 ... C-1.
    label_smoothing : float in [0, 1), default 0
        For losses of labels.
    name : str
        How messages call y.

    Returns
    -------
    task : Task
    encoded : ndarray
        As `Task.encode` gives it.

    Raises
    ------
    TypeError, ValueError
        What `Task.encode` raises; fewer than two classes; y that does not fit the loss; integers
        that are hardly labels without a loss.
    """
    chosen = None if loss is None else make(loss)
    values = labels.values(y, name)
    _check_rows(values, rows, name)
    known = None if classes is None else labels.given_classes(classes)
    if chosen is None:
        chosen = CrossEntropy() if known is not None else _inferred(values, name)
    chosen = chosen.with_label_smoothing(label_smoothing)
    single = values.ndim == 1
    if chosen.takes == "labels" or (chosen.takes == "indicators" and single):
        known = labels.classes_of(values, name) if known is None else known
        if chosen.takes == "labels":
            task = Task(chosen, outputs=len(known), columns=1, single=True, classes=known)
        else:
            _check_two(known, values, name)
            task = Task(chosen, outputs=1, columns=1, single=True, classes=known)
        return task, task._encoded(values, rows, name)
    if known is not None:
        raise ValueError(
            f"classes: {labels.listed_classes(known)} with loss {chosen.name!r} of "
            f"{'numbers' if single else 'a matrix'}; must be None, or y labels (rows,)"
        )
    encoded = _numbers(values, chosen, name)
    task = Task(
        chosen,
        outputs=chosen.outputs(encoded),
        columns=encoded.shape[1],
        single=single,
        column_names=frames.column_names(y, name),
    )
    return task, encoded


def _check_rows(values: Array, rows: int, name: str) -> None:
    if len(values) != rows:
        raise ValueError(f"{name}: {len(values)} targets; must be one for each of the {rows} rows")


def _check_two(classes: Array, values: Array, name: str) -> None:
    if len(classes) == 2:
        return
    hint = "must be 2, for more loss='cross_entropy'"
    if values.dtype.kind == "f":
        hint += f"; for probabilities {name}.reshape(-1, 1)"
    raise ValueError(f"{name}: {len(classes)} classes with loss 'logistic'; {hint}")


def _inferred(values: Array, name: str) -> Loss:
    """Return the loss for y without one; where y is hardly what was meant, say what to do."""
    kind = values.dtype.kind
    rows, columns = len(values), 1 if values.ndim == 1 else values.shape[1]
    if columns != 1:
        if kind in "iubf" and ((values == 0) | (values == 1)).all():
            return Logistic()
        if kind == "f":
            return SquaredError()
        if kind in "iu":
            raise ValueError(
                f"{name}: shape {values.shape} of integers that are not 0 or 1; to predict "
                f"numbers, {_REGRESSION}; labels must be (rows,)"
            )
        return CrossEntropy()  # strings: their shape is refused with a hint
    if kind not in "iuf":
        return CrossEntropy()
    if kind == "f" and not labels.whole(values):
        return SquaredError()
    distinct = len(np.unique(values))
    if kind == "f":
        few = max(2, min(_FEW_FLOATS, rows // 2), math.isqrt(rows))
        return CrossEntropy() if distinct <= few else SquaredError()
    if distinct > max(_MANY_INTEGERS, rows // 2):
        raise ValueError(
            f"{name}: {distinct} different integers in {rows} rows; to predict numbers, "
            f"{_REGRESSION}; if these are classes, loss='cross_entropy'"
        )
    return CrossEntropy()


def _numbers(values: Array, loss: Loss, name: str) -> Array:
    """Return numbers as the kernels read them (N, columns), within what the loss takes."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind in "US":
        raise TypeError(
            f"{name}: type {values.dtype}; loss {loss.name!r} takes numbers; for classes, "
            "loss='cross_entropy'"
        )
    matrix = values.reshape(-1, 1) if values.ndim == 1 else values
    if matrix.shape[1] == 0:
        raise ValueError(f"{name}: shape {matrix.shape}; must have at least one column")
    _check_range(matrix, loss, name)
    if kind in "iu" and size == 8:
        for worst in (int(matrix.min()), int(matrix.max())):
            if abs(worst) > _LARGEST_EXACT:
                raise ValueError(
                    f"{name}: holds {worst}; integers must be within 2**53 to stay exact"
                )
    dtype: type[np.generic] = np.float64
    if kind == "b" or (kind == "u" and size == 1) or (kind in "iu" and loss.takes == "indicators"):
        dtype = np.uint8
    elif size <= (4 if kind == "f" else 2):
        dtype = np.float32
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(matrix, dtype=dtype)
    if kind == "f" and size > 8 and not np.isfinite(result).all():
        raise ValueError(f"{name}: values beyond float64; must be finite there")
    return result


def _check_range(matrix: Array, loss: Loss, name: str) -> None:
    """Raise ValueError at the first number that the loss does not take."""
    if loss.takes == "indicators":
        outside, allowed = (matrix < 0) | (matrix > 1), "in 0 ... 1"
        if matrix.shape[1] == 1:
            allowed += f"; labels must be (rows,): {name}.ravel()"
    elif loss.takes == "counts":
        outside, allowed = matrix < 0, "at least 0"
    else:
        return
    if outside.any():
        row, column = (int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"{name}: {matrix[row, column]} in row {row}, column {column}; with loss "
            f"{loss.name!r} must be {allowed}"
        )
