import gzip
import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
from functools import partial

import numpy as np
import pytest

from twolayer_ext.datasets import cifar10_layouts, load_cifar10
from twolayer_ext.errors import FileFormatError

LAYOUTS = ["py", "bin"]


def name_of(layout, stem):
    return stem if layout == "py" else f"{stem}.bin"


def archive(folder, path, *, prefix="", extra=(), compresslevel=1):
    """Pack a folder as its publisher does, in an order of its own."""
    with tarfile.open(path, "w:gz", compresslevel=compresslevel) as tar:
        tar.add(folder, prefix + folder.name, recursive=False)
        for path_of_file in sorted(folder.iterdir(), reverse=True):
            tar.add(path_of_file, f"{prefix}{folder.name}/{path_of_file.name}")
        for name, content in extra:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def assert_equal(got, expected):
    for one, other in zip(got, expected, strict=True):
        assert np.array_equal(one.x, other.x)
        assert np.array_equal(one.y, other.y)


def read_or_refuse(load, name):
    """What `load` returns; None if it refuses the file called `name`."""
    try:
        return load()
    except FileFormatError as error:
        message = str(error)
    assert name in message
    return None


@pytest.fixture
def folder(request, tmp_path, small_batches, cifar10_writer):
    """A small data set in the layout asked for."""
    return cifar10_writer.write(tmp_path, request.param)


both_layouts = pytest.mark.parametrize("folder", LAYOUTS, indirect=True)
pickles = pytest.mark.parametrize("folder", ["py"], indirect=True)
records = pytest.mark.parametrize("folder", ["bin"], indirect=True)


@both_layouts
def test_reads_folder_and_its_parent(folder, small_batches, cifar10_writer):
    pixels, labels = cifar10_writer.content(small_batches)
    split = 5 * small_batches
    for path in (folder, folder.parent, str(folder)):
        train, test = load_cifar10(path)
        np.testing.assert_array_equal(train.x, pixels[:split])
        np.testing.assert_array_equal(train.y, labels[:split])
        np.testing.assert_array_equal(test.x, pixels[split:])
        np.testing.assert_array_equal(test.y, labels[split:])
        for data in (train, test):
            assert data.x.dtype == np.uint8
            assert data.x.flags.c_contiguous
            assert data.x.flags.owndata
            assert data.y.dtype == np.int64
            assert data.image_shape == (3, 32, 32)
            assert data.class_names == tuple(cifar10_writer.class_names)


@both_layouts
@pytest.mark.parametrize("prefix", ["", "./", "somewhere/else/"])
def test_reads_archive(folder, tmp_path, prefix):
    path = archive(
        folder, tmp_path / "data.tar.gz", prefix=prefix, extra=[("readme.html", b"x" * 700)]
    )
    assert_equal(load_cifar10(path), load_cifar10(folder))


def test_full_size(tmp_path, cifar10_writer):
    """10,000 rows a batch, as published."""
    pixels, labels = cifar10_writer.content(10_000)
    folder = cifar10_writer.write(tmp_path, "py", 10_000)
    try:
        train, test = load_cifar10(folder)
    finally:
        shutil.rmtree(folder)
    assert train.x.shape == (50_000, 3072)
    assert np.array_equal(train.x, pixels[:50_000])
    assert np.array_equal(test.x, pixels[50_000:])
    assert np.array_equal(np.concatenate([train.y, test.y]), labels)


# What is not there


