"""The names that arguments take, for type checkers; the tests compare them with what there is."""

from __future__ import annotations

from typing import Literal, TypeAlias

from twolayer_ext.losses import Loss, LossFunction
from twolayer_ext.optimizers import Optimizer

ActivationName: TypeAlias = Literal[
    "identity", "relu", "tanh", "logistic", "leaky_relu", "elu", "selu", "softplus", "gelu",
    "gelu_tanh", "silu", "mish",
]  # fmt: skip
LossName: TypeAlias = Literal[
    "cross_entropy", "logistic", "squared_error", "absolute_error", "huber", "poisson", "quantile"
]
LossArgument: TypeAlias = LossName | Loss | LossFunction
OptimizerName: TypeAlias = Literal["sgd", "adam", "adamw", "lion", "rmsprop"]
OptimizerArgument: TypeAlias = OptimizerName | Optimizer
InitName: TypeAlias = Literal["auto", "he", "glorot", "lecun"]
NormalizeName: TypeAlias = Literal["standard", "center", "scale"]
DtypeName: TypeAlias = Literal["float32", "float64"]
