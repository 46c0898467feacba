"""The NumPy twin: what is right, in readable arithmetic, without C++.

`Network` and `train` are used as those of the package, and follow the same protocol: the same
random streams, the same batches, the same history, by the same code. The mathematics is a second,
independent writing of the compiled core's.
"""

from twolayer_ext.network import GradientReport, check_gradients
from twolayer_ext.reference.network import NumpyNetwork as NumpyNetwork
from twolayer_ext.reference.trainer import NumpyTrainer as NumpyTrainer
from twolayer_ext.reference.twin import Network, load, train
from twolayer_ext.training import TrainResult

__all__ = [
    "GradientReport",
    "Network",
    "TrainResult",
    "check_gradients",
    "load",
    "train",
]
