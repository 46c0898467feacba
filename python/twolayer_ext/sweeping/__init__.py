"""Search for good arguments of `train`: many small trainings side by side."""

from twolayer_ext.sweeping.result import Run, SweepResult
from twolayer_ext.sweeping.sweep import sweep

__all__ = ["Run", "SweepResult", "sweep"]
