"""A network as a file: an .npz of plain arrays that appears whole or not at all.

Entries: ``format``, ``layer_sizes``, ``activation``, ``shift``, ``scale``, ``output_shift``,
``output_scale``, ``W1``, ``b1``, ``W2``, ... in the network's dtype, ``task`` (JSON: loss, shape of
the targets, names of columns) and, of classifiers, ``classes``, stored without compression.
`numpy.load` reads them too. Format 1 had cross-entropy of classes 0 ... C-1 and no scaling of
outputs; it is still read.

The reader trusts nothing: no pickles, no compression (so no entry is larger than the file), no
array of another type, shape or size than the layer sizes demand, checksums compared.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import checks, losses
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.npy import read_array
from twolayer_ext.files.reading import file_size, open_regular, zip_errors
from twolayer_ext.files.writing import whole_file
from twolayer_ext.losses import Task
from twolayer_ext.network import normalization

FORMAT = "twolayer-ext network 2"
_FIRST_FORMAT = "twolayer-ext network 1"
_KINDS_OF_CLASSES = "biufUS"
_LONGEST_TASK = 2**24  # characters
_MAX_LAYERS = 10_000
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the same network gives the same bytes at any time
_ZIP64_FROM = 2**31 - 2**20


@dataclass(frozen=True)
class NetworkState:
    """All that a network is."""

    layer_sizes: tuple[int, ...]
    activation: str
    dtype: str
    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    parameters: Parameters
    task: Task
    output_shift: NDArray[np.float64]
    output_scale: NDArray[np.float64]
    feature_names: tuple[str, ...] | None = None


def write(path: str | os.PathLike[str], state: NetworkState) -> None:
    """Write a network to `path`, replacing what is there.

    Raises
    ------
    ValueError
        A parameter is not finite; the columns' names are too long.
    OSError
        As `whole_file`; what was there before is left as it was.
    """
    entries = entries_of(state)
    with whole_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in entries.items():
            info = zipfile.ZipInfo(f"{name}.npy", _EARLIEST)
            with archive.open(info, "w", force_zip64=array.nbytes > _ZIP64_FROM) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def entries_of(state: NetworkState) -> dict[str, Array]:
    """Return all that a network is as arrays, some of text; ValueError as for `write`."""
    task = _written(state)
    if len(task) > _LONGEST_TASK:
        raise ValueError(
            f"network: its columns' names take {len(task)} characters; must be at most "
            f"{_LONGEST_TASK}; not saved"
        )
    little = np.dtype(state.dtype).newbyteorder("<")
    entries: dict[str, Array] = {
        "format": np.array(FORMAT),
        "layer_sizes": np.array(state.layer_sizes, dtype="<i8"),
        "activation": np.array(state.activation),
        "shift": state.shift.astype("<f8"),
        "scale": state.scale.astype("<f8"),
        "output_shift": state.output_shift.astype("<f8"),
        "output_scale": state.output_scale.astype("<f8"),
        "task": np.array(task),
    }
    if state.task.classes is not None:
        classes = state.task.classes
        entries["classes"] = classes.astype(classes.dtype.newbyteorder("<"))
    for layer, (weights, bias) in enumerate(state.parameters, start=1):
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise ValueError(f"network: parameters of layer {layer} are not finite; not saved")
        entries[f"W{layer}"] = weights.astype(little, copy=False)
        entries[f"b{layer}"] = bias.astype(little, copy=False)
    return entries


def read(path: str | os.PathLike[str]) -> NetworkState:
    """Read what `write` wrote.

    Raises
    ------
    FileFormatError
        The file is broken, truncated, not a network, or not a regular file.
    OSError
        The file cannot be read.
    """
    with (
        open_regular(Path(path)) as file,
        zip_errors(f"{path}: broken, or not a network saved by twolayer-ext"),
        zipfile.ZipFile(file) as archive,
    ):
        try:
            return state_of(_Archive(archive, size=file_size(file)))
        except FileFormatError as error:
            reason = checks.clipped(str(error))
            raise FileFormatError(
                f"{path}: not a network this version can read: {reason}"
            ) from None


class Entries(Protocol):
    """Arrays by name, of which each is asked for with what it must be."""

    @property
    def names(self) -> set[str]:
        """All that there are."""

    def array(self, name: str, kinds: str, shape: tuple[int, ...] | None = None) -> Array:
        """Return one, of one of these kinds and of this shape; else FileFormatError."""


class _Archive:
    """The arrays of the archive: together no larger than the file, each with its checksum."""

    def __init__(self, archive: zipfile.ZipFile, *, size: int) -> None:
        self._archive = archive
        members = archive.infolist()
        self._members = {member.filename: member for member in members}
        if len(self._members) != len(members):
            raise FileFormatError("an entry is there twice")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise FileFormatError("an entry is compressed")
        if any(member.compress_size != member.file_size for member in members):
            raise FileFormatError("an entry has two sizes")
        if sum(member.file_size for member in members) > size:
            raise FileFormatError("its entries are larger than the file")

    @property
    def names(self) -> set[str]:
        return {name.removesuffix(".npy") for name in self._members}

    def array(self, name: str, kinds: str, shape: tuple[int, ...] | None = None) -> Array:
        member = self._members.get(f"{name}.npy")
        if member is None:
            raise FileFormatError(f"{name} is missing")
        with self._archive.open(member) as stream:
            return of_kind(read_array(stream, member.file_size, name), name, kinds, shape)


def of_kind(array: Array, name: str, kinds: str, shape: tuple[int, ...] | None = None) -> Array:
    """Return the array if it is of one of the kinds and of the shape; else FileFormatError."""
    if array.dtype.kind not in kinds:
        raise FileFormatError(f"{name} has the type {array.dtype}")
    if shape is not None and array.shape != shape:
        raise FileFormatError(f"{name} has the shape {array.shape} instead of {shape}")
    return array


def _written(state: NetworkState) -> str:
    """Return what a task is, but for its classes, as JSON."""
    task = state.task
    return json.dumps(
        {
            "loss": task.loss.describe(),
            "columns": task.columns,
            "single": task.single,
            "column_names": task.column_names,
            "feature_names": state.feature_names,
        }
    )


def state_of(entries: Entries) -> NetworkState:
    """Return the network that the arrays are; FileFormatError or ValueError if they are none."""
    kind = str(entries.array("format", "U", ()))
    if kind not in (FORMAT, _FIRST_FORMAT):
        raise FileFormatError(f"its format is {kind!r} instead of {FORMAT!r}")
    first = kind == _FIRST_FORMAT
    listed = entries.array("layer_sizes", "i")
    if listed.ndim != 1 or len(listed) > _MAX_LAYERS:
        raise FileFormatError(f"layer_sizes has the shape {listed.shape}")
    layer_sizes = checks.layer_sizes(listed.tolist())
    activation = checks.choice(
        "activation", str(entries.array("activation", "U", ())), tuple(ACTIVATIONS)
    )
    expected = {"format", "layer_sizes", "activation", "shift", "scale"}
    expected |= {f"{kind}{i}" for i in range(1, len(layer_sizes)) for kind in "Wb"}
    if not first:
        expected |= {"task", "classes", "output_shift", "output_scale"}
    if unknown := entries.names - expected:
        raise FileFormatError(f"it holds {sorted(unknown)[0]!r}, which is no part of a network")
    shift = entries.array("shift", "f", layer_sizes[:1])
    scale = entries.array("scale", "f", layer_sizes[:1])
    parameters: Parameters = []
    for i, shape in enumerate(pairwise(layer_sizes), start=1):
        parameters.append(
            (entries.array(f"W{i}", "f", shape), entries.array(f"b{i}", "f", shape[1:]))
        )
    names = {array.dtype.newbyteorder("=").name for pair in parameters for array in pair}
    if len(names) != 1:
        raise FileFormatError("its parameters are of different types")
    dtype = checks.dtype_name(names.pop())
    normalize = normalization.check((shift, scale), features=layer_sizes[0], dtype=dtype)
    assert not isinstance(normalize, str)  # it was a pair
    if not all(np.isfinite(array).all() for pair in parameters for array in pair):
        raise FileFormatError("a parameter is not finite")
    native = [(w.astype(dtype), b.astype(dtype)) for w, b in parameters]
    outputs = layer_sizes[-1]
    if first:
        task, feature_names = losses.task_of(losses.CrossEntropy(), outputs), None
        scaling = np.zeros(outputs), np.ones(outputs)
    else:
        task, feature_names = _task(entries, layer_sizes)
        scaling = (
            entries.array("output_shift", "f", (outputs,)).astype(np.float64),
            entries.array("output_scale", "f", (outputs,)).astype(np.float64),
        )
        normalization.check_vectors(*scaling, dtype, "outputs")
        if task.loss.takes not in ("real", "counts") and (
            scaling[0].any() or (scaling[1] != 1).any()
        ):
            raise FileFormatError(f"its outputs are scaled, with loss {task.loss.name!r}")
    return NetworkState(
        layer_sizes, activation, dtype, *normalize, native, task, *scaling, feature_names
    )


def _task(entries: Entries, layer_sizes: tuple[int, ...]) -> tuple[Task, tuple[str, ...] | None]:
    """Return the task and the names of the features."""
    text = entries.array("task", "U", ())
    if text.dtype.itemsize // 4 > _LONGEST_TASK:
        raise FileFormatError("its task is too long")
    try:
        written = json.loads(str(text))
        if not isinstance(written, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise FileFormatError("its task is no JSON object") from None
    loss = losses.from_description(written.get("loss"))
    columns, single = written.get("columns"), written.get("single")
    if type(columns) is not int or columns < 1 or type(single) is not bool:
        raise FileFormatError("its task does not say what the targets are")
    classes = None
    if "classes" in entries.names:
        classes = entries.array("classes", _KINDS_OF_CLASSES)
        if classes.ndim != 1:
            raise FileFormatError(f"classes has the shape {classes.shape}")
        classes = classes.astype(classes.dtype.newbyteorder("="))
    task = Task(
        loss=loss,
        outputs=layer_sizes[-1],
        columns=columns,
        single=single,
        classes=classes,
        column_names=_names(written, "column_names", columns),
    )
    try:
        task.check()
    except ValueError as error:
        raise FileFormatError(str(error)) from None
    return task, _names(written, "feature_names", layer_sizes[0])


def _names(written: dict[str, object], key: str, count: int) -> tuple[str, ...] | None:
    names = written.get(key)
    if names is None:
        return None
    if (
        not isinstance(names, list)
        or len(names) != count
        or not all(isinstance(name, str) for name in names)
        or len(set(names)) != count
    ):
        raise FileFormatError(f"its {key} are not {count} different names")
    return tuple(names)
