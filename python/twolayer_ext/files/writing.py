"""Writing files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

# What file systems say that have no hard links, or no further one to this file.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
# And those that cannot put a folder on the disk by itself.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


@contextmanager
def whole_file(path: str | os.PathLike[str], *, keep_previous: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only when the block ends without an error.

    With `keep_previous` the file that had the name is then found at `previous_of(path)`. Wherever
    the process or the machine stops, `path` is the old file or the new one, whole; only where the
    file system has no hard links it can be missing for a moment, while the old file is found there.

    Raises
    ------
    OSError
        The file cannot be written, or `path` is a folder, a pipe or a device. It names `path`, not
        the temporary file beside it.
    """
    target = Path(os.path.realpath(path))
    temporary = _temporary(target)
    try:
        _refuse_others_than_files(target)
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if keep_previous and target.exists():
            _keep(target)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        own = error.filename is None or str(error.filename) in (str(target), str(temporary))
        if error.errno is None or not own:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        with suppress(OSError):  # mostly because it has its name, or was never made
            temporary.unlink()


def previous_of(path: str | os.PathLike[str]) -> Path:
    """Return where `whole_file` keeps the file that `path` was before."""
    target = Path(os.path.realpath(path))
    return target.with_name(f"{target.name}.previous")


def check_writable(path: str | os.PathLike[str], *, keep_previous: bool = False) -> None:
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
        if keep_previous:
            _refuse_others_than_files(previous_of(path))
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove what processes left behind that were killed while they wrote `path`."""
    target = Path(os.path.realpath(path))
    for leftover in target.parent.glob(f"{_prefix(target)}*.tmp"):
        with suppress(OSError):
            leftover.unlink()


def _prefix(target: Path) -> str:
    # Of fixed length: a name may be as long as names can be.
    return f".twolayer-{zlib.crc32(os.fsencode(target.name)):08x}-"


def _temporary(target: Path) -> Path:
    return target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}.tmp")


def _keep(target: Path) -> None:
    """Let the file be found at `previous_of(target)` too, in place of what was there."""
    previous, link = previous_of(target), _temporary(target)
    try:
        os.link(target, link)
        link.replace(previous)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise OSError(error.errno, error.strerror, str(target)) from None
        target.replace(previous)
    finally:
        with suppress(OSError):  # a rename between two links to one file does nothing
            link.unlink()


def _sync(folder: Path) -> None:
    """Put the folder's names on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(number)


def _refuse_others_than_files(target: Path) -> None:
    try:
        target.stat()
    except FileNotFoundError:
        return
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    if not target.is_file():
        raise OSError(errno.EINVAL, "Not a regular file")
