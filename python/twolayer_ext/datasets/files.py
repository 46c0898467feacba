"""Reading files that may be broken: regular files only, gzip by content, sizes known beforehand."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from pathlib import Path
from typing import IO, BinaryIO, cast

from twolayer_ext.errors import FileFormatError

# What the gzip module raises on data that is cut short or damaged.
GZIP_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)

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
