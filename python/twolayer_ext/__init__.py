"""Multi-layer perceptrons on a CPU: exact, reproducible, fast.

>>> import twolayer_ext as tl
>>> digits = tl.datasets.load_digits()
>>> result = tl.train(digits.x, digits.y, validation_fraction=0.2)
>>> classes = result.network.predict(digits.x)
"""

from twolayer_ext import (
    activations,
    datasets,
    distributions,
    errors,
    losses,
    optimizers,
    plots,
    recipes,
    reference,
    schedules,
)
from twolayer_ext._core import build_info
from twolayer_ext.errors import (
    DivergenceError,
    DownloadError,
    FileFormatError,
    MissingExtraError,
    SweepInterrupted,
    TrainingInterrupted,
    TwolayerError,
)
from twolayer_ext.network import GradientReport, Network, Optimizer, check_gradients, load
from twolayer_ext.sweeping import SweepResult, sweep
from twolayer_ext.training import Augment, EpochEvent, TrainResult, train
from twolayer_ext.version import __version__

__all__ = [
    "Augment",
    "DivergenceError",
    "DownloadError",
    "EpochEvent",
    "FileFormatError",
    "GradientReport",
    "MissingExtraError",
    "Network",
    "Optimizer",
    "SweepInterrupted",
    "SweepResult",
    "TrainResult",
    "TrainingInterrupted",
    "TwolayerError",
    "__version__",
    "activations",
    "build_info",
    "check_gradients",
    "datasets",
    "distributions",
    "errors",
    "load",
    "losses",
    "optimizers",
    "plots",
    "recipes",
    "reference",
    "schedules",
    "sweep",
    "train",
]