def test_missing_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file.*fetch_cifar10"):
        load_cifar10(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds neither cifar-10-batches-py nor"):
        load_cifar10(tmp_path)


@both_layouts
def test_missing_file(folder):
    layout = folder.name[-3:].strip("-")
    missing = name_of(layout, "data_batch_3")
    (folder / missing).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{missing} missing.*fetch_cifar10"):
        load_cifar10(folder)
    packed = archive(folder, folder.parent / "data.tar.gz")
    with pytest.raises(FileFormatError, match=rf"holds no {missing}"):
        load_cifar10(packed)


@both_layouts
def test_not_a_regular_file(folder):
    first = next(folder.glob("data_batch_1*"))
    first.unlink()
    os.mkfifo(first)
    with pytest.raises(FileFormatError, match="not a regular file"):
        load_cifar10(folder)


# What is broken


def load_damaged(folder, name, content):
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        return load_cifar10(folder)
    finally:
        path.write_bytes(whole)


@pickles
def test_truncated_pickle(folder):
    whole = (folder / "data_batch_2").read_bytes()
    pixels = whole.index(b"T\x00\xf0\x00\x00") + 5  # 61,440 bytes in a long string
    ends = [*range(pixels + 2), *range(pixels + 61_438, len(whole))]
    ends += random.Random(0).sample(range(pixels, pixels + 61_440), 50)
    for end in ends:
        with pytest.raises(FileFormatError, match="data_batch_2"):
            load_damaged(folder, "data_batch_2", whole[:end])
    meta = (folder / "batches.meta").read_bytes()
    for end in range(len(meta)):
        with pytest.raises(FileFormatError, match=r"batches\.meta"):
            load_damaged(folder, "batches.meta", meta[:end])


def test_truncated_pickle_of_full_size(cifar10_writer):
    rows = 10_000
    pixels, labels = (part[:rows] for part in cifar10_writer.content(rows // 6 + 1))
    whole = cifar10_writer.pickled_batch(labels, pixels)
    view = memoryview(whole)
    start = whole.index(b"T\x00\xc0\xd4\x01") + 5
    after = start + pixels.nbytes
    rng = random.Random(0)
    # Each kind of place: before and in the labels, the array's frame, the pixels, the file names.
    ends = [*range(60), *rng.sample(range(60, start - 200), 20), *range(start - 200, start + 2, 3)]
    ends += [*rng.sample(range(start, after), 10), *range(after - 2, after + 20)]
    ends += [*rng.sample(range(after, len(whole)), 10), *range(len(whole) - 5, len(whole))]
    for end in ends:
        with pytest.raises(FileFormatError, match="a_file: byte"):
            cifar10_layouts.PICKLED.parse_batch(view[:end], "a_file")


@pickles
@pytest.mark.parametrize("seed", range(3))
def test_randomly_damaged_pickle(folder, seed):
    expected = load_cifar10(folder)
    whole = (folder / "test_batch").read_bytes()
    pixels = whole.index(b"T\x00\xf0\x00\x00") + 5
    structure = [*range(pixels), *range(pixels + 61_440, len(whole))]
    rng = random.Random(seed)
    reads = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 3))):
            damaged[rng.choice(structure)] = rng.randrange(256)
        content = bytes(damaged)
        result = read_or_refuse(partial(load_damaged, folder, "test_batch", content), "test_batch")
        if result is not None:  # labels, names and the like were damaged, never the pixels
            reads += 1
            assert all(np.array_equal(got.x, e.x) for got, e in zip(result, expected, strict=True))
    assert 0 < reads < 300


@pickles
def test_damaged_pixel_is_a_pixel(folder):
    damaged = bytearray((folder / "data_batch_1").read_bytes())
    damaged[damaged.index(b"T\x00\xf0\x00\x00") + 5 + 3072 + 7] ^= 255
    expected, _ = load_cifar10(folder)
    train, _ = load_damaged(folder, "data_batch_1", damaged)
    assert np.argwhere(train.x != expected.x).tolist() == [[1, 7]]


@pickles
def test_pickle_that_calls(folder):
    witness = folder / "witness"
    attack = f"cos\nsystem\n(S'touch {witness}'\ntR.".encode()
    for name in ("data_batch_4", "batches.meta"):
        with pytest.raises(FileFormatError, match=rf"{name}.*os\.system.*nothing was run"):
            load_damaged(folder, name, attack)
        packed = archive_with(folder, name, attack)
        with pytest.raises(FileFormatError, match=rf"tar\.gz.*{name}.*os\.system"):
            load_cifar10(packed)
    assert not witness.exists()


def archive_with(folder, name, content):
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(content)
    packed = archive(folder, folder.parent / "damaged.tar.gz")
    path.write_bytes(whole)
    return packed


@pickles
def test_wrong_content_in_pickle(folder, cifar10_writer):
    rows = 20
    pixels, labels = np.zeros((rows, 3072), np.uint8), np.zeros(rows, np.uint8)
    label_out_of_range = labels.copy()
    label_out_of_range[13] = 10
    batch = cifar10_writer.pickled_batch
    for content, message in [
        (batch(label_out_of_range, pixels), "label 10 in row 13"),
        (batch(labels[:-1], pixels), "'labels' is not a list of 20"),
        (batch(labels, pixels[:-1]), "'data' is not an array of 20 x 3072"),
        (batch(labels, pixels[:, :-1]), "'data' is not an array of 20 x 3072"),
        (batch(labels, pixels, b"labelz"), "'labels' is not"),
        (batch(labels, pixels, b"fine_labels"), "this is CIFAR-100"),
        (batch(labels, pixels) + bytes(100_000), "a batch of CIFAR-10 has about"),
        (b"\x80\x02}.", "'data' is not"),
        (b"", "truncated"),
    ]:
        with pytest.raises(FileFormatError, match=rf"data_batch_5: .*{message}"):
            load_damaged(folder, "data_batch_5", content)


