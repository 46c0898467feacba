"""A training as a file: one safetensors file with a checksum over all of it.

Its tensors: ``network.…``, as in a network's own file, text as its characters' codes;
``trainer.…``, what `EngineTrainer.state` gives; ``closed.…`` and ``epoch.…``, the numbers of closed
epochs and of the one that runs; ``best.…`` and ``sum.…`` where there are; ``factors``, the learning
rate's where a schedule was given. Its metadata: ``format``, and in JSON ``options``, ``data``
(see `fingerprint`), ``progress`` and ``text``, the types of the tensors that are text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twolayer_ext import checks
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.reading import check_text
from twolayer_ext.files.safetensors import read_safetensors, write_safetensors
from twolayer_ext.files.writing import previous_of
from twolayer_ext.network.serialization import NetworkState, entries_of, of_kind, state_of
from twolayer_ext.training.record import Part, Record
from twolayer_ext.training.result import epoch_keys

FORMAT = "twolayer-ext checkpoint 1"
_MOST = 2**53  # of anything counted


@dataclass(frozen=True)
class Origin:
    """What all checkpoints of a run say of it.

    Attributes
    ----------
    options, data : dict
        As JSON holds them.
    total : int
        Steps planned.
    factors : ndarray of float64, shape (total,), or None
        Of the learning rate, where a schedule was given.
    """

    options: dict[str, Any]
    data: dict[str, Any]
    total: int
    factors: Array | None


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was read."""

    origin: Origin
    network: NetworkState
    trainer: dict[str, Any]
    record: Record


def write(
    path: str | os.PathLike[str],
    origin: Origin,
    network: NetworkState,
    trainer: Mapping[str, Any],
    record: Record,
    *,
    keep_previous: bool,
) -> None:
    """Write a checkpoint, whole or not at all.

    Raises
    ------
    OSError
        As `whole_file`.
    """
    arrays, text = {}, {}
    for name, array in entries_of(network).items():
        arrays[f"network.{name}"], code = _as_numbers(array)
        if code:
            text[f"network.{name}"] = code
    for name, value in trainer.items():
        arrays[f"trainer.{name}"] = np.asarray(value)
    if origin.factors is not None:
        arrays["factors"] = origin.factors
    rows = [row for row, _ in record.closed]
    keys = epoch_keys(network.task.loss.score_name)
    arrays["closed.rows"] = np.array(rows, np.float64).reshape(len(rows), len(keys))
    arrays["closed.steps"] = np.array([len(losses) for _, losses in record.closed], np.int64)
    arrays["closed.step_loss"] = np.array(
        [loss for _, losses in record.closed for loss in losses], np.float64
    )
    progress: dict[str, Any] = {
        "total": origin.total, "samples": record.samples, "earlier": record.earlier,
    }  # fmt: skip
    if (part := record.open_part) is not None:
        arrays["epoch.step_loss"], arrays["epoch.step_scores"] = part.losses, part.scores
        arrays["epoch.seconds"] = np.array(part.seconds)
        progress["averaged"] = part.averaged
    if record.best is not None:
        progress["best_epoch"], val_loss, parameters = record.best
        arrays["best.val_loss"] = np.array(val_loss)
        arrays |= _named("best", [array for pair in parameters for array in pair])
    arrays |= _named("sum", record.sums)
    said = {"options": origin.options, "data": origin.data, "progress": progress, "text": text}
    metadata = {"format": FORMAT, **{name: json.dumps(value) for name, value in said.items()}}
    write_safetensors(path, arrays, metadata, keep_previous=keep_previous)


def read(path: str | os.PathLike[str]) -> Saved:
    """Read what `write` wrote.

    Raises
    ------
    FileFormatError
        The file is damaged, or no checkpoint; the message says whether the one before is whole.
    OSError
        The file cannot be read.
    """
    try:
        return _read(path)
    except (FileFormatError, FileNotFoundError) as error:
        previous = previous_of(path)
        if not previous.exists():
            raise
        try:
            _read(previous)
        except (FileFormatError, OSError):
            raise type(error)(f"{error}; {previous} is damaged, too") from None
        raise type(error)(f"{error}; the checkpoint before it is whole: {previous}") from None


def _read(path: str | os.PathLike[str]) -> Saved:
    arrays, metadata = read_safetensors(Path(path), checksum_needed=True)
    try:
        if metadata.get("format") != FORMAT:
            raise FileFormatError(f"its format is not {FORMAT!r}")
        return _Parts(arrays, metadata).saved()
    except (FileFormatError, ValueError, TypeError) as error:
        reason = checks.clipped(str(error))
        raise FileFormatError(
            f"{os.fspath(path)}: not a checkpoint this version can read: {reason}"
        ) from None


