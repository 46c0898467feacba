"""The names that arguments take, for type checkers; the tests compare them with what there is."""

from __future__ import annotations

from typing import Literal, TypeAlias

from twolayer_ext.activations import ActivationName
from twolayer_ext.losses import Loss, LossFunction, LossName
from twolayer_ext.optimizers import Optimizer, OptimizerName

__all__ = [
    "ActivationName",
    "ComputeDtypeName",
    "DtypeName",
    "InitName",
    "LossArgument",
    "LossName",
    "NormalizeName",
    "OptimizerArgument",
    "OptimizerName",
]

LossArgument: TypeAlias = LossName | Loss | LossFunction
OptimizerArgument: TypeAlias = OptimizerName | Optimizer
InitName: TypeAlias = Literal["auto", "he", "glorot", "lecun"]
NormalizeName: TypeAlias = Literal["standard", "center", "scale"]
DtypeName: TypeAlias = Literal["float32", "float64"]
ComputeDtypeName: TypeAlias = Literal["float32", "float64", "bfloat16"]
