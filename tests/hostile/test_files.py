"""Files made by hand to do harm: each gets one typed error that names it, in bounded memory."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("resource", reason="the bounds of a process are POSIX's")

from fuzz import readers
from hostile.makers import hostile_files
from twolayer_ext import load
from twolayer_ext.datasets import load_arrays, load_cifar10, load_idx
from twolayer_ext.errors import FileFormatError
from twolayer_ext.sweeping.journal import Journal

FILES = hostile_files()


def test_there_are_many_of_every_kind():
    assert len(FILES) >= 40
    names = [(reader, name) for reader, name, _, _ in FILES]
    assert len(set(names)) == len(names)
    assert {reader for reader, _ in names} >= {"npy", "npz", "network", "idx", "pickle", "journal"}


@pytest.mark.parametrize(
    ("reader", "content", "message"),
    [(reader, content, message) for reader, _, content, message in FILES],
    ids=[f"{reader}: {name}" for reader, name, _, _ in FILES],
)
def test_gets_its_error(reader, content, message):
    with readers.small_batches(), readers.bounded(), pytest.raises(FileFormatError, match=message):
        readers.READERS[reader](content)
    with readers.small_batches():
        readers.execute(readers.READERS[reader], content)


@pytest.mark.parametrize(
    "read",
    [load, load_arrays, load_cifar10, lambda path: load_idx(path, path), lambda p: Journal(p, {})],
    ids=["load", "load_arrays", "load_cifar10", "load_idx", "sweep"],
)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_not_waited_for(tmp_path, read, kind):
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(FileFormatError, match="is not a regular file"):
        read(path)
