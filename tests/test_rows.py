"""Rows of every kind: used in place, converted with care, or refused in clear words."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from twolayer_ext import rows
from twolayer_ext.rows import Sparse

sparse = pytest.importorskip("scipy.sparse")

IN_PLACE = ("uint8", "int8", "int16", "uint16", "float16", "float32", "float64")
PLAIN = np.arange(12).reshape(4, 3)
FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")


def as_rows(x, features=None, dtype="float32"):
    return rows.as_rows(x, features=features, dtype=dtype)


@pytest.mark.parametrize("dtype", IN_PLACE)
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a[:, 1:3],
        lambda a: a[:, ::2],
        lambda a: a[:, ::-1],
        lambda a: a.T,
        lambda a: np.broadcast_to(a[0], (5, a.shape[1])),
        lambda a: np.broadcast_to(a[:, :1], a.shape),
    ],
    ids=["whole", "rows", "reversed", "columns", "step", "back", "turned", "repeat", "broad"],
)
def test_any_memory_order_is_used_in_place(dtype, view):
    array = np.ones((6, 8), dtype)
    array.setflags(write=False)
    x = view(array)
    assert np.shares_memory(as_rows(x), array)
    assert as_rows(x).strides == x.strides
    assert as_rows(x).dtype == dtype


def test_memory_map_is_used_in_place(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((6, 8), np.int16))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(as_rows(mapped), mapped)


def test_bool_is_read_as_bytes_in_place():
    x = np.eye(4, dtype=bool).T
    ready = as_rows(x)
    assert ready.dtype == np.uint8
    assert np.shares_memory(ready, x)
    np.testing.assert_array_equal(ready, x)


@pytest.mark.parametrize(
    "x",
    [
        np.frombuffer(bytes(8 * 12 + 1), np.float64, offset=1).reshape(4, 3),
        np.zeros(4, np.dtype({"names": ["x"], "formats": ["3f8"], "itemsize": 29}))["x"],
    ],
    ids=["unaligned", "packed records"],
)
def test_what_does_not_lie_at_multiples_of_its_size_is_copied(x):
    ready = as_rows(x)
    assert ready.flags.c_contiguous
    assert ready.flags.aligned
    np.testing.assert_array_equal(ready, x)


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("int32", "float64"),
        ("uint32", "float64"),
        ("int64", "float64"),
        ("uint64", "float64"),
        ("longdouble", "float64"),
        (">f2", "float16"),
        (">f4", "float32"),
        (">i2", "int16"),
        (">u8", "float64"),
    ],
)
def test_other_types_are_converted(given, becomes):
    x = PLAIN.astype(given)
    ready = as_rows(x)
    assert ready.dtype == becomes
    assert ready.dtype.isnative
    np.testing.assert_array_equal(ready, x)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite_is_named(dtype, order, value):
    x = np.ones((700, 900), dtype, order=order)
    x[650, 3] = value
    x[600, 800] = value
    with pytest.raises(ValueError, match=rf"x: {value} in row 600, column 800; .*float32"):
        as_rows(x)


def test_one_long_row_is_checked():
    x = np.ones((1, 2**19 + 5), np.float32)
    assert as_rows(x) is x
    x[0, -1] = np.nan
    with pytest.raises(ValueError, match="x: nan in row 0, column 524292"):
        as_rows(x)


def test_too_large_for_the_network():
    with pytest.raises(ValueError, match=r"x: 1e\+300 in row 0, column 1; .*float32"):
        as_rows([[0.0, 1e300]])
    as_rows([[0.0, 1e300]], dtype="float64")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((4, 2, 2)), r"\(4, 2, 2\).*x\.reshape\(len\(x\), -1\)"),
        (np.ones(4), r"\(4,\).*x\.reshape\(1, -1\)"),
        (np.float64(1), r"\(\)"),
        (np.ones((0, 3)), "no rows"),
        (np.ones((3, 0)), "no features"),
        ([[1, 2], [3]], "inhomogeneous"),
    ],
    ids=["images", "vector", "number", "no rows", "no features", "ragged"],
)
def test_wrong_shapes_are_refused(x, message):
    with pytest.raises(ValueError, match=f"^x: .*{message}"):
        as_rows(x)


def test_wrong_number_of_features_is_refused():
    for x in (PLAIN, sparse.csr_array(PLAIN)):
        with pytest.raises(ValueError, match="x: 3 features a row; must have 4"):
            as_rows(x, features=4)


def test_lists_are_taken():
    np.testing.assert_array_equal(as_rows([[1, 2], [3, 4]]), [[1, 2], [3, 4]])


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_integers_that_lose_digits_are_refused(dtype):
    x = PLAIN.astype(dtype)
    x[1, 1] = 2**53
    assert as_rows(x)[1, 1] == 2**53
    x[1, 1] += 1
    with pytest.raises(ValueError, match=r"x: holds 9007199254740993; .*2\*\*53"):
        as_rows(x)


@pytest.mark.parametrize(
    "x",
    [
        PLAIN.astype(complex),
        PLAIN.astype(str),
        PLAIN.astype(object),
        PLAIN.astype("datetime64[s]"),
        np.ma.masked_array(PLAIN.astype(float)),
    ],
    ids=["complex", "text", "objects", "dates", "masked"],
)
def test_what_is_no_number_is_refused(x):
    with pytest.raises(TypeError, match=r"^x: "):
        as_rows(x)


@pytest.mark.parametrize("value", [None, {}, "text", {1, 2}, (i for i in "ab"), object()])
def test_what_is_no_array_is_refused(value):
    with pytest.raises(TypeError, match=f"^x: {type(value).__name__}; must be an array"):
        as_rows(value)


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_sparse_format_is_taken(form, kind):
    x = np.where(PLAIN % 3 == 1, PLAIN, 0).astype(np.float32)
    ready = as_rows(getattr(sparse, f"{form}_{kind}")(x))
    assert isinstance(ready, Sparse)
    assert ready.shape == x.shape
    assert (ready.columns.dtype, ready.starts.dtype) == (np.int32, np.int64)
    np.testing.assert_array_equal(rows.dense(ready), x)


@pytest.mark.parametrize("dtype", [t for t in IN_PLACE if t != "float16"])
def test_csr_is_used_in_place(dtype):
    x = sparse.csr_array(PLAIN.astype(dtype))
    ready = as_rows(x)
    assert np.shares_memory(ready.values, x.data)
    assert np.shares_memory(ready.columns, x.indices)
    assert ready.dtype == dtype


@pytest.mark.parametrize(
    ("given", "becomes"), [("bool", "uint8"), ("int64", "float64"), ("int32", "float64")]
)
def test_other_types_of_csr_are_converted(given, becomes):
    x = PLAIN.astype(given)
    ready = as_rows(sparse.csr_array(x))
    assert ready.dtype == becomes
    np.testing.assert_array_equal(rows.dense(ready), x)


def csr(data, indices, indptr, shape=(2, 4)):
    """Return a matrix with these parts, whatever SciPy would say."""
    x = sparse.csr_array(shape, dtype=np.asarray(data).dtype)
    x.data, x.indices, x.indptr = np.asarray(data), np.asarray(indices), np.asarray(indptr)
    return x


def test_unsorted_and_double_columns_are_put_in_order_in_a_copy():
    x = csr([1.0, 2.0, 3.0, 4.0], [3, 0, 3, 1], [0, 3, 4])
    ready = as_rows(x)
    np.testing.assert_array_equal(rows.dense(ready), [[2, 0, 0, 4], [0, 4, 0, 0]])
    np.testing.assert_array_equal(ready.columns, [0, 3, 1])
    np.testing.assert_array_equal(x.indices, [3, 0, 3, 1])
    np.testing.assert_array_equal(x.data, [1, 2, 3, 4])


def test_order_is_seen_across_blocks(monkeypatch):
    monkeypatch.setattr(rows, "_CHECKED_AT_ONCE", 3)
    rng = np.random.default_rng(0)
    for _ in range(100):
        x = sparse.random_array((9, 7), density=0.4, format="csr", rng=rng)
        x.sort_indices()
        assert np.shares_memory(as_rows(x).columns, x.indices)
        if x.nnz < 2:
            continue
        at = int(rng.integers(x.nnz - 1))
        row_of = np.repeat(np.arange(9), np.diff(x.indptr))
        x.indices[[at, at + 1]] = x.indices[[at + 1, at]]
        if row_of[at] == row_of[at + 1]:
            ready = as_rows(x)
            assert not np.shares_memory(ready.columns, x.indices)
            assert rows._in_order(ready)


@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        (csr([1.0, 2.0], [0, 1], [0, 2, 1]), ValueError, "indptr"),
        (csr([1.0, 2.0], [0, 1], [1, 1, 2]), ValueError, "indptr"),
        (csr([1.0, 2.0], [0, 1], [0, 2]), ValueError, "indptr has 2 entries; must have 3"),
        (csr([1.0, 2.0], [0, 1], [0, 1, 5]), ValueError, "indptr ends at 5"),
        (csr([1.0], [0, 1], [0, 1, 2]), ValueError, "indptr ends at 2"),
        (csr([1.0, 2.0], [0, 4], [0, 1, 2]), ValueError, "column 4; must be in 0 ... 3"),
        (csr([1.0, 2.0], [0, -1], [0, 1, 2]), ValueError, "column -1"),
        (csr([1.0, 2.0], [0, 2**32], [0, 1, 2]), ValueError, "column 4294967296"),
        (csr([1.0, 2.0], [0.0, 1.0], [0, 1, 2]), TypeError, "indices are float64"),
        (csr([1.0, 2.0], [0, 1], [0.0, 1.0, 2.0]), TypeError, "indptr are float64"),
        (csr([1.0, np.nan], [0, 2], [0, 0, 2]), ValueError, "nan in row 1, column 2"),
        (csr([np.inf, 1.0], [3, 2], [0, 1, 2]), ValueError, "inf in row 0, column 3"),
        (csr([1.0, 1e300], [3, 2], [0, 1, 2]), ValueError, "row 1, column 2; .*float32"),
        (csr([1j, 2.0], [0, 1], [0, 1, 2]), TypeError, "complex128; must be an array of real"),
        (csr([2**53 + 1, 2], [0, 1], [0, 1, 2]), ValueError, r"2\*\*53"),
        (sparse.csr_array((0, 3)), ValueError, "no rows"),
        (sparse.csr_array((3, 0)), ValueError, "no features"),
        (sparse.csr_array((1, 2**31)), ValueError, "at most 2147483647"),
    ],
)
def test_hostile_csr_is_refused(x, error, match):
    with pytest.raises(error, match=f"^x: .*{match}"):
        as_rows(x)


def test_objects_are_refused():
    x = sparse.csr_array((2, 4))
    x.data = np.array([None], object)
    with pytest.raises(TypeError, match=r"^x: type object"):
        as_rows(x)


def test_data_longer_than_its_rows_are_cut():
    x = csr([1.0, 2.0, np.nan], [0, 1, 99], [0, 1, 2])
    np.testing.assert_array_equal(rows.dense(as_rows(x)), [[1, 0, 0, 0], [0, 2, 0, 0]])


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_parts_and_chosen_rows(make):
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((20, 7)) * (rng.random((20, 7)) < 0.3)).astype(np.float32)
    x[3] = 0
    ready = as_rows(make(x))
    assert len(ready) == 20
    assert ready.shape == (20, 7)
    for chosen in (slice(0, 20), slice(3, 9), slice(18, 30), slice(5, 5), slice(7, 3)):
        np.testing.assert_array_equal(rows.dense(rows.part(ready, chosen)), x[chosen])
    numbers = rng.integers(0, 20, 33)
    np.testing.assert_array_equal(rows.dense(rows.take(ready, numbers)), x[numbers])
    inner = rows.part(ready, slice(4, 16))
    np.testing.assert_array_equal(
        rows.dense(rows.take(inner, np.array([11, 0, 3]))), x[4:16][[11, 0, 3]]
    )
    np.testing.assert_array_equal(rows.largest_magnitudes(ready), np.abs(x).max(axis=0))
    np.testing.assert_array_equal(
        rows.largest_magnitudes(ready, numbers[:5]), np.abs(x[numbers[:5]]).max(axis=0)
    )
    assert rows.bytes_of(ready) >= 4 * np.count_nonzero(x)


def test_magnitude_of_the_most_negative_integer():
    np.testing.assert_array_equal(rows.largest_magnitudes(np.full((2, 1), -128, np.int8)), [128])


def test_scipy_is_not_imported():
    code = (
        "import sys, numpy as np; from twolayer_ext import rows; "
        "rows.as_rows(np.ones((2, 3)), features=None, dtype='float32'); "
        "assert 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=1800)
