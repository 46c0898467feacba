import pickle
import random
import struct
import tracemalloc

import numpy as np
import pytest

from twolayer_ext.datasets.restricted_pickle import MAX_OPCODES, read_pickle
from twolayer_ext.errors import FileFormatError

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)
NEW_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
NEW_DTYPE = b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R"
DTYPE_STATE = b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"


def read(content):
    return read_pickle(memoryview(content), "some_file")


def refused(content, message="byte"):
    with pytest.raises(FileFormatError, match=message) as caught:
        read(content)
    assert str(caught.value).startswith("some_file: byte ")
    assert len(str(caught.value)) < 700


def in_dictionary(value):
    return b"\x80\x02}U\x04data" + value + b"s."


def with_array(shape=b"K\x03K\x04\x86", dtype=NEW_DTYPE + DTYPE_STATE, order=b"\x89", data=None):
    content = PIXELS.tobytes() if data is None else data
    state = b"(K\x01" + shape + dtype + order + b"T" + struct.pack("<i", len(content)) + content
    return in_dictionary(NEW_ARRAY + state + b"tb")


@pytest.fixture
def batch(cifar10_writer):
    return cifar10_writer.pickled_batch(np.array([3, 0, 9], np.uint8), PIXELS)


def test_reads_what_python_2_wrote(batch):
    result = read(batch)
    assert list(result) == ["batch_label", "labels", "data", "filenames"]
    assert result["batch_label"] == b"a batch for tests"
    assert result["labels"] == [3, 0, 9]
    assert result["filenames"] == [b"picture_00000.png", b"picture_00001.png", b"picture_00002.png"]
    np.testing.assert_array_equal(result["data"], PIXELS)
    assert result["data"].dtype == np.uint8
    assert not result["data"].flags.writeable
    assert np.shares_memory(result["data"], np.frombuffer(batch, np.uint8))


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("as_text", [False, True])
def test_reads_what_python_3_writes(protocol, as_text):
    key = (lambda name: name) if as_text else str.encode
    content = {
        key("labels"): [1, 2, 300, 70_000],
        key("data"): PIXELS,
        key("filenames"): [b"a.png"],
    }
    result = read(pickle.dumps(content, protocol))
    assert result["labels"] == [1, 2, 300, 70_000]
    assert result["filenames"] == [b"a.png"]
    np.testing.assert_array_equal(result["data"], PIXELS)


class Call:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", range(6))
def test_calls_nothing(protocol, tmp_path):
    import os

    witness = tmp_path / "witness"
    call = Call(os.system, f"touch {witness}")
    # From protocol 0 and 1 there may be opcodes before the call that are refused by themselves.
    for content in (call, {b"data": call}):
        dump = pickle.dumps(content, protocol)
        refused(dump, "system" if content is call or protocol > 2 else "byte")
    assert not witness.exists()


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "numpy.load", "numpy.core.multiarray.fromfile"]
)
def test_names_the_forbidden_global(name):
    module, _, attribute = name.rpartition(".")
    refused(in_dictionary(f"c{module}\n{attribute}\n".encode()), f"asks for {name}, .* refused")
    stacked = b"".join(b"\x8c%c" % len(part) + part.encode() for part in (module, attribute))
    refused(b"\x80\x04}" + stacked + b"\x93", f"asks for {name}, .* refused")


def test_refuses_every_truncation(batch):
    for end in range(len(batch)):
        refused(batch[:end])
    refused(batch + b"x", "followed by something else")


