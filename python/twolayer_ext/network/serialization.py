"""A network as a file: an .npz of plain arrays that appears whole or not at all.

Entries: ``format``, ``layer_sizes``, ``activation``, ``shift``, ``scale``, and ``W1``, ``b1``,
``W2``, ... in the network's dtype, stored without compression. `numpy.load` reads them too.

The reader trusts nothing: no pickles, no compression (so no entry is larger than the file), no
array of another type, shape or size than the layer sizes demand, checksums compared.
"""

from __future__ import annotations

import errno
import math
import os
import re
import secrets
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import checks
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.datasets.files import (
    check_shape,
    check_text,
    file_size,
    open_regular,
    zip_errors,
)
from twolayer_ext.errors import FileFormatError
from twolayer_ext.network import normalization

FORMAT = "twolayer-ext network 1"
_MAX_LAYERS = 10_000
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the same network gives the same bytes at any time
_ZIP64_FROM = 2**31 - 2**20
# The header as NumPy writes it, for numbers and text, and nothing else: it is never evaluated.
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[<>|][a-zA-Z]\d{0,4})', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>(?:\d{1,19},? ?){0,9})\), \} *\n"
)


@dataclass(frozen=True)
class NetworkState:
    """All that a network is."""

    layer_sizes: tuple[int, ...]
    activation: str
    dtype: str
    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    parameters: Parameters


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only when the block ends without an error.

    Raises
    ------
    OSError
        The file cannot be written, or `path` is a folder, a pipe or a device. It names `path`, not
        the temporary file beside it.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".twolayer-{secrets.token_hex(8)}.tmp")
    try:
        _refuse_others_than_files(target)
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except OSError as error:
        own = error.filename is None or str(error.filename) in (str(target), str(temporary))
        if error.errno is None or not own:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        with suppress(OSError):  # mostly because it has its name, or was never made
            temporary.unlink()


def check_writable(path: str | os.PathLike[str]) -> None:
    """Find out, before the work whose result goes there, that `whole_file` can write to `path`.

    Raises
    ------
    OSError
        It cannot: its folder is missing or takes no files, or `path` is a folder, a pipe or a
        device.
    """
    target = Path(os.path.realpath(path))
    try:
        _refuse_others_than_files(target)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def _refuse_others_than_files(target: Path) -> None:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "Not a regular file")


def write(path: str | os.PathLike[str], state: NetworkState) -> None:
    """Write a network to `path`, replacing what is there.

    Raises
    ------
    ValueError
        A parameter is not finite.
    OSError
        As `whole_file`; what was there before is left as it was.
    """
    little = np.dtype(state.dtype).newbyteorder("<")
    entries: dict[str, Array] = {
        "format": np.array(FORMAT),
        "layer_sizes": np.array(state.layer_sizes, dtype="<i8"),
        "activation": np.array(state.activation),
        "shift": state.shift.astype("<f8"),
        "scale": state.scale.astype("<f8"),
    }
    for layer, (weights, bias) in enumerate(state.parameters, start=1):
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise ValueError(f"network: parameters of layer {layer} are not finite; not saved")
        entries[f"W{layer}"] = weights.astype(little, copy=False)
        entries[f"b{layer}"] = bias.astype(little, copy=False)
    with whole_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in entries.items():
            info = zipfile.ZipInfo(f"{name}.npy", _EARLIEST)
            with archive.open(info, "w", force_zip64=array.nbytes > _ZIP64_FROM) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


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
            return _state(_Entries(archive, size=file_size(file)))
        except FileFormatError as error:
            reason = checks.clipped(str(error))
            raise FileFormatError(
                f"{path}: not a network this version can read: {reason}"
            ) from None


class _Entries:
    """The arrays of the archive: together no larger than the file, each with its checksum."""

    def __init__(self, archive: zipfile.ZipFile, *, size: int) -> None:
        self._archive = archive
        self.names = [info.filename for info in archive.infolist()]
        if len(set(self.names)) != len(self.names):
            raise FileFormatError("an entry is there twice")
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise FileFormatError("an entry is compressed")
        if any(info.compress_size != info.file_size for info in archive.infolist()):
            raise FileFormatError("an entry has two sizes")
        if sum(info.file_size for info in archive.infolist()) > size:
            raise FileFormatError("its entries are larger than the file")

    def array(self, name: str, kinds: str, shape: tuple[int, ...] | None = None) -> Array:
        if f"{name}.npy" not in self.names:
            raise FileFormatError(f"{name} is missing")
        data = self._archive.read(f"{name}.npy")
        start = 10 + int.from_bytes(data[8:10], "little")
        header = _HEADER.fullmatch(data[10:start])
        if not data.startswith(_MAGIC) or header is None:
            raise FileFormatError(f"{name} is not a plain array of .npy version 1.0")
        try:
            dtype = np.dtype(header["dtype"].decode())
        except TypeError:
            raise FileFormatError(f"{name} has the type {header['dtype'].decode()}") from None
        if dtype.kind not in kinds or dtype.itemsize == 0:
            raise FileFormatError(f"{name} has the type {dtype}")
        found = tuple(int(length) for length in header["shape"].split(b",") if length.strip())
        if shape is not None and found != shape:
            raise FileFormatError(f"{name} has the shape {found} instead of {shape}")
        check_shape(found, dtype.itemsize, name)
        if len(data) - start != math.prod(found) * dtype.itemsize:
            raise FileFormatError(f"{name} has another size than its header says")
        array = np.frombuffer(data, dtype, offset=start)
        if dtype.kind == "U":
            check_text(array, name)
        return array.reshape(found, order="F" if header["fortran"] == b"True" else "C")


def _state(entries: _Entries) -> NetworkState:
    kind = str(entries.array("format", "U", ()))
    if kind != FORMAT:
        raise FileFormatError(f"its format is {kind!r} instead of {FORMAT!r}")
    listed = entries.array("layer_sizes", "i")
    if listed.ndim != 1 or len(listed) > _MAX_LAYERS:
        raise FileFormatError(f"layer_sizes has the shape {listed.shape}")
    layer_sizes = checks.layer_sizes(listed.tolist())
    activation = checks.choice(
        "activation", str(entries.array("activation", "U", ())), checks.ACTIVATIONS
    )
    expected = {"format", "layer_sizes", "activation", "shift", "scale"}
    expected |= {f"{kind}{i}" for i in range(1, len(layer_sizes)) for kind in "Wb"}
    if unknown := {name.removesuffix(".npy") for name in entries.names} - expected:
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
    return NetworkState(layer_sizes, activation, dtype, *normalize, native)
