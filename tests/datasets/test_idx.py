import gzip
import random
import struct
import tracemalloc

import numpy as np
import pytest

from twolayer_ext.datasets import load_idx
from twolayer_ext.errors import FileFormatError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
LABELS = np.array([3, 1, 0, 3, 2, 1], np.uint8)


def idx(values, type_code=8, shape=None):
    shape = values.shape if shape is None else shape
    return (
        struct.pack(f">BBBB{len(shape)}I", 0, 0, type_code, len(shape), *shape) + values.tobytes()
    )


@pytest.fixture
def pair(tmp_path):
    images, labels = tmp_path / "images-idx3-ubyte", tmp_path / "labels-idx1-ubyte"
    images.write_bytes(idx(IMAGES))
    labels.write_bytes(idx(LABELS))
    return images, labels


def packed(content):
    return gzip.compress(content, 1, mtime=0)


plain_or_gzip = pytest.mark.parametrize("pack", [bytes, packed], ids=["plain", "gzip"])


@plain_or_gzip
def test_reads_pair(pair, pack):
    for path in pair:  # gzip is told by content: the names stay
        path.write_bytes(pack(path.read_bytes()))
    data = load_idx(*pair)
    np.testing.assert_array_equal(data.x, IMAGES.reshape(6, 20))
    np.testing.assert_array_equal(data.y, LABELS)
    assert data.x.dtype == np.uint8
    assert data.y.dtype == np.int64
    assert data.image_shape == (5, 4)
    assert data.class_names == ("0", "1", "2", "3")


def test_reads_other_dimensions(pair):
    pair[0].write_bytes(idx(IMAGES.reshape(6, 20)))
    assert load_idx(str(pair[0]), str(pair[1])).image_shape is None
    pair[0].write_bytes(idx(IMAGES.reshape(6, 2, 2, 5)))
    assert load_idx(*pair).image_shape == (2, 2, 5)


def test_missing_file(pair, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing: no such file"):
        load_idx(tmp_path / "nothing", pair[1])
    with pytest.raises(FileNotFoundError, match="nothing: no such file"):
        load_idx(pair[0], tmp_path / "nothing")
    with pytest.raises(FileFormatError, match="not a regular file"):
        load_idx(tmp_path, pair[1])


@plain_or_gzip
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin"),
        (b"PK\3\4" + bytes(100), "does not begin"),
        (idx(IMAGES, type_code=0x0D), "type code 13"),
        (idx(IMAGES, type_code=0x0B), "type code 11"),
        (b"\0\0\x08\0", "0 dimensions"),
        (b"\0\0\x08\xff" + bytes(2000), "255 dimensions"),
        (b"\0\0\x08\x03" + bytes(7), "inside its header"),
        (idx(IMAGES, shape=(6, 5, 5)), "6 x 5 x 5 bytes, but 120 follow"),
        (idx(IMAGES) + b"x", "6 x 5 x 4 bytes, but"),
        (idx(IMAGES, shape=(2**32 - 1, 2**32 - 1, 2**32 - 1)), "larger than any memory"),
        (idx(IMAGES[:0], shape=(0, 2**32 - 1, 2**32 - 1)), "larger than any memory"),
        (idx(IMAGES, shape=(2**16, 2**16, 2**16)), "but 120 follow|unpack it first"),
        (idx(IMAGES, shape=(60_000, 28, 28)), "but 120 follow"),
        (idx(IMAGES[:0]), "no pixels|6 labels for the 0 images"),
        (idx(IMAGES[:5]), "6 labels for the 5 images"),
        (idx(LABELS), "has one dimension"),
    ],
)
def test_refuses_images(pair, pack, content, message):
    pair[0].write_bytes(pack(content))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=message) as caught:
        load_idx(*pair)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pair[0].name in str(caught.value)
    assert peak < 4 << 20


def test_refuses_labels(pair):
    pair[1].write_bytes(idx(IMAGES))
    with pytest.raises(FileFormatError, match="3 dimensions; labels have one"):
        load_idx(*pair)
    pair[0].write_bytes(idx(LABELS))
    with pytest.raises(FileFormatError, match="swap them"):
        load_idx(*pair)


@plain_or_gzip
def test_refuses_no_images_at_all(pair, pack):
    pair[0].write_bytes(pack(idx(IMAGES[:0])))
    pair[1].write_bytes(pack(idx(LABELS[:0])))
    with pytest.raises(FileFormatError, match="no pixels"):
        load_idx(*pair)


@plain_or_gzip
@pytest.mark.parametrize("which", [0, 1])
def test_refuses_every_truncation(pair, pack, which):
    whole = pack(pair[which].read_bytes())
    for end in range(len(whole)):
        pair[which].write_bytes(whole[:end])
        with pytest.raises(FileFormatError, match=pair[which].name):
            load_idx(*pair)


@plain_or_gzip
def test_refuses_or_survives_random_damage(pair, pack):
    whole = pack(pair[0].read_bytes())
    rng = random.Random(0)
    reads = 0
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        pair[0].write_bytes(damaged)
        try:
            data = load_idx(*pair)
        except FileFormatError:
            continue
        reads += 1
        assert data.x.shape == (6, 20)
    assert 0 < reads < 500


def test_gzip_that_expands_without_end(pair):
    pair[0].write_bytes(packed(idx(IMAGES) + bytes(64 << 20)))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="more follow"):
        load_idx(*pair)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20
