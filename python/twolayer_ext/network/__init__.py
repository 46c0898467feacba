"""Network: layers, parameters and input normalisation; predict, evaluate, save and load."""

from twolayer_ext.network.base import NetworkBase
from twolayer_ext.network.gradients import GradientReport, check_gradients
from twolayer_ext.network.network import Network, load

__all__ = ["GradientReport", "Network", "NetworkBase", "check_gradients", "load"]
