"""A version of this package as a folder, which can be timed when another one is installed."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import twolayer_command
import twolayer_ext
from twolayer_ext import _core
from twolayer_ext.errors import FileFormatError

PACKAGE = "twolayer_ext"


def save(folder: str | os.PathLike[str]) -> None:
    """Copy the package that runs, compiled module and all, to a new folder.

    Raises
    ------
    FileExistsError
        There is something of that name.
    OSError
        The folder cannot be written; nothing is left of it.
    """
    target = Path(folder)
    check_absent(target)
    temporary = target.with_name(f".{target.name}-{secrets.token_hex(4)}.tmp")
    try:
        for package in (twolayer_ext, twolayer_command):
            shutil.copytree(
                Path(str(package.__file__)).parent,
                temporary / package.__name__,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        # Where the package is installed to be edited, this one lies elsewhere.
        module = Path(_core.__file__)
        shutil.copy2(module, temporary / PACKAGE / module.name)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_absent(folder: str | os.PathLike[str]) -> None:
    """Raise FileExistsError where there is something of that name."""
    if Path(folder).exists():
        raise FileExistsError(f"{os.fspath(folder)}: is there already; must be a new folder")


def check(folder: str | os.PathLike[str]) -> Path:
    """Return the path of a saved version.

    Raises
    ------
    FileFormatError
        No version was saved there.
    """
    path = Path(folder).resolve()
    if not (path / PACKAGE / "benchmark" / "versions" / "worker.py").is_file():
        raise FileFormatError(
            f"{os.fspath(folder)}: holds no version of this package; must be a folder that "
            "twolayer bench --save has written"
        )
    return path


def running() -> Path:
    """Return the folder that the package in use is imported from."""
    return Path(twolayer_ext.__file__).resolve().parent.parent
