"""train(): options, the loop over epochs, techniques, progress."""

from twolayer_ext.training.augment import Augment
from twolayer_ext.training.options import TrainOptions
from twolayer_ext.training.result import EpochEvent, History, TrainResult
from twolayer_ext.training.train import DEFAULTS, fit, prepare, train

__all__ = [
    "DEFAULTS",
    "Augment",
    "EpochEvent",
    "History",
    "TrainOptions",
    "TrainResult",
    "fit",
    "prepare",
    "train",
]
