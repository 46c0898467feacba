import io
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from twolayer_ext.datasets import load_arrays
from twolayer_ext.errors import FileFormatError

X = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
Y = np.array([0, 2, 1, 1, 0, 2, 3], np.int16)
NAMES = np.array(["zero", "one", "two", "drei"])


def save(path, kind, **arrays):
    """Write a folder, a stored or a compressed .npz file."""
    if kind == "folder":
        path.mkdir(exist_ok=True)
        for name, values in arrays.items():
            np.save(path / f"{name}.npy", values)
        return path
    path = path.with_suffix(".npz")
    (np.savez if kind == "stored" else np.savez_compressed)(path, **arrays)
    return path


every_kind = pytest.mark.parametrize("kind", ["folder", "stored", "compressed"])


@every_kind
def test_reads_arrays(tmp_path, kind):
    path = save(tmp_path / "data", kind, x=X, y=Y, class_names=NAMES)
    data = load_arrays(path)
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, Y)
    assert data.x.dtype == np.float32
    assert data.y.dtype == np.int16
    assert data.class_names == tuple(NAMES)
    assert data.image_shape is None
    assert data.name == path.name
    assert load_arrays(str(path)).x.shape == (7, 6)


@every_kind
@pytest.mark.parametrize(
    ("y", "names"),
    [
        (Y, ("0", "1", "2", "3")),
        (Y.astype(">i8") - 1, ("-1", "0", "1", "2")),
        (np.array([0, 255, 0, 255, 0, 0, 0], np.uint8), ("0", "255")),
        (np.array(["oak", "ash", "oak", "elm", "oak", "oak", "oak"]), ("ash", "elm", "oak")),
        (Y > 1, ("False", "True")),
        (np.array([1.0, 2, 1, 2, 2, 2, 1]), ("1.0", "2.0")),
        (Y * 0.3, ()),
        (np.stack([Y, Y * 0.5], axis=1), ()),
        (np.stack([Y > 0, Y > 1], axis=1), ()),
    ],
    ids=["int", "negative", "{0, 255}", "text", "bool", "float", "numbers", "columns", "matrix"],
)
def test_targets_of_any_type(tmp_path, kind, y, names):
    """What `train` takes for labels has names, and nothing else."""
    data = load_arrays(save(tmp_path / "data", kind, x=X, y=y))
    np.testing.assert_array_equal(data.y, y)
    assert data.y.dtype == y.dtype.newbyteorder("=")
    assert data.y.dtype.isnative
    assert data.class_names == names
    if names:
        np.testing.assert_array_equal(data.classes, np.unique(y))
    else:
        assert data.classes is None


def test_a_file_in_columns_is_not_copied(tmp_path):
    columns_first = np.asfortranarray(X)
    for kind in ("folder", "stored"):
        data = load_arrays(save(tmp_path / "data", kind, x=columns_first.astype("f2"), y=Y))
        assert data.x.flags.f_contiguous
        assert kind != "folder" or is_mapped(data.x)


