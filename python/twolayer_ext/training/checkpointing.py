"""When a training writes its checkpoints, and what happens where it cannot."""

from __future__ import annotations

import os
import time
import warnings
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from twolayer_ext.engine import EngineTrainer
from twolayer_ext.files.writing import remove_leftovers
from twolayer_ext.network import NetworkBase
from twolayer_ext.training import checkpoint
from twolayer_ext.training.checkpoint import Origin
from twolayer_ext.training.record import Record
from twolayer_ext.training.signals import HeldSignals

DEFAULT_SECONDS = 60.0


class _Run(Protocol):
    """What is saved."""

    @property
    def network(self) -> NetworkBase: ...
    @property
    def trainer(self) -> EngineTrainer: ...
    @property
    def record(self) -> Record: ...


class Checkpoints:
    """Writes the checkpoints of one run; a context manager that holds signals back meanwhile.

    Parameters
    ----------
    path : path-like
        Only one training at a time writes there.
    origin : Origin
    every : int or None
        Epochs between checkpoints.
    seconds : float or None
        Between checkpoints, within epochs too.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        origin: Origin,
        *,
        every: int | None,
        seconds: float | None,
    ) -> None:
        self._path = path
        self._origin = origin
        self._every = every
        self._seconds = DEFAULT_SECONDS if every is None and seconds is None else seconds
        self._signals = HeldSignals()
        self._written: tuple[int, int] | None = None  # where training was, of the last one whole
        self._next = 0.0
        # One that is damaged must not take the place of a whole one before it.
        self._keep = False

    def __enter__(self) -> Self:
        remove_leftovers(self._path)
        self._keep = checkpoint.whole(self._path)
        self._wait()
        self._signals.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._signals.__exit__(kind, error, trace)

    def between_calls(self, run: _Run) -> None:
        """Write if it is time, or if the training is asked to stop; which it then does."""
        if self._signals.pending is not None:
            self._try(run)
            self._signals.answer()
        elif self._seconds is not None and time.monotonic() >= self._next:
            self._try(run)

    def after_epoch(self, run: _Run) -> None:
        """Write if enough epochs have passed."""
        if self._every is not None and len(run.record.closed) % self._every == 0:
            self._try(run)
        self.between_calls(run)

    def last(self, run: _Run) -> None:
        """Write the state at the end, if it is not there yet; OSError if that cannot be done."""
        self._write(run)
        self._signals.answer()

    def _try(self, run: _Run) -> None:
        try:
            self._write(run)
        except OSError as error:
            self._wait()
            there = "none is there yet"
            if self._written is not None:
                epochs, steps = self._written
                there = f"the last one holds {epochs} epochs and {steps} steps"
            warnings.warn(
                f"checkpoint: {os.fspath(self._path)}: {error.strerror}; training goes on, {there}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _write(self, run: _Run) -> None:
        position = run.record.position
        if position == self._written:
            return
        network = run.network.state()
        if not all(np.isfinite(a).all() for pair in network.parameters for a in pair):
            return  # the next step, or the end, says so; what is there is better
        checkpoint.write(
            self._path,
            self._origin,
            network,
            run.trainer.state(),
            run.record,
            keep_previous=self._keep,
        )
        self._keep, self._written = True, position
        self._wait()

    def _wait(self) -> None:
        if self._seconds is not None:
            self._next = time.monotonic() + self._seconds