@pickles
def test_wrong_meta_in_pickle(folder, cifar10_writer):
    names = list(cifar10_writer.class_names)
    meta = cifar10_writer.pickled_meta
    for content, message in [
        (meta(names[:9]), "class names"),
        (meta([*names[:9], "lorry"]), "class names"),
        (meta(names, b"fine_label_names"), "this is CIFAR-100"),
        (meta(names, b"label_namez"), "'label_names' is not a list"),
        (bytes(100_000), "far less"),
    ]:
        with pytest.raises(FileFormatError, match=rf"batches\.meta: .*{message}"):
            load_damaged(folder, "batches.meta", content)


@records
def test_wrong_records(folder):
    whole = (folder / "test_batch.bin").read_bytes()
    label = bytearray(whole)
    label[7 * 3073] = 11
    for content, message in [
        (bytes(label), "label 11 in row 7"),
        (whole + b"\0", "61461 bytes; .* truncated"),
        (bytes(20 * 3074), "this is CIFAR-100"),
        (bytes(100 * 3074), "this is CIFAR-100"),
    ]:
        with pytest.raises(FileFormatError, match=rf"test_batch\.bin: .*{message}"):
            load_damaged(folder, "test_batch.bin", content)
    with pytest.raises(FileFormatError, match="class names"):
        load_damaged(folder, "batches.meta.txt", b"apple\nbear\n")


@records
def test_truncated_records(folder):
    whole = (folder / "data_batch_1.bin").read_bytes()
    for end in [*range(0, len(whole), 997), len(whole) - 1]:
        with pytest.raises(FileFormatError, match=r"data_batch_1\.bin: .*truncated"):
            load_damaged(folder, "data_batch_1.bin", whole[:end])


# Archives


@both_layouts
def test_truncated_archive(folder, tmp_path):
    whole = archive(folder, tmp_path / "whole.tar.gz").read_bytes()
    cut = tmp_path / "cut.tar.gz"
    rng = random.Random(0)
    ends = [0, 1, *range(2, 30), *rng.sample(range(30, len(whole)), 40)]
    for end in [*ends, *range(len(whole) - 20, len(whole))]:
        cut.write_bytes(whole[:end])
        with pytest.raises(FileFormatError, match=r"cut\.tar\.gz"):
            load_cifar10(cut)


@both_layouts
def test_archive_cut_before_it_was_compressed(folder, tmp_path):
    packed = archive(folder, tmp_path / "whole.tar.gz")
    whole = gzip.decompress(packed.read_bytes())
    content = len(whole.rstrip(b"\0"))
    cut = tmp_path / "cut.tar.gz"
    for end in (100, 512, 700, content // 2, content - 1):
        cut.write_bytes(gzip.compress(whole[:end], 1))
        with pytest.raises(FileFormatError, match=r"cut\.tar\.gz"):
            load_cifar10(cut)


@both_layouts
def test_randomly_damaged_archive(folder, tmp_path):
    whole = archive(folder, tmp_path / "whole.tar.gz").read_bytes()
    expected = load_cifar10(folder)
    damaged_path = tmp_path / "damaged.tar.gz"
    rng = random.Random(0)
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        damaged_path.write_bytes(damaged)
        result = read_or_refuse(partial(load_cifar10, damaged_path), "damaged.tar.gz")
        if result is not None:  # the time or the name in gzip's header
            assert_equal(result, expected)


@pytest.mark.parametrize("seed", range(2))
@both_layouts
def test_randomly_damaged_tar(folder, tmp_path, seed):
    whole = gzip.decompress(archive(folder, tmp_path / "whole.tar.gz").read_bytes())
    headers = [i for i in range(0, len(whole), 512) if whole[i : i + 5] == b"cifar"]
    assert len(headers) == 8
    damaged_path = tmp_path / "damaged.tar.gz"
    rng = random.Random(seed)
    for _ in range(40):
        damaged = bytearray(whole)
        header = rng.choice(headers)
        field = rng.choice((rng.randrange(512), rng.randrange(124, 136), 156))
        damaged[header + field] = rng.randrange(256)
        if rng.random() < 0.8:  # with its checksum put right again
            block = damaged[header : header + 512]
            total = sum(block) - sum(block[148:156]) + 8 * 32
            damaged[header + 148 : header + 156] = b"%06o\0 " % total
        damaged_path.write_bytes(gzip.compress(damaged, 1))
        read_or_refuse(partial(load_cifar10, damaged_path), "damaged.tar.gz")


@pickles
def test_archive_with_links_only(folder, tmp_path):
    """Links are no files: nothing outside the archive is read for them."""
    path = tmp_path / "links.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for path_of_file in folder.iterdir():
            member = tarfile.TarInfo(f"{folder.name}/{path_of_file.name}")
            member.type = tarfile.SYMTYPE
            member.linkname = str(path_of_file)
            tar.addfile(member)
    with pytest.raises(FileFormatError, match="none of the files"):
        load_cifar10(path)


@records
def test_archive_that_expands_without_end(folder, tmp_path):
    limit = 6 * 65_536 + (16 << 20)
    for name in ("filler", "cifar-10-batches-bin/data_batch_1.bin"):
        path = archive(folder, tmp_path / "bomb.tar.gz", extra=[(name, bytes(2 * limit))])
        with pytest.raises(FileFormatError, match="holds more than"):
            load_cifar10(path)
    whole = gzip.decompress(archive(folder, tmp_path / "bomb.tar.gz").read_bytes())
    path.write_bytes(gzip.compress(whole + bytes(2 * limit), 1))
    with pytest.raises(FileFormatError, match="after its end mark"):
        load_cifar10(path)


def test_not_an_archive(tmp_path, small_batches):
    for content in (b"", b"hello", bytes(5000), b"\x80\x02}."):
        path = tmp_path / "file"
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match=r"file: is not a \.tar\.gz"):
            load_cifar10(path)
        path.write_bytes(gzip.compress(content))
        with pytest.raises(FileFormatError, match=r"file: "):
            load_cifar10(path)


