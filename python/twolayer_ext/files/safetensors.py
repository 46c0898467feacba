"""Arrays and text in one file of the safetensors format, read with suspicion, written whole.

The format (https://huggingface.co/docs/safetensors): the length of the header, 8 bytes little
endian; the header, a JSON object of ``{"dtype", "shape", "data_offsets": [begin, end]}`` by name,
and ``"__metadata__"``, text by text; then the values, little endian, row by row, without holes.

Files written here hold a SHA-256 of all the rest in their metadata, which is compared when they are
read. Files of others are read too.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from twolayer_ext.checks import Array, clipped
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.reading import check_shape, file_size, fill, open_regular
from twolayer_ext.files.writing import whole_file

_DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}
_METADATA = "__metadata__"
_CHECKSUM = "sha256"
_LONGEST_HEADER = 100_000_000  # bytes, as the reader of the format's inventors has it
_MOST_DIMENSIONS = 32


@dataclass(frozen=True)
class _Tensor:
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    def entry(self) -> dict[str, Any]:
        offsets = [self.begin, self.end]
        return {"dtype": self.dtype, "shape": list(self.shape), "data_offsets": offsets}


def write_safetensors(
    path: str | os.PathLike[str],
    arrays: Mapping[str, Array],
    metadata: Mapping[str, str],
    *,
    keep_previous: bool = False,
) -> None:
    """Write arrays and text to `path`, whole or not at all; see `whole_file`.

    Parameters
    ----------
    path : path-like
    arrays : dict of str to ndarray
        Of bool, integers of 8 to 64 bits and floats of 16 to 64 bits, in any memory order.
    metadata : dict of str to str
        "sha256" is not for the caller to use.

    Raises
    ------
    TypeError
        An array of another type.
    ValueError
        A name that the format keeps for itself; names and text that make the header too long.
    OSError
        As `whole_file`.
    """
    if _METADATA in arrays or _CHECKSUM in metadata:
        raise ValueError(f"arrays: {_METADATA!r} and, in metadata, {_CHECKSUM!r} are kept names")
    tensors: dict[str, _Tensor] = {}
    values: list[Array] = []
    end = 0
    # Widest first, so that each lies at a multiple of its width.
    for name in sorted(arrays, key=lambda name: (-arrays[name].itemsize, name)):
        array = arrays[name]
        kind = _NAMES.get(array.dtype.newbyteorder("<"))
        if kind is None:
            raise TypeError(f"arrays[{name!r}]: type {array.dtype}; must be one that files hold")
        tensors[name] = _Tensor(kind, array.shape, end, end + array.nbytes)
        values.append(_bytes(array, kind))
        end += array.nbytes
    digest = _digest(tensors, metadata)
    for of_array in values:
        digest.update(of_array.data)
    header = {
        _METADATA: {**metadata, _CHECKSUM: digest.hexdigest()},
        **{name: tensor.entry() for name, tensor in tensors.items()},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _LONGEST_HEADER:
        raise ValueError(
            f"arrays: a header of {len(text)} bytes; must be {_LONGEST_HEADER} at most"
        )
    with whole_file(path, keep_previous=keep_previous) as stream:
        stream.write(len(text).to_bytes(8, "little"))
        stream.write(text)
        for of_array in values:
            stream.write(of_array.data)


def read_safetensors(
    path: str | os.PathLike[str], *, checksum_needed: bool = False
) -> tuple[dict[str, Array], dict[str, str]]:
    """Read arrays and text from `path`; a checksum that is there is compared.

    Memory is taken for no more than the file holds.

    Returns
    -------
    arrays : dict of str to ndarray
        In the machine's byte order, rows first.
    metadata : dict of str to str
        Without the checksum.

    Raises
    ------
    FileFormatError
        The file is broken, truncated, hostile, of another format, or holds numbers of a type that
        NumPy does not have; with `checksum_needed`, also one without.
    OSError
        The file cannot be read.
    """
    with open_regular(Path(path)) as file:
        try:
            size = file_size(file)
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise FileFormatError("is no safetensors file, or truncated")
            content = bytearray(length)
            if fill(file, memoryview(content)) != length:
                raise FileFormatError("ends in the middle of its header")
            tensors, metadata = _header(bytes(content), size - 8 - length)
            checksum = metadata.pop(_CHECKSUM, None)
            if checksum is None and checksum_needed:
                raise FileFormatError("has no checksum")
            digest = None if checksum is None else _digest(tensors, metadata)
            arrays = {}
            for name, tensor in sorted(tensors.items(), key=lambda item: item[1].begin):
                array = np.empty(tensor.shape, _DTYPES[tensor.dtype])
                held = _bytes(array, tensor.dtype)
                if fill(file, memoryview(held.data)) != held.nbytes:
                    raise FileFormatError("ends in the middle of its values")
                if digest is not None:
                    digest.update(held.data)
                if tensor.dtype == "BOOL" and (held > 1).any():
                    raise FileFormatError(f"{_shown(name)} holds what is neither true nor false")
                arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
            if digest is not None and digest.hexdigest() != checksum:
                raise FileFormatError("does not have the checksum that it says; damaged")
        except FileFormatError as error:
            raise FileFormatError(f"{os.fspath(path)}: {error}") from None
    return arrays, metadata


def _bytes(array: Array, kind: str) -> Array:
    """Return the values as bytes, little endian and row by row: a view where they lie so."""
    return np.ascontiguousarray(array, _DTYPES[kind]).reshape(-1).view(np.uint8)


def _digest(tensors: Mapping[str, _Tensor], metadata: Mapping[str, str]) -> Any:
    """Begin the checksum with all that the header says, however it is spelled."""
    entries = {name: tensor.entry() for name, tensor in tensors.items()}
    said = json.dumps([entries, dict(metadata)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode())


def _header(content: bytes, data: int) -> tuple[dict[str, _Tensor], dict[str, str]]:
    """Parse a header, and check that its tensors fill the `data` bytes without hole or overlap."""
    if not content.startswith(b"{"):
        raise FileFormatError("is no safetensors file: no header")
    try:
        header = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = clipped(str(error))
        raise FileFormatError(f"has a header that is no JSON: {reason}") from None
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FileFormatError("has metadata that are not text by text")
    tensors = {name: _tensor(name, entry) for name, entry in header.items()}
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != end:
            raise FileFormatError(f"has a hole or an overlap before {_shown(name)}")
        end = tensor.end
    if end != data:
        raise FileFormatError(f"holds {data} bytes of values, and says {end}; truncated or damaged")
    return tensors, metadata


def _tensor(name: str, entry: object) -> _Tensor:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FileFormatError(f"does not say dtype, shape and data_offsets of {_shown(name)}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise FileFormatError(f"has the type {_shown(dtype)} for {_shown(name)}, unknown here")
    if not _counts(shape) or len(shape) > _MOST_DIMENSIONS:
        raise FileFormatError(f"has the shape {_shown(shape)} for {_shown(name)}")
    if not _counts(offsets) or len(offsets) != 2:
        raise FileFormatError(f"has the data_offsets {_shown(offsets)} for {_shown(name)}")
    itemsize = np.dtype(_DTYPES[dtype]).itemsize
    check_shape(tuple(shape), itemsize, f"has {_shown(name)}, which")
    begin, end = offsets
    if end - begin != math.prod(shape) * itemsize:
        raise FileFormatError(f"has {end - begin} bytes for {_shown(name)} of shape {shape}")
    return _Tensor(dtype, tuple(shape), begin, end)


def _counts(value: object) -> bool:
    """Tell whether this is a list of integers that are not negative; true and false are none."""
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name is there twice")
    return result


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _shown(value: object) -> str:
    return clipped(repr(value))
