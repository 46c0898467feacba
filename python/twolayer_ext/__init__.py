"""Multi-layer perceptrons on a CPU: exact, reproducible, fast.

>>> import twolayer_ext as tl
>>> digits = tl.datasets.load_digits()
>>> result = tl.train(digits.x, digits.y, validation_fraction=0.2)
>>> classes = result.network.predict(digits.x)
"""

from typing import TYPE_CHECKING, Any

import twolayer_command

try:
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
except ImportError as error:
    twolayer_command.import_failed(error)
    raise
from twolayer_ext._core import build_info
from twolayer_ext.errors import (
    CheckpointError,
    DivergenceError,
    DownloadError,
    FileFormatError,
    MissingExtraError,
    NetworkBusyError,
    SweepInterrupted,
    TrainingInterrupted,
    TwolayerError,
)
from twolayer_ext.network import GradientReport, Network, Optimizer, check_gradients, load
from twolayer_ext.sweeping import SweepResult, sweep
from twolayer_ext.training import Augment, EpochEvent, TrainResult, train
from twolayer_ext.version import __version__

if TYPE_CHECKING:
    # Under their own names, so that type checkers take them for public; they are not in __all__,
    # for a star-import asks for all that is there, scikit-learn installed or not.
    from twolayer_ext.estimators import MLPClassifier as MLPClassifier
    from twolayer_ext.estimators import MLPRegressor as MLPRegressor

_ESTIMATORS = ("MLPClassifier", "MLPRegressor")
__all__ = [
    "Augment",
    "CheckpointError",
    "DivergenceError",
    "DownloadError",
    "EpochEvent",
    "FileFormatError",
    "GradientReport",
    "MissingExtraError",
    "Network",
    "NetworkBusyError",
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


def __getattr__(name: str) -> Any:
    """Import the estimators when they are asked for: scikit-learn takes a second."""
    if name not in _ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from twolayer_ext import estimators

    return getattr(estimators, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ESTIMATORS})