@every_kind
@pytest.mark.parametrize("dtype", ["u1", "i1", "?", "<i2", ">f4", "<f8", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_images_of_any_type_and_order(tmp_path, kind, dtype, order):
    images = np.asarray(np.arange(7 * 12).reshape(7, 3, 4) % 5, dtype=dtype, order=order)
    data = load_arrays(save(tmp_path / "data", kind, x=images, y=Y))
    np.testing.assert_array_equal(data.x, images.reshape(7, 12))
    assert data.x.dtype == np.dtype(dtype)
    assert data.image_shape == (3, 4)


def is_mapped(array):
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def test_maps_what_can_be_mapped(tmp_path):
    pixels = X.view(np.uint8)
    assert is_mapped(load_arrays(save(tmp_path / "data", "folder", x=X, y=Y)).x)
    assert is_mapped(load_arrays(save(tmp_path / "data", "stored", x=pixels, y=Y)).x)
    assert not is_mapped(load_arrays(save(tmp_path / "data", "compressed", x=X, y=Y)).x)
    mapped = load_arrays(tmp_path / "data").x
    assert not mapped.flags.writeable


@pytest.mark.parametrize("padding", range(8))
def test_maps_stored_member_only_if_aligned(tmp_path, padding):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p" * (1 + padding), b"")
        for name, values in (("x", X), ("y", Y)):
            content = io.BytesIO()
            np.save(content, values)
            archive.writestr(f"{name}.npy", content.getvalue())
    offset = path.read_bytes().index(X.tobytes())
    data = load_arrays(path)
    np.testing.assert_array_equal(data.x, X)
    assert data.x.flags.aligned
    assert is_mapped(data.x) == (offset % 4 == 0)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz: no such file"):
        load_arrays(tmp_path / "nothing.npz")
    with pytest.raises(FileNotFoundError, match=r"x\.npy: no such file"):
        load_arrays(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"y\.npy: no such file"):
        load_arrays(save(tmp_path / "data", "folder", x=X))
    with pytest.raises(FileFormatError, match="no array called y"):
        load_arrays(save(tmp_path / "data", "stored", x=X))
    with pytest.raises(FileFormatError, match="no array called x or y"):
        load_arrays(save(tmp_path / "data", "stored", images=X))
    with pytest.raises(FileFormatError, match="is one array; name the folder"):
        load_arrays(tmp_path / "data" / "x.npy")


def codes(last):
    """Return an array of text that ends with the character of that number."""
    names = NAMES.copy()
    names.view(np.uint32)[-1] = last
    return names


@every_kind
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X.astype(object), "y": Y}, "values of type object"),
        ({"x": X.astype(complex), "y": Y}, "values of type complex"),
        ({"x": X, "y": Y, "class_names": NAMES.astype(object)}, "values of type object"),
        ({"x": np.zeros(7, [("a", "f4"), ("b", "f4")]), "y": Y}, "values of type"),
        ({"x": NAMES.reshape(2, 2), "y": Y[:2]}, "array of real numbers"),
        ({"x": X[:, 0], "y": Y}, r"x has shape \(7,\)"),
        ({"x": np.float64(1), "y": Y}, r"x has shape \(\)"),
        ({"x": X[:0], "y": Y[:0]}, r"x has shape \(0, 6\)"),
        ({"x": X[:, :0], "y": Y}, r"x has shape \(7, 0\)"),
        ({"x": X, "y": Y[:-1]}, r"y: shape \(6,\)"),
        ({"x": X, "y": Y[:, None, None]}, r"y: shape \(7, 1, 1\)"),
        ({"x": X, "y": Y * np.nan}, "y: nan in row 0"),
        ({"x": X, "y": Y - 1, "class_names": NAMES[:3]}, "label -1 in row 0"),
        ({"x": X, "y": Y, "class_names": NAMES[:3]}, "label 3 in row 6"),
        ({"x": X, "y": Y, "class_names": codes(0x110000)}, "class_names.npy: .* not Unicode"),
        ({"x": X, "y": Y, "class_names": codes(0xDCFF).astype(">U4")}, "text that is not Unicode"),
        ({"x": X, "y": Y, "class_names": np.arange(4)}, "class_names is int64"),
        ({"x": X, "y": Y, "class_names": NAMES[None]}, "class_names is <U4 of shape"),
    ],
)
def test_refuses_arrays_that_do_not_fit(tmp_path, kind, arrays, message):
    path = save(tmp_path / "data", kind, **arrays)
    with pytest.raises(FileFormatError, match=message) as caught:
        load_arrays(path)
    assert path.name in str(caught.value)


