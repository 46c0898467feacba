"""One configuration of a sweep, trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from twolayer_ext.checks import Array
from twolayer_ext.errors import DivergenceError
from twolayer_ext.network import Network
from twolayer_ext.rows import Rows
from twolayer_ext.sweeping.result import Run
from twolayer_ext.sweeping.side_by_side import Advance
from twolayer_ext.sweeping.space import Config
from twolayer_ext.training import TrainOptions, fit


@dataclass(frozen=True)
class Trial:
    """A run to be done: `options` are those of `config`, and all others of `train`."""

    number: int
    config: Config
    x: Rows
    y: Array
    options: TrainOptions

    def run(self, advance: Advance) -> Run:
        """Train; a loss that stops being finite is a result as well."""
        val_score = val_loss = score = math.nan
        try:
            result = fit(Network, self.x, self.y, self.options, watch=advance)
        except DivergenceError as error:
            result = error.result
        else:
            # Of the epoch whose parameters the network has.
            last = -1 if result.best_epoch is None else result.best_epoch - 1
            val_loss = result.history["val_loss"][last]
            if name := result.network.score_name:
                val_score, score = (result.history[key][last] for key in (f"val_{name}", name))
        history = result.history
        return Run(
            number=self.number,
            config=self.config,
            score_name=result.network.score_name,
            val_score=val_score,
            val_loss=val_loss,
            score=score,
            epochs=len(history["seconds"]),
            seconds=sum(history["seconds"]),
        )