def whole(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is a checkpoint that can be read."""
    try:
        _read(path)
    except (FileFormatError, OSError):
        return False
    return True


class _Parts:
    """The parts of a checkpoint, each checked as it is asked for."""

    def __init__(self, arrays: dict[str, Array], metadata: dict[str, str]) -> None:
        self._arrays = arrays
        self._said = {}
        for name in ("options", "data", "progress", "text"):
            try:
                value = json.loads(metadata.get(name, ""))
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict):
                raise FileFormatError(f"its {name} are no JSON object")
            self._said[name] = value

    def saved(self) -> Saved:
        network = state_of(_Entries(self._arrays, self._said["text"]))
        origin = Origin(
            self._said["options"],
            self._said["data"],
            self._count("total"),
            self._get("factors", "f", (self._count("total"),))
            if "factors" in self._arrays
            else None,
        )
        trainer: dict[str, Any] = {
            name.removeprefix("trainer."): array
            for name, array in self._arrays.items()
            if name.startswith("trainer.")
        }
        trainer["steps"] = int(self._get("trainer.steps", "i", ()))
        trainer["powers"] = tuple(self._get("trainer.powers", "f", (2,)).tolist())
        return Saved(origin, network, trainer, self._record(network))

    def _record(self, network: NetworkState) -> Record:
        width = len(epoch_keys(network.task.loss.score_name))
        steps = self._get("closed.steps", "i")
        count = len(steps) if steps.ndim == 1 else -1
        losses = self._get("closed.step_loss", "f")
        if count < 0 or (steps < 1).any() or losses.shape != (sum(steps.tolist()),):
            raise FileFormatError("its closed epochs do not have the steps that they say")
        rows = self._get("closed.rows", "f", (count, width)).tolist()
        ends = np.cumsum(steps).tolist()
        closed = [
            (tuple(row), losses[end - length : end].tolist())
            for row, end, length in zip(rows, ends, steps.tolist(), strict=True)
        ]
        shapes = [array.shape for pair in network.parameters for array in pair]
        record = Record(closed=closed, steps=len(losses))
        record.samples, record.earlier = self._count("samples"), self._count("earlier")
        record.part = self._part()
        if "best_epoch" in self._said["progress"]:
            best = self._all("best", shapes, np.dtype(network.dtype))
            pairs: Parameters = list(zip(best[::2], best[1::2], strict=True))
            val_loss = float(self._get("best.val_loss", "f", ()))
            record.best = (self._count("best_epoch"), val_loss, pairs)
        if "sum.1" in self._arrays:
            record.sums = self._all("sum", shapes, np.dtype(np.float64))
        return record

    def _part(self) -> Part | None:
        if "epoch.step_loss" not in self._arrays:
            return None
        losses = self._get("epoch.step_loss", "f")
        if losses.ndim != 1:
            raise FileFormatError(f"epoch.step_loss has the shape {losses.shape}")
        scores = self._get("epoch.step_scores", "f", losses.shape)
        seconds = float(self._get("epoch.seconds", "f", ()))
        averaged = self._said["progress"].get("averaged")
        if type(averaged) is not bool:
            raise FileFormatError("it does not say whether the epoch is averaged")
        return Part(losses, scores, seconds, averaged)

    def _all(self, kind: str, shapes: list[tuple[int, ...]], dtype: np.dtype[Any]) -> list[Array]:
        arrays = [self._get(f"{kind}.{i}", "f", shape) for i, shape in enumerate(shapes, start=1)]
        if any(array.dtype != dtype for array in arrays):
            raise FileFormatError(f"{kind} is not of {dtype}")
        return arrays

    def _count(self, name: str) -> int:
        return checks.integer(name, self._said["progress"].get(name), minimum=0, maximum=_MOST)

    def _get(self, name: str, kinds: str, shape: tuple[int, ...] | None = None) -> Array:
        if name not in self._arrays:
            raise FileFormatError(f"{name} is missing")
        return of_kind(self._arrays[name], name, kinds, shape)


class _Entries:
    """The network's arrays, text among them."""

    def __init__(self, arrays: Mapping[str, Array], text: Mapping[str, object]) -> None:
        prefix = "network."
        self._arrays = {}
        for name, array in arrays.items():
            if name.startswith(prefix):
                short, code = name.removeprefix(prefix), text.get(name)
                self._arrays[short] = array if code is None else _as_text(array, code, short)

    @property
    def names(self) -> set[str]:
        return set(self._arrays)

    def array(self, name: str, kinds: str, shape: tuple[int, ...] | None = None) -> Array:
        if name not in self._arrays:
            raise FileFormatError(f"{name} is missing")
        return of_kind(self._arrays[name], name, kinds, shape)


def _named(kind: str, arrays: list[Array]) -> dict[str, Array]:
    return {f"{kind}.{i}": array for i, array in enumerate(arrays, start=1)}


def _as_numbers(array: Array) -> tuple[Array, str]:
    """Return an array that the format holds, and the type that it stands for where that is text."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind not in "US":
        return array, ""
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    code = "<u4" if kind == "U" else "u1"
    width = size // np.dtype(code).itemsize
    return little.reshape(-1).view(code).reshape(*array.shape, width), kind


def _as_text(array: Array, kind: object, name: str) -> Array:
    expected = {"U": np.uint32, "S": np.uint8}.get(str(kind))
    if array.dtype != expected or array.ndim not in (1, 2) or not array.shape[-1]:
        raise FileFormatError(f"{name} is no text")
    text = np.ascontiguousarray(array).view(f"{kind}{array.shape[-1]}").reshape(array.shape[:-1])
    if kind == "U":
        check_text(text, name)
    return text
