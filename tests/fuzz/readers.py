"""Every reader of files as a function of bytes, and what one execution may take.

A reader may answer bytes with a result or with FileFormatError; anything else is a finding.
"""

from __future__ import annotations

import gzip
import io
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from twolayer_ext import load
from twolayer_ext.datasets import cifar10_layouts, load_arrays, load_cifar10, load_idx
from twolayer_ext.datasets.restricted_pickle import read_pickle
from twolayer_ext.datasets.tar_stream import regular_members
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files import safetensors
from twolayer_ext.files.npy import map_npy, read_array
from twolayer_ext.sweeping.journal import FORMAT, Journal
from twolayer_ext.training import checkpoint

CORPUS = Path(__file__).parent / "corpus"
MOST_SECONDS = 1.0  # of the processor
MOST_MEMORY = 64 << 20  # bytes above the input's
JOURNAL_HEADER = {"format": FORMAT, "seed": 0}

# In memory where there is such a place; removed when the process ends.
_PLACE = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
_FOLDER = Path(_PLACE.name)


class FoundError(AssertionError):
    """An execution took more than it may."""


def as_file(content: bytes, name: str = "input") -> Path:
    """Write a file where it costs little; the next call writes over it."""
    path = _FOLDER / name
    path.write_bytes(content)
    return path


def _npy(content: bytes) -> None:
    map_npy(as_file(content)).tobytes()


def _npy_stream(content: bytes) -> None:
    read_array(io.BytesIO(content), len(content), "input").tobytes()


def _npz(content: bytes) -> None:
    data = load_arrays(as_file(content))
    assert len(data.x) == len(data.y)


def _network(content: bytes) -> None:
    network = load(as_file(content))
    if max(network.layer_sizes) < 1000:
        network.predict(np.zeros((1, network.layer_sizes[0])), threads=1)


def _idx(content: bytes) -> None:
    """The first byte tells how many of the last bytes are the labels."""
    cut = max(1, len(content) - (content[0] if content else 0))
    load_idx(as_file(content[1:cut]), as_file(content[cut:], "labels"))


def _idx_gzip(content: bytes) -> None:
    """The same, compressed: else few inputs would pass gzip's checksum."""
    cut = max(1, len(content) - (content[0] if content else 0))
    images, labels = (gzip.compress(part, 0) for part in (content[1:cut], content[cut:]))
    load_idx(as_file(images), as_file(labels, "labels"))


def _pickle(content: bytes) -> None:
    read_pickle(memoryview(content), "input")


def _pickled_batch(content: bytes) -> None:
    cifar10_layouts.PICKLED.parse_batch(memoryview(content), "input")


def _tar(content: bytes) -> None:
    for member in regular_members(io.BytesIO(content), "input", max_bytes=1 << 24):
        member.read_into(memoryview(bytearray(min(member.size, 1 << 16))))


def _cifar10_archive(content: bytes) -> None:
    """A tar archive, compressed as `_idx_gzip` does; as it is where it claims to be gzip."""
    raw = content.startswith(b"\x1f\x8b")
    load_cifar10(as_file(content if raw else gzip.compress(content, 0)))


def _journal(content: bytes) -> None:
    try:
        Journal(as_file(content), JOURNAL_HEADER)
    except ValueError as error:
        if not str(error).startswith("out: "):  # the file of another sweep
            raise


def _safetensors(content: bytes) -> None:
    safetensors.read_safetensors(as_file(content))


def _checkpoint(content: bytes) -> None:
    checkpoint.read(as_file(content))


READERS: dict[str, Callable[[bytes], None]] = {
    "checkpoint": _checkpoint,
    "cifar10_archive": _cifar10_archive,
    "idx": _idx,
    "idx_gzip": _idx_gzip,
    "journal": _journal,
    "network": _network,
    "npy": _npy,
    "npy_stream": _npy_stream,
    "npz": _npz,
    "pickle": _pickle,
    "pickled_batch": _pickled_batch,
    "safetensors": _safetensors,
    "tar": _tar,
}


class _AnyChecksum(str):
    """One that is equal to any."""

    def update(self, content: object) -> None:
        pass

    def hexdigest(self) -> str:
        return self

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


@contextmanager
def checksums_ignored() -> Iterator[None]:
    """Let files pass with any checksum, else hardly an input would get past it."""
    with (
        mock.patch.object(zipfile.ZipExtFile, "_update_crc"),
        mock.patch.object(safetensors, "_digest", return_value=_AnyChecksum()),
    ):
        yield


@contextmanager
def small_batches() -> Iterator[None]:
    """Let a batch of CIFAR-10 have one row: its files are small then."""
    with mock.patch.object(cifar10_layouts, "BATCH_ROWS", 1):
        yield


def execute(reader: Callable[[bytes], None], content: bytes) -> bool:
    """Run a reader once; tell whether it took the input.

    Raises
    ------
    FoundError
        It took more than a second, or touched more than 64 MiB above the input's size.
    Exception
        Whatever but FileFormatError the reader raised: a finding, too. Reserving more than 64 MiB
        above the input's size is a MemoryError where `bounded` is in force.
    """
    before, began = _peak(), time.process_time()
    try:
        reader(content)
        taken = True
    except FileFormatError:
        taken = False
    seconds, grown = time.process_time() - began, _peak() - before
    if seconds > MOST_SECONDS:
        raise FoundError(f"{seconds:.2f} s")
    if grown > MOST_MEMORY + len(content):
        raise FoundError(f"{grown >> 20} MiB more than before")
    return taken


@contextmanager
def bounded(room: int = MOST_MEMORY) -> Iterator[None]:
    """Let this process reserve no more than `room` bytes beyond what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    leave_room(room)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def leave_room(room: int) -> None:
    """Let this process reserve no more than `room` bytes beyond what it has now, from now on."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, most))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
