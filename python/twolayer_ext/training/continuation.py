"""Where a training begins: anew, with a network and its state, or with a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic

import numpy as np

from twolayer_ext import checks, optimizers
from twolayer_ext.checks import Array
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.writing import check_writable
from twolayer_ext.optimizers import Optimizer
from twolayer_ext.training import checkpoint, resume
from twolayer_ext.training.checkpoint import Origin, Saved
from twolayer_ext.training.checkpointing import Checkpoints
from twolayer_ext.training.fingerprint import check_same, fingerprint
from twolayer_ext.training.option_table import OPTIONS
from twolayer_ext.training.options import TrainOptions
from twolayer_ext.training.plan import Data, Plan
from twolayer_ext.training.record import Record
from twolayer_ext.training.result import NetworkT


@dataclass
class Continuation(Generic[NetworkT]):
    """What a training goes on from, checked step by step.

    Attributes
    ----------
    options : TrainOptions
        With those of the checkpoint, if there is one.
    network : Network or None
        None: it is to be made.
    trainer : dict or None
        For `EngineTrainer.set_state`.
    record : Record
    defaults : TrainOptions
    saved : Saved or None
        The checkpoint.
    told : bool
        Whether other learning rates than the checkpoint's were given.
    """

    options: TrainOptions
    network: NetworkT | None
    trainer: dict[str, Any] | None
    record: Record
    defaults: TrainOptions
    saved: Saved | None = None
    told: bool = False
    _path: Path | None = field(default=None)

    def check_plan(self, plan: Plan, rows: int) -> None:
        """Raise ValueError where the plan does not go on from the checkpoint."""
        if self.saved is not None:
            resume.check_plan(self.saved, plan, rows, self.told)

    def check_state(
        self, optimizer: Optimizer, sizes: tuple[int, ...], dtype: str, batch_norm: bool
    ) -> None:
        """Raise ValueError or, for a checkpoint, FileFormatError for another trainer's state."""
        if self.trainer is None:
            return
        try:
            self.trainer = _checked(self.trainer, optimizer, sizes, dtype, batch_norm)
        except (ValueError, TypeError) as error:
            if self.saved is None:
                raise
            raise FileFormatError(f"resume: the checkpoint's {error}") from None

    def checkpoints(self, data: Data, plan: Plan) -> Checkpoints | None:
        """Return what writes checkpoints, if they are asked for, once the data are the right ones.

        Raises
        ------
        ValueError, TypeError
            Other data than the checkpoint's; when to write without a file to write to.
        OSError
            The file cannot be written.
        """
        options = self.options
        every, seconds = options["checkpoint_every"], options["checkpoint_seconds"]
        if every is not None:
            every = OPTIONS["checkpoint_every"].integer(every)
        if seconds is not None:
            seconds = OPTIONS["checkpoint_seconds"].number(seconds)
        path = _path("checkpoint", options["checkpoint"]) or self._path
        if path is None:
            for name, value in (("checkpoint_every", every), ("checkpoint_seconds", seconds)):
                if value is not None:
                    raise ValueError(f"{name}: {value} without checkpoint; must come with it")
            return None
        found = fingerprint(data)
        if self.saved is not None:
            check_same(found, self.saved.origin.data)
        check_writable(path, keep_previous=True)
        total, _ = plan.total(len(data.rows))
        factors = None
        if options["schedule"] is not None and plan.factors is not None:
            factors = plan.factors(0, total)
        origin = Origin(resume.written(options, self.defaults), found, total, factors)
        return Checkpoints(path, origin, every=every, seconds=seconds)


def begin(
    network_class: type[NetworkT], given: TrainOptions, defaults: TrainOptions
) -> Continuation[NetworkT]:
    """Return where a training begins; see `train` for what is raised."""
    path = _path("resume", given["resume"])
    if path is None:
        network = _own(network_class, given)
        trainer, record = _of_state(given["state"], network is not None)
        return Continuation(given, network, trainer, record, defaults)
    saved = checkpoint.read(path)
    options, told = resume.merged(saved, given, defaults)
    network = network_class.from_state(resume.network_of(saved, options))
    target = path.with_name(path.name.removesuffix(".previous"))
    return Continuation(
        options, network, saved.trainer, saved.record, defaults, saved, told, target
    )


def _path(name: str, value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise TypeError(f"{name}: {checks.shown(value)}; must be a path")
    text = os.fspath(value)
    if not text or "\0" in text:
        raise ValueError(f"{name}: {checks.shown(text)}; must be the name of a file")
    return Path(text)


def _own(network_class: type[NetworkT], options: TrainOptions) -> NetworkT | None:
    """Return the network to go on with, if one is given."""
    network = options["network"]
    if network is not None and not isinstance(network, network_class):
        room = network_class.__module__.rpartition(".")[0]
        raise TypeError(
            f"network: {type(network).__name__}; must be a {room}.{network_class.__name__}"
        )
    return network


def _of_state(state: object, with_network: bool) -> tuple[dict[str, Any] | None, Record]:
    """Return the trainer's part of `TrainResult.state`, and a record that begins after it."""
    if state is None:
        return None, Record()
    if not with_network:
        raise ValueError("state: without network; must come with the network of the same result")
    if not isinstance(state, Mapping):
        raise TypeError(f"state: {checks.shown(state)}; must be the state of a TrainResult")
    trainer = dict(state)
    if "epochs" not in trainer:
        raise ValueError("state: no 'epochs'; must be the state of a TrainResult")
    earlier = checks.integer("state['epochs']", trainer.pop("epochs"), minimum=0, maximum=2**53)
    return trainer, Record(earlier=earlier)


def _checked(
    state: dict[str, Any],
    optimizer: Optimizer,
    sizes: tuple[int, ...],
    dtype: str,
    batch_norm: bool,
) -> dict[str, Any]:
    """Return a trainer's state as an engine reads it; ValueError, TypeError if it is none."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (inputs, width) in enumerate(pairwise(sizes), start=1):
        shapes |= {f"W{i}": (inputs, width), f"b{i}": (width,)}
        if batch_norm and i < len(sizes) - 1:
            shapes[f"gamma{i}"] = (width,)
    unfolded = dict(shapes) if batch_norm else {}
    for i, width in enumerate(sizes[1:-1] if batch_norm else (), start=1):
        unfolded |= {f"running_mean{i}": (width,), f"running_variance{i}": (width,)}
    arrays: dict[str, Array] = {}
    for name, shape in unfolded.items():
        array = state.get(name)
        if not isinstance(array, np.ndarray) or (array.shape, array.dtype) != (shape, dtype):
            raise ValueError(f"state: {name!r}; must be {shape} of {dtype}")
        arrays[name] = np.ascontiguousarray(array)
    # Nothing but shape and type is looked at: no memory is taken.
    like = {name: np.broadcast_to(np.zeros((), dtype), shape) for name, shape in shapes.items()}
    rest = {name: value for name, value in state.items() if name not in unfolded}
    return {**optimizers.check_state(rest, optimizer, like), **arrays}