@pytest.mark.parametrize("seed", range(4))
def test_refuses_or_survives_random_damage(batch, seed):
    rng = random.Random(seed)
    reads = 0
    for _ in range(3000):
        damaged = bytearray(batch)
        for _ in range(rng.choice((1, 1, 2, 8))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            result = read(damaged)
        except FileFormatError:
            continue
        reads += 1
        assert all(type(key) is str for key in result)
    assert reads > 0  # damage to names and pixels is not seen at this level


@pytest.mark.parametrize("seed", range(2))
def test_refuses_or_survives_random_programs(seed):
    opcodes = b"\x80\x95(N\x88\x89KMJUCTBX]ae}su)t\x85\x86\x87qr\x94hjcRb.\x93\x8c"
    rng = random.Random(seed)
    for _ in range(5000):
        program = bytearray(NEW_ARRAY if rng.random() < 0.3 else b"}(")
        for _ in range(rng.randrange(40)):
            program.append(rng.choice(opcodes))
            program += rng.randbytes(rng.choice((0, 0, 1, 4))) if rng.random() < 0.5 else b"\1"
        try:
            read(program + b".")
        except FileFormatError:
            continue


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_array(shape=b"K\x04K\x04\x86"), "size of its shape"),
        (with_array(shape=b"J\xff\xff\xff\xffK\x04\x86"), "not made of numbers"),
        (with_array(shape=b"\x88K\x0c\x86"), "not made of numbers"),
        (with_array(shape=b"K\x0c\x85"), "two dimensions"),
        (with_array(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"), "size of its shape"),
        (with_array(order=b"\x88"), "C order"),
        (with_array(data=b"short"), "size of its shape"),
        (with_array(dtype=b"N"), "state is not as NumPy"),
        (with_array(dtype=b"cnumpy\ndtype\nU\x02O8K\0K\x01\x87R"), "type 'O8'"),
        (with_array(dtype=b"cnumpy\ndtype\nU\x02f8K\0K\x01\x87R"), "type 'f8'"),
        (with_array(dtype=NEW_DTYPE + DTYPE_STATE.replace(b"|", b">")), "not plain uint8"),
        (with_array(dtype=NEW_DTYPE + DTYPE_STATE.replace(b"NNN", b"N]N")), "not plain uint8"),
        (in_dictionary(NEW_ARRAY), "has no content"),
        (in_dictionary(NEW_ARRAY.replace(b"K\0", b"K\x09")), "as NumPy makes one"),
        (in_dictionary(NEW_ARRAY + b"K\x01b"), "state is not a tuple"),
        (in_dictionary(b"]K\x01\x85b"), "not an array"),
        (in_dictionary(b"cnumpy\nndarray\nNNN\x87R"), "not a function"),
        (in_dictionary(b"cnumpy\ndtype\n)R"), "three arguments"),
        (b"\x80\x02].", "not one dictionary"),
        (b"\x80\x02}}.", "not one dictionary"),
        (b"\x80\x02}(.", "not one dictionary"),
        (b"\x80\x02}K\x01K\x02s.", "key is not"),
        (b"\x80\x02}(K\x01u.", "not a dictionary"),
        (b"\x80\x02K\x01(e.", "not a list"),
        (b"\x80\x02}h\x07.", "memo"),
        (b"\x80\x02u.", "no mark"),
        (b"\x80\x02}(s.", "too little"),
        (b"\x80\x02}T\xff\xff\xff\xff.", "negative"),
        (b"\x80\x02}X\x01\0\0\0\xff.", "UTF-8"),
        (b"\x80\x02}c" + b"a" * 1000, "does not end"),
        (b"I1\n.", "opcode b'I'"),
        (b"", "truncated"),
    ],
)
def test_refuses_crafted_content(content, message):
    refused(content, message)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x02}r\xff\xff\xff\xff" + b"}" * 10,  # a memo index that asks for a table of 32 GB
        b"\x80\x02" + b"]" * (4 << 20),  # 64 bytes of memory for each byte of the file
        b"\x80\x02" + b"(" * (4 << 20),
        b"\x80\x02N" + b"\x85" * (4 << 20),  # tuples nested four million deep
        b"\x80\x02N" + b"q\0h\0\x86" * (1 << 20),  # each twice as large as the one before
        b"\x80\x02}B\xff\xff\xff\xff",  # a string of 4 GB, announced
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff}",  # a frame of 2**64 bytes, announced
        b"\x80\x02}X\0\0\x20\0" + b"a" * (2 << 20),
        b"\x80\x02\x8a\xff" + b"\xff" * 255,  # LONG1
        b"\x80\x02\x8b\xff\xff\xff\x7f",  # LONG4
    ],
)
def test_takes_little_memory_for_bombs(bomb):
    tracemalloc.start()
    refused(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 128 * MAX_OPCODES
