"""safetensors files: both ways between this package and the format's own, and hostile ones."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.files.safetensors import read_safetensors, write_safetensors

TYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def arrays():
    rng = np.random.default_rng(1)
    result = {f"of {code}": rng.integers(0, 2, (3, 5)).astype(code) for code in TYPES}
    return {
        **result,
        "nothing": np.zeros((0, 4), np.float32),
        "one": np.array(-2.5),
        "ünï": np.array([np.nan, np.inf, -0.0]),
    }


def same(one, other):
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    metadata = {"format": "some", "text": "two\nlines, ä"}
    write_safetensors(path, arrays(), metadata)
    found, said = read_safetensors(path, checksum_needed=True)
    assert said == metadata
    assert same(found, arrays())
    assert all(array.flags.writeable and array.flags.aligned for array in found.values())


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda a: a[::-1], lambda a: a.astype(a.dtype.newbyteorder(">"))],
)
def test_any_memory_order(tmp_path, change):
    array = change(np.arange(12, dtype=np.float32).reshape(3, 4))
    write_safetensors(tmp_path / "a", {"a": array}, {})
    found = read_safetensors(tmp_path / "a")[0]["a"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.float32


def test_the_formats_own_package_reads_ours(tmp_path):
    own = pytest.importorskip("safetensors.numpy", exc_type=ImportError)
    write_safetensors(tmp_path / "a", arrays(), {"k": "v"})
    assert same(own.load_file(tmp_path / "a"), arrays())


def test_we_read_what_the_formats_own_package_writes(tmp_path):
    own = pytest.importorskip("safetensors.numpy", exc_type=ImportError)
    own.save_file(arrays(), tmp_path / "a", {"k": "v"})
    found, said = read_safetensors(tmp_path / "a")
    assert same(found, arrays())
    assert said == {"k": "v"}
    with pytest.raises(tl.FileFormatError, match="has no checksum"):
        read_safetensors(tmp_path / "a", checksum_needed=True)


def test_the_same_arrays_make_the_same_file(tmp_path):
    backwards = dict(reversed(arrays().items()))
    write_safetensors(tmp_path / "a", arrays(), {"k": "v"})
    write_safetensors(tmp_path / "b", backwards, {"k": "v"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_changed_byte_is_noticed(tmp_path):
    write_safetensors(tmp_path / "a", {"a": np.arange(5.0), "b": np.ones(3, bool)}, {"k": "v"})
    content = (tmp_path / "a").read_bytes()
    for place in range(len(content)):
        for bit in (1, 128):
            damaged = bytearray(content)
            damaged[place] ^= bit
            (tmp_path / "b").write_bytes(damaged)
            with pytest.raises(tl.FileFormatError):
                read_safetensors(tmp_path / "b", checksum_needed=True)


def test_every_truncation_is_noticed(tmp_path):
    write_safetensors(tmp_path / "a", {"a": np.arange(5.0)}, {})
    content = (tmp_path / "a").read_bytes()
    for length in range(len(content)):
        (tmp_path / "b").write_bytes(content[:length])
        with pytest.raises(tl.FileFormatError):
            read_safetensors(tmp_path / "b")
    (tmp_path / "b").write_bytes(content + b"\0")
    with pytest.raises(tl.FileFormatError, match="truncated or damaged"):
        read_safetensors(tmp_path / "b")


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def file_of(header, data=b"\0" * 8, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


ONE = json.dumps(entry())
HOSTILE = {
    "empty": (b"", "truncated"),
    "seven bytes": (b"\0" * 7, "truncated"),
    "no header": (b"\0" * 8, "no header"),
    "a header of 2**64 - 1 bytes": (file_of({}, length=2**64 - 1), "truncated"),
    "a header longer than the file": (file_of({}, length=11), "truncated"),
    "a list": (file_of(b"[]"), "no header"),
    "a space before": (file_of(b" {}"), "no header"),
    "no JSON": (file_of(b"{a}"), "no JSON"),
    "no UTF-8": (file_of(b'{"\xff": 1}'), "no JSON"),
    "nested without end": (file_of(b'{"a":' * 100_000), "no JSON"),
    "digits without end": (file_of(b'{"a": ' + b"9" * 100_000 + b"}"), "no JSON"),
    "NaN": (file_of(b'{"a": NaN}'), "no JSON"),
    "a name twice": (file_of(f'{{"a": {ONE}, "a": {ONE}}}'.encode()), "there twice"),
    "a key twice": (file_of(b'{"a": {"dtype": "F32", "dtype": "F64"}}'), "there twice"),
    "metadata that are a list": (file_of({"__metadata__": []}, b""), "metadata"),
    "metadata of numbers": (file_of({"__metadata__": {"a": 1}}, b""), "metadata"),
    "no object": (file_of({"a": 3}), "does not say dtype"),
    "no shape": (file_of({"a": {"dtype": "F32", "data_offsets": [0, 8]}}), "does not say dtype"),
    "one key more": (file_of({"a": entry(more=1)}), "does not say dtype"),
    "an unknown type": (file_of({"a": entry("F7")}), "unknown here"),
    "a type that is a list": (file_of({"a": entry(["F32"])}), "unknown here"),
    "bfloat16": (file_of({"a": entry("BF16", (4,))}), "unknown here"),
    "a negative length": (file_of({"a": entry(shape=(-2,))}), "the shape"),
    "a length that is true": (file_of({"a": entry(shape=(True, 2))}), "the shape"),
    "a length of 2.0": (file_of({"a": entry(shape=(2.0,))}), "the shape"),
    "33 dimensions": (file_of({"a": entry(shape=(1,) * 32 + (2,))}), "the shape"),
    "a product of 2**64": (file_of({"a": entry(shape=(2**32, 2**32))}), "larger than any memory"),
    "a product of 2**64 and 0": (
        file_of({"a": entry(shape=(2**32, 2**32, 0), offsets=(0, 0))}, b""),
        "larger than any memory",
    ),
    "too few bytes": (file_of({"a": entry(shape=(3,))}), "has 8 bytes"),
    "too many bytes": (file_of({"a": entry(shape=(1,))}), "has 8 bytes"),
    "offsets backwards": (file_of({"a": entry(offsets=(8, 0))}), "has -8 bytes"),
    "negative offsets": (file_of({"a": entry(offsets=(-8, 0))}), "data_offsets"),
    "three offsets": (file_of({"a": entry(offsets=(0, 4, 8))}), "data_offsets"),
    "a hole before": (file_of({"a": entry(offsets=(8, 16))}, b"\0" * 16), "a hole"),
    "a hole between": (
        file_of({"a": entry(), "b": entry(offsets=(12, 20))}, b"\0" * 20),
        "a hole",
    ),
    "an overlap": (file_of({"a": entry(), "b": entry(offsets=(4, 12))}, b"\0" * 12), "an overlap"),
    "the same place twice": (file_of({"a": entry(), "b": entry()}), "an overlap"),
    "a hole behind": (file_of({"a": entry()}, b"\0" * 12), "truncated or damaged"),
    "a petabyte": (file_of({"a": entry("U8", (2**50,), (0, 2**50))}), "truncated or damaged"),
    "a bool of 2": (file_of({"a": entry("BOOL", (1,), (0, 1))}, b"\2"), "neither true nor false"),
    "a wrong checksum": (
        file_of({"a": entry(), "__metadata__": {"sha256": "0" * 64}}),
        "checksum",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files(tmp_path, case):
    content, message = HOSTILE[case]
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(tl.FileFormatError, match=message) as caught:
        read_safetensors(tmp_path / "a")
    assert str(caught.value).startswith(f"{tmp_path / 'a'}: ")
    assert len(str(caught.value)) < 1000


def test_the_largest_header(tmp_path, monkeypatch):
    monkeypatch.setattr("twolayer_ext.files.safetensors._LONGEST_HEADER", 1000)
    with pytest.raises(ValueError, match="must be 1000 at most"):
        write_safetensors(tmp_path / "a", {}, {"k": "v" * 1000})
    (tmp_path / "a").write_bytes(file_of({"__metadata__": {"k": "v" * 1000}}, b""))
    with pytest.raises(tl.FileFormatError, match="truncated"):
        read_safetensors(tmp_path / "a")


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(tl.FileFormatError, match="not a regular file"):
        read_safetensors(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_safetensors(tmp_path / "none")


def test_wrong_arguments_write_nothing(tmp_path):
    with pytest.raises(TypeError, match=r"^arrays\['a'\]: type complex128"):
        write_safetensors(tmp_path / "a", {"a": np.zeros(2, complex)}, {})
    for given, metadata in (({"__metadata__": np.zeros(1)}, {}), ({}, {"sha256": "0"})):
        with pytest.raises(ValueError, match="kept names"):
            write_safetensors(tmp_path / "a", given, metadata)
    assert not list(tmp_path.iterdir())
