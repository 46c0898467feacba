"""Reading files that may be broken: regular files only, gzip by content, sizes known beforehand."""

from __future__ import annotations

import errno
import gzip
import io
import math
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from twolayer_ext.checks import Array, clipped
from twolayer_ext.errors import FileFormatError

# What the gzip module raises on data that is cut short or damaged.
GZIP_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
# And zipfile on a damaged archive, besides OSError for a place before its beginning.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    struct.error,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file, unbuffered, for reading.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    FileFormatError
        If it is a folder, a pipe or a device: reading one could block for ever.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not path.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    return io.FileIO(path, "rb")


def file_size(file: io.FileIO) -> int:
    """Size in bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def is_gzip(file: io.FileIO) -> bool:
    """Whether an open file begins as gzip does; leaves it at its start."""
    magic = file.read(2)
    file.seek(0)
    return magic == _GZIP_MAGIC


def gunzip(file: io.FileIO) -> BinaryIO:
    """Decompressed stream of an open gzip file; reading it may raise `GZIP_ERRORS`."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb"))


@contextmanager
def zip_errors(source: str) -> Iterator[None]:
    """Turn what zipfile raises on a damaged archive into FileFormatError, `source` in front."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise FileFormatError(f"{source}: names a place before its own beginning") from error
    except _ZIP_ERRORS as error:
        raise FileFormatError(f"{source}: {clipped(str(error))}") from error


def check_shape(shape: tuple[int, ...], itemsize: int, source: str) -> None:
    """Raise FileFormatError if NumPy can make no array of that shape.

    It counts the other dimensions of an empty array, too.
    """
    if itemsize * math.prod(max(1, length) for length in shape) > sys.maxsize:
        raise FileFormatError(f"{source}: announces an array larger than any memory")


def check_text(values: Array, source: str) -> None:
    """Raise FileFormatError if an array of text holds numbers that are no characters.

    Python makes no string of those beyond Unicode, and none that can be printed of surrogates.
    """
    codes = values.reshape(-1).view(f"{values.dtype.str[0]}u4")
    if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any():
        raise FileFormatError(f"{source}: holds text that is not Unicode")


def fill(stream: BinaryIO | io.FileIO | IO[bytes], target: memoryview) -> int:
    """Read until `target` (bytes) is full or the stream ends; return the number of bytes read.

    Goes in steps of 1 MB: a gzip stream builds each step as an object of its own first.
    """
    filled = 0
    while filled < len(target):
        chunk = stream.read(min(_CHUNK, len(target) - filled))
        if not chunk:
            break
        target[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
    return filled


def read_growing(stream: BinaryIO | io.FileIO | IO[bytes], count: int) -> bytearray:
    """Read `count` bytes, or fewer where the stream ends; memory grows only as they arrive."""
    content = bytearray()
    while len(content) < count:
        chunk = stream.read(min(_CHUNK, count - len(content)))
        if not chunk:
            break
        content += chunk
    return content
