"""Arrays from .npy files and .npz members, checked before memory of their size is taken.

The formats: numpy.lib.format (NEP 1), and zip as PKWARE's APPNOTE describes it.
"""

from __future__ import annotations

import io
import math
import struct
import tokenize
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from twolayer_ext.checks import clipped
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.reading import (
    check_shape,
    check_text,
    file_size,
    open_regular,
    read_growing,
    zip_errors,
)

# What NumPy's header parser may raise on damaged text: it evaluates a literal, and tokenizes it
# when that fails.
_HEADER_ERRORS = (
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
    Warning,  # NumPy's own: of a header that has to be repaired, of types that are going away
)
# Numbers and text; never objects, which would need a pickle, nor records.
_KINDS = "buifU"
_LOCAL_HEADER = struct.Struct("<26xHH")  # lengths of the name and of the extra field
_MAX_DEFLATE_RATIO = 1032  # a property of the method: 258 bytes from a two-bit code


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    length: int  # of the header itself, in bytes

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def map_npy(path: Path) -> NDArray[Any]:
    """Map the array in a .npy file into memory, read-only; small text arrays are read.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If it is not a whole .npy file of numbers or text.
    """
    with open_regular(path) as file:
        header = _read_header(file, file_size(file), str(path))
        mapped = _map(path, header, header.length)
        return _read_values(file, header, str(path)) if mapped is None else mapped


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Read the arrays called `names` from a .npz file, as far as they are there.

    A member that is stored without compression, and aligned for its type, is mapped into memory
    read-only (its checksum is then not compared); others are read.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If the file or a member is damaged, compressed in another way than NumPy does, or holds
        anything else than numbers or text.
    """
    with (
        open_regular(path) as file,
        zip_errors(f"{path}: is not a whole .npz file"),
        zipfile.ZipFile(file) as archive,
    ):
        members = {member.filename: member for member in archive.infolist()}
        return {
            name: _read_member(path, file, archive, members[f"{name}.npy"])
            for name in names
            if f"{name}.npy" in members
        }


def _read_member(
    path: Path, file: io.FileIO, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> NDArray[Any]:
    source = f"{path}: {member.filename}"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileFormatError(f"{source}: is compressed in a way NumPy does not use")
    held = min(member.compress_size, file_size(file))
    if member.file_size > _MAX_DEFLATE_RATIO * (held + 1):
        raise FileFormatError(f"{source}: claims {member.file_size} bytes, more than it can hold")
    with archive.open(member) as stream:
        header = _read_header(stream, member.file_size, source)
        if member.compress_type == zipfile.ZIP_STORED:
            mapped = _map(path, header, _member_start(file, member) + header.length)
            if mapped is not None:
                return mapped
        return _read_values(stream, header, source)


def _member_start(file: io.FileIO, member: zipfile.ZipInfo) -> int:
    """Where the bytes of a stored member begin; zipfile has checked its local header."""
    file.seek(member.header_offset)
    name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return member.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)


def _map(path: Path, header: _Header, offset: int) -> NDArray[Any] | None:
    """Map the values that begin at `offset`; None if they are unaligned, text, or none at all."""
    if offset % header.dtype.alignment or header.dtype.kind == "U" or not header.nbytes:
        return None
    if offset + header.nbytes > path.stat().st_size:
        raise FileFormatError(f"{path}: ends in the middle of an array; truncated")
    order: Literal["C", "F"] = "F" if header.fortran_order else "C"
    return np.memmap(path, header.dtype, "r", offset, header.shape, order)


def read_array(stream: IO[bytes], size: int, source: str) -> NDArray[Any]:
    """Read the array that fills the `size` bytes of `stream`; messages begin with `source`.

    Raises
    ------
    FileFormatError
        If they are no whole array of numbers, text or bytes.
    """
    return _read_values(stream, _read_header(stream, size, source, f"{_KINDS}S"), source)


def _read_values(stream: IO[bytes] | io.FileIO, header: _Header, source: str) -> NDArray[Any]:
    # One byte more than there should be: a zip member compares its checksum when it meets its end.
    content = read_growing(stream, header.nbytes + 1)
    if len(content) != header.nbytes:
        raise FileFormatError(f"{source}: its values do not end where they should; damaged")
    values = np.frombuffer(content, header.dtype)
    if header.dtype.kind == "U":
        check_text(values, source)
    return values.reshape(header.shape, order="F" if header.fortran_order else "C")


def _read_header(
    stream: IO[bytes] | io.FileIO, size: int, source: str, kinds: str = _KINDS
) -> _Header:
    """Parse a header, and check that the values it announces fill the `size` bytes exactly."""
    start = stream.tell()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a header that has to be repaired is refused
            version = npy_format.read_magic(stream)
            if version == (1, 0):
                shape, fortran_order, dtype = npy_format.read_array_header_1_0(stream)
            elif version == (2, 0):
                shape, fortran_order, dtype = npy_format.read_array_header_2_0(stream)
            else:
                raise FileFormatError(f"{source}: .npy version {version}; 1.0 or 2.0 is needed")
    except _HEADER_ERRORS as error:
        reason = clipped((str(error).splitlines() or [type(error).__name__])[0])
        raise FileFormatError(f"{source}: has no readable .npy header: {reason}") from error
    if dtype.kind not in kinds or dtype.itemsize == 0:
        raise FileFormatError(f"{source}: holds values of type {dtype}; numbers are needed")
    # True is an int to NumPy's parser, but no length to what takes the shape.
    if len(shape) > 32 or any(type(length) is not int or length < 0 for length in shape):
        raise FileFormatError(f"{source}: has an impossible shape")
    check_shape(shape, dtype.itemsize, source)
    header = _Header(shape, fortran_order, dtype, stream.tell() - start)
    if header.length + header.nbytes != size:
        raise FileFormatError(
            f"{source}: {size - header.length} bytes follow a header that says {header.nbytes}; "
            "truncated or damaged"
        )
    return header
