"""What training gives, and what callbacks are told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from twolayer_ext.network import NetworkBase

History: TypeAlias = dict[str, list[float]]
NetworkT = TypeVar("NetworkT", bound=NetworkBase)
# The same where a network is only read.
NetworkT_co = TypeVar("NetworkT_co", bound=NetworkBase, covariant=True)


def epoch_keys(score_name: str) -> tuple[str, ...]:
    """Return what the history holds of every epoch, in order."""
    if not score_name:
        return ("loss", "val_loss", "learning_rate", "seconds")
    return ("loss", score_name, "val_loss", f"val_{score_name}", "learning_rate", "seconds")


@dataclass(frozen=True, repr=False)
class TrainResult(Generic[NetworkT_co]):
    """What training gives.

    Attributes
    ----------
    network : Network
        The trained network, of the class that was trained.
    history : dict of lists of float
        One entry an epoch: ``loss`` (mean of the step losses, weighted by batch size),
        ``accuracy``, or ``r2`` of numbers (of the predictions made while training, each before its
        update), ``val_loss`` and ``val_accuracy`` or ``val_r2`` (after the epoch, without
        regularisation; nan without validation data), ``learning_rate`` (of the epoch's first step),
        ``seconds`` (validation not counted). One entry a step: ``step_loss``, form (4) of the study
        on the batch before its update.
    best_epoch : int or None
        With early stopping, the epoch, counted from 1, with the smallest ``val_loss``; the first
        of equals. The network has its parameters, unless Ctrl-C ended the training.
    """

    network: NetworkT_co
    history: History
    best_epoch: int | None = None
    _read_state: Callable[[], dict[str, Any]] = field(default=dict, compare=False)

    @cached_property
    def state(self) -> dict[str, Any]:
        """What training goes on with: ``train(x, y, network=result.network, state=result.state)``.

        A dict of "epochs", those done; "steps" and what the optimizer keeps, by the names of
        `Optimizer.state`; with batch normalisation also the unfolded parameters and the running
        statistics. It is that of the last step, also where the network has its best epoch's
        parameters or a mean back.
        """
        return self._read_state()

    def __getstate__(self) -> dict[str, Any]:
        """Return what is copied and pickled; the state is, not the trainer that knows it."""
        parts = {name: getattr(self, name) for name in ("network", "history", "best_epoch")}
        return {**parts, "_read_state": dict, "state": self.state}

    def __repr__(self) -> str:
        """Name the network, and where training ended; the history would fill pages."""
        epochs = len(self.history.get("loss", ()))
        parts = [f"{epochs} epoch{'' if epochs == 1 else 's'}"]
        for name in epoch_keys(self.network.score_name)[:-2]:
            values = self.history.get(name)
            if values and not math.isnan(values[-1]):
                parts.append(f"{name} {values[-1]:.4g}")
        if self.best_epoch is not None:
            parts.append(f"best epoch {self.best_epoch}")
        return f"TrainResult({self.network!r}, {', '.join(parts)})"


@dataclass(frozen=True)
class EpochEvent:
    """What a callback is told after an epoch.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    steps : int
        Done since training began.
    network : Network
        As it stands; change it at your own risk.
    history : dict of lists of float
        As in `TrainResult`, up to here; it goes on growing.
    """

    epoch: int
    steps: int
    network: NetworkBase
    history: History
