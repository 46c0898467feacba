"""Writing files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


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