def npy(header, version=b"\1\0"):
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + size + header


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"PK\3\4",
        npy(b"", b"\3\0"),
        npy(b"", b"\x09\0"),
        npy(b""),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (7, 6)"),
        npy(b"{'descr': 'a4', 'fortran_order': False, 'shape': (7, 6)}") + bytes(168),
        npy(b"{'descr': '|a4', 'fortran_order': False, 'shape': (7, 6)}") + bytes(168),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (7L, 6L)}"),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-7, -6)}") + bytes(168),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (10**9, 6)}"),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 6)}"),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (%s)}" % (b"1," * 70)) + bytes(4),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775808)}"),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808, 0)}"),
        npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}"),
        npy(
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (1%s, 1%s)}" % ((b"0" * 4000,) * 2)
        ),
        npy(b"{'descr': '<U0', 'fortran_order': False, 'shape': (99999999, 9)}"),
        npy(b"{'descr': '|V9', 'fortran_order': False, 'shape': (7,)}") + bytes(63),
        npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (7, 1)}") + bytes(56),
        npy(b"{'descr': 'wrong', 'fortran_order': False, 'shape': (7, 1)}"),
        npy(b"{'descr': '<f4', 'fortran_order': 7, 'shape': (7, 6)}") + bytes(168),
        npy(b"{'descr': '<f4', 'shape': (7, 6)}") + bytes(168),
        npy(b"__import__('os').system('true')"),
        npy(b"(" * 9000),
        npy(b"-" * 9000 + b"1"),
        npy(b'"' * 3),
        npy(b" " * 70_000, b"\2\0"),
    ],
)
def test_refuses_crafted_npy(tmp_path, content):
    path = save(tmp_path / "data", "folder", x=X, y=Y)
    (path / "x.npy").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=r"x\.npy: "):
        load_arrays(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        packed = tmp_path / "data.npz"
        with zipfile.ZipFile(packed, "w", method) as archive:
            archive.writestr("x.npy", content)
            archive.write(path / "y.npy", "y.npy")
        with pytest.raises(FileFormatError, match=r"data\.npz: x\.npy: "):
            load_arrays(packed)


@every_kind
def test_refuses_every_truncation(tmp_path, kind):
    path = save(tmp_path / "data", kind, x=X, y=Y, class_names=NAMES)
    for file in sorted(path.iterdir()) if kind == "folder" else [path]:
        whole = file.read_bytes()
        for end in range(len(whole)):
            file.write_bytes(whole[:end])
            with pytest.raises(FileFormatError, match=path.name):
                load_arrays(path)
        file.write_bytes(whole)


@every_kind
@pytest.mark.parametrize("seed", range(3))
def test_refuses_or_survives_random_damage(tmp_path, kind, seed):
    path = save(tmp_path / "data", kind, x=X, y=Y, class_names=NAMES)
    file = path / "x.npy" if kind == "folder" else path
    whole = file.read_bytes()
    rng = random.Random(seed)
    reads = 0
    for _ in range(700):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 4))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        file.unlink()  # an old map must not see the new content
        file.write_bytes(damaged)
        try:
            data = load_arrays(path)
        except FileFormatError:
            continue
        reads += 1
        assert len(data) == 7
    assert 0 < reads < 700


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_with_right_checksums(tmp_path, method):
    """Zip's checksums keep chance out; here somebody computed them anew."""
    path = save(tmp_path / "data", "stored", x=X, y=Y, class_names=NAMES)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    rng = random.Random(3)
    reads = 0
    for _ in range(600):
        name = rng.choice(list(parts))
        damaged = bytearray(parts[name])
        start = rng.choice((0, 128))  # the header, or the values
        for _ in range(rng.choice((1, 1, 4))):
            damaged[rng.randrange(start, len(damaged))] = rng.randrange(256)
        path.unlink()  # an old map must not see the new content
        with zipfile.ZipFile(path, "w", method) as archive:
            for other, content in parts.items():
                archive.writestr(other, bytes(damaged) if other == name else content)
        try:
            data = load_arrays(path)
        except FileFormatError:
            continue
        reads += 1
        assert len(data) == 7
        assert "".join(data.class_names).encode("utf-8")
    assert 0 < reads < 600


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_refuses_other_compression(tmp_path, method):
    path = tmp_path / "data.npz"
    content = io.BytesIO()
    np.save(content, X)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", content.getvalue())
    with pytest.raises(FileFormatError, match="compressed in a way NumPy does not use"):
        load_arrays(path)


def test_sizes_that_the_directory_invents_take_no_memory(tmp_path):
    """Both sizes of an entry, and the header within it, agree on far more than the file has."""
    path = tmp_path / "data.npz"
    header = npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (16777216, 16)}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header + bytes(2 << 20))
        archive.writestr("y.npy", header)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 20 : entry + 28] = struct.pack("<II", 2**31, len(header) + 2**31)
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=r"data\.npz"):
        load_arrays(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_refuses_size_that_cannot_be(tmp_path):
    """A directory entry that claims far more than its compressed bytes can hold."""
    path = save(tmp_path / "data", "compressed", x=X, y=Y)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = struct.pack("<I", 2**31)
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="more than it can hold"):
        load_arrays(path)
