"""Network: layers, parameters, normalisation, task; predict, evaluate, save and load."""

from twolayer_ext.network.base import NetworkBase
from twolayer_ext.network.gradients import GradientReport, check_gradients
from twolayer_ext.network.network import Network, load
from twolayer_ext.network.optimizer import Optimizer

__all__ = ["GradientReport", "Network", "NetworkBase", "Optimizer", "check_gradients", "load"]