# CIFAR-100


def cifar100(tmp_path, cifar10_writer, layout):
    folder = tmp_path / f"cifar-100-{layout}"
    folder.mkdir()
    if layout == "python":
        batch = cifar10_writer.cifar100_batch(
            np.arange(20, dtype=np.uint8), np.zeros((20, 3072), np.uint8)
        )
        (folder / "train").write_bytes(batch + bytes(300_000))
        (folder / "test").write_bytes(batch)
        (folder / "meta").write_bytes(cifar10_writer.pickled_meta(["apple"], b"fine_label_names"))
    else:
        (folder / "train.bin").write_bytes(bytes(100 * 3074))
        (folder / "test.bin").write_bytes(bytes(20 * 3074))
    return folder


@pytest.mark.parametrize("layout", ["python", "binary"])
def test_cifar100(tmp_path, small_batches, cifar10_writer, layout):
    folder = cifar100(tmp_path, cifar10_writer, layout)
    renamed = tmp_path / "renamed"
    paths = [
        *(folder, tmp_path, shutil.copytree(folder, renamed)),
        *(archive(folder, tmp_path / "data.tar.gz"), archive(renamed, tmp_path / "other.tar.gz")),
        *folder.iterdir(),
    ]
    for path in paths:
        with pytest.raises(FileFormatError, match="this is CIFAR-100; load_cifar10 reads CIFAR-10"):
            load_cifar10(path)


@pickles
def test_cifar100_in_the_place_of_a_batch(folder, cifar10_writer):
    other = cifar100(folder.parent, cifar10_writer, "python")
    for name in ("train", "test", "meta"):
        with pytest.raises(FileFormatError, match=r"data_batch_1: .*this is CIFAR-100"):
            load_damaged(folder, "data_batch_1", (other / name).read_bytes())


# The data themselves


@pytest.fixture(scope="module")
def real(real_cifar10):
    return load_cifar10(real_cifar10 / "cifar-10-batches-py")


def test_real_layouts_are_identical(real, real_cifar10):
    assert_equal(load_cifar10(real_cifar10 / "cifar-10-batches-bin"), real)
    train, test = real
    assert np.bincount(train.y).tolist() == [5000] * 10
    assert np.bincount(test.y).tolist() == [1000] * 10
    assert train.y[:5].tolist() == [6, 9, 9, 4, 1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_real_archive(real, real_cifar10, tmp_path, layout):
    folder = real_cifar10 / f"cifar-10-batches-{layout}"
    path = archive(folder, tmp_path / "data.tar.gz", compresslevel=0)
    try:
        assert_equal(load_cifar10(path), real)
    finally:
        path.unlink()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_real_data_takes_little_memory(real_cifar10, layout):
    """184 MB of result, 31 MB of one batch, and what Python and NumPy take."""
    program = (
        "import resource, sys; from twolayer_ext.datasets import load_cifar10\n"
        "data = load_cifar10(sys.argv[1])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    folder = real_cifar10 / f"cifar-10-batches-{layout}"
    # A child begins with the peak of the process that forks it, so the shell forks in between.
    done = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", program, folder],
        capture_output=True,
        text=True,
        check=True,
    )
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 300_000
