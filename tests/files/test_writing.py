"""The file before is kept, and wherever writing stops there is a whole one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from twolayer_ext.files import writing
from twolayer_ext.files.writing import check_writable, previous_of, remove_leftovers, whole_file


def write(path, content, keep_previous=True):
    with whole_file(path, keep_previous=keep_previous) as stream:
        stream.write(content)


def test_the_one_before_is_kept(tmp_path):
    path = tmp_path / "a"
    write(path, b"1")
    assert not previous_of(path).exists()
    write(path, b"2")
    write(path, b"3")
    assert (path.read_bytes(), previous_of(path).read_bytes()) == (b"3", b"2")
    write(path, b"4", keep_previous=False)
    assert (path.read_bytes(), previous_of(path).read_bytes()) == (b"4", b"2")
    assert {entry.name for entry in tmp_path.iterdir()} == {"a", "a.previous"}


def test_both_names_for_one_file(tmp_path):
    """As a kill between the two renames leaves it."""
    path = tmp_path / "a"
    write(path, b"1")
    os.link(path, previous_of(path))
    write(path, b"2")
    assert (path.read_bytes(), previous_of(path).read_bytes()) == (b"2", b"1")
    assert {entry.name for entry in tmp_path.iterdir()} == {"a", "a.previous"}


def test_through_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "real/b")
    write(tmp_path / "a", b"1")
    write(tmp_path / "a", b"2")
    assert previous_of(tmp_path / "a") == tmp_path / "real/b.previous"
    assert (tmp_path / "real/b.previous").read_bytes() == b"1"
    assert (tmp_path / "a").is_symlink()


def test_no_hard_links(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a"
    write(path, b"1")
    write(path, b"2")
    assert (path.read_bytes(), previous_of(path).read_bytes()) == (b"2", b"1")


@pytest.mark.parametrize("operation", ["fsync", "link", "replace"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_full_disk_at_any_moment(tmp_path, monkeypatch, operation, number):
    path = tmp_path / "a"
    write(path, b"1")
    write(path, b"2")
    real, calls = getattr(os, operation), []

    def full(*arguments, **keywords):
        calls.append(arguments)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **keywords)

    monkeypatch.setattr(os, operation, full)
    if (operation, number) == ("link", 2):
        write(path, b"3")
    else:
        with pytest.raises(OSError, match="No space left") as caught:
            write(path, b"3")
        assert caught.value.filename == str(path)
    assert path.read_bytes() in (b"2", b"3")
    assert previous_of(path).read_bytes() in (b"1", b"2")
    assert {entry.name for entry in tmp_path.iterdir()} == {"a", "a.previous"}


def test_folder_is_put_on_the_disk(tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def noted(number):
        synced.append(os.path.realpath(f"/proc/self/fd/{number}"))
        real(number)

    monkeypatch.setattr(os, "fsync", noted)
    write(tmp_path / "a", b"1")
    if Path("/proc/self/fd").is_dir():
        assert synced[-1] == str(tmp_path)
    assert len(synced) == 2


def test_folders_that_cannot_be_synced(tmp_path, monkeypatch):
    real = os.fsync

    def files_only(number):
        if Path(f"/proc/self/fd/{number}").is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        real(number)

    monkeypatch.setattr(os, "fsync", files_only)
    write(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_permissions_are_those_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a", b"1")
        write(tmp_path / "a", b"2")
    finally:
        os.umask(before)
    for path in (tmp_path / "a", previous_of(tmp_path / "a")):
        assert path.stat().st_mode & 0o777 == 0o640


def test_leftovers_of_this_file_only(tmp_path):
    mine, other = writing._temporary(tmp_path / "a"), writing._temporary(tmp_path / "b")
    mine.write_bytes(b"")
    other.write_bytes(b"")
    remove_leftovers(tmp_path / "a")
    assert not mine.exists()
    assert other.exists()


def test_a_folder_in_the_way_is_found_beforehand(tmp_path):
    previous_of(tmp_path / "a").mkdir()
    check_writable(tmp_path / "a")
    with pytest.raises(IsADirectoryError):
        check_writable(tmp_path / "a", keep_previous=True)
    with pytest.raises(OSError, match="too long"):
        check_writable(tmp_path / ("a" * 250), keep_previous=True)
