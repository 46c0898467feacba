"""One configuration of a sweep, trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array
from twolayer_ext.errors import DivergenceError
from twolayer_ext.network import Network
from twolayer_ext.sweeping.result import Run
from twolayer_ext.sweeping.side_by_side import Advance
from twolayer_ext.sweeping.space import Config
from twolayer_ext.training import TrainOptions, fit


@dataclass(frozen=True)
class Trial:
    """A run to be done: `options` are those of `config`, and all others of `train`."""

    number: int
    config: Config
    x: Array
    y: NDArray[np.int64]
    options: TrainOptions

    def run(self, advance: Advance) -> Run:
        """Train; a loss that stops being finite is a result as well."""
        val_accuracy = val_loss = accuracy = math.nan
        try:
            history = fit(Network, self.x, self.y, self.options, watch=advance).history
        except DivergenceError as error:
            history = error.result.history
        else:
            val_accuracy, val_loss = history["val_accuracy"][-1], history["val_loss"][-1]
            accuracy = history["accuracy"][-1]
        return Run(
            number=self.number,
            config=self.config,
            val_accuracy=val_accuracy,
            val_loss=val_loss,
            accuracy=accuracy,
            epochs=len(history["seconds"]),
            seconds=sum(history["seconds"]),
        )
