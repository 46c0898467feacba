"""Losses: what training makes small, what a prediction is, and how targets become numbers.

A loss is a small frozen object with its arithmetic in NumPy, which says what is right; the compiled
core has a kernel of the same name. `train(loss=...)` takes a name of `LOSSES`, an object such as
``losses.Huber(delta=2.0)``, or a function ``f(outputs, targets) -> (losses, gradient)``.
"""

from twolayer_ext.losses.class_weights import class_weights, weights_of_classes
from twolayer_ext.losses.custom import CustomLoss, LossFunction
from twolayer_ext.losses.kinds import (
    LOSSES,
    AbsoluteError,
    CrossEntropy,
    Huber,
    Logistic,
    LossName,
    Poisson,
    Quantile,
    SquaredError,
)
from twolayer_ext.losses.loss import Loss
from twolayer_ext.losses.registry import from_description, help_text, make, parse
from twolayer_ext.losses.targets import Task, read, task_of

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "CrossEntropy",
    "CustomLoss",
    "Huber",
    "Logistic",
    "Loss",
    "LossFunction",
    "LossName",
    "Poisson",
    "Quantile",
    "SquaredError",
    "Task",
    "class_weights",
    "from_description",
    "help_text",
    "make",
    "parse",
    "read",
    "task_of",
    "weights_of_classes",
]
