"""Data sets from their publishers, kept in a cache folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twolayer_ext.datasets.cifar10 import load_cifar10
from twolayer_ext.datasets.dataset import Dataset


@dataclass(frozen=True)
class Archive:
    """A file some publisher serves, and how to know it."""

    url: str
    size: int
    sha256: str


# The publisher's page gives MD5 sums only (c58f30108f718f92721af3b95e74349a and
# c32a1d4ab5d03f1284b67883e8d87530). The SHA-256 sums are those that other projects, independent of
# one another, record for the same files: Keras and others for the first, Red Datasets, GoMLX and
# others for the second.
CIFAR10_ARCHIVES = {
    "python": Archive(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        170_498_071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    "binary": Archive(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
}


def fetch_cifar10(
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    layout: Literal["python", "binary"] = "python",
    url: str | None = None,
    progress: bool | None = None,
) -> tuple[Dataset, Dataset]:
    """Download CIFAR-10 from its publisher, once, and read it.

    Parameters
    ----------
    cache_dir : path, optional
        Where the archive is kept (170 MB). Default: the environment variable TWOLAYER_CACHE, else
        ``twolayer-ext`` in XDG_CACHE_HOME, else ``~/.cache/twolayer-ext``.
    layout : {"python", "binary"}
        Which of the two published archives; the result is the same.
    url : str, optional
        Another server of the very same file; its SHA-256 is compared all the same.
    progress : bool, optional
        Show progress on stderr: with tqdm where it is installed (the extra ``download``), else in
        plain lines. Default: if stderr is a terminal.

    Returns
    -------
    train, test : Dataset
        As `load_cifar10` returns them.

    Raises
    ------
    DownloadError
        If the server cannot be reached or refuses, or sends anything but the file with the known
        size and SHA-256. What arrived of a download that was cut is kept, and the next call goes
        on from there.
    ValueError
        If `layout` or `url` is not of the kinds above.

    Notes
    -----
    A finished archive in the cache is compared with its SHA-256 at every call, and downloaded
    again if it does not match.
    """
    if layout not in CIFAR10_ARCHIVES:
        raise ValueError(f"layout: {layout!r}; it should be 'python' or 'binary'")
    # urllib and ssl take longer to import than all the rest of the package.
    from twolayer_ext.datasets.download import download

    archive = CIFAR10_ARCHIVES[layout]
    target = _cache_dir(cache_dir) / archive.url.rsplit("/", 1)[1]
    download(
        archive.url if url is None else url,
        target,
        sha256=archive.sha256,
        size=archive.size,
        progress=progress,
    )
    return load_cifar10(target)


def _cache_dir(argument: str | os.PathLike[str] | None) -> Path:
    if argument is not None:
        return Path(argument)
    if own := os.environ.get("TWOLAYER_CACHE"):
        return Path(own)
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG base directory specification has relative paths ignored.
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "twolayer-ext"
