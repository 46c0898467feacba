"""Losses: what training makes small, what a prediction is, and how targets become numbers.

A loss is a small frozen object with its arithmetic in NumPy, which says what is right; the compiled
core has a kernel of the same name. `train(loss=...)` takes a name of `LOSSES`, an object such as
``losses.Huber(delta=2.0)``, or a function ``f(outputs, targets) -> (losses, gradient)``.
"""

from twolayer_ext.losses.absolute_error import AbsoluteError
from twolayer_ext.losses.class_weights import class_weights
from twolayer_ext.losses.cross_entropy import CrossEntropy
from twolayer_ext.losses.custom import CustomLoss, LossFunction
from twolayer_ext.losses.huber import Huber
from twolayer_ext.losses.logistic import Logistic
from twolayer_ext.losses.loss import Loss
from twolayer_ext.losses.poisson import Poisson
from twolayer_ext.losses.quantile import Quantile
from twolayer_ext.losses.registry import LOSSES, from_description, help_text, make, parse
from twolayer_ext.losses.squared_error import SquaredError
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
]
