"""Arrays of every kind: used in place, converted with care, or refused in clear words."""

from __future__ import annotations

import numpy as np
import pytest

from twolayer_ext import checks

PLAIN = np.arange(12).reshape(4, 3)


def rows(x, features=None, dtype="float32"):
    return checks.as_rows(x, features=features, dtype=dtype)


def labels(y, count=4, classes=3):
    return checks.as_labels(y, rows=count, classes=classes)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a[:, 1:3],
        lambda a: a[:, :1],
        lambda a: np.broadcast_to(a[0], (5, a.shape[1])),
    ],
    ids=["whole", "every second row", "reversed", "columns", "one column", "one row repeated"],
)
def test_contiguous_rows_are_used_in_place(dtype, view):
    array = np.ones((6, 8), dtype)
    array.setflags(write=False)
    x = view(array)
    assert np.shares_memory(rows(x), array)
    assert rows(x).strides == x.strides


def test_memory_map_is_used_in_place(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((6, 8), np.uint8))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(rows(mapped), mapped)


@pytest.mark.parametrize(
    "x",
    [
        np.asfortranarray(np.ones((6, 8))),
        np.ones((6, 8))[:, ::2],
        np.ones((8, 6)).T,
        np.ones((6, 8))[:, ::-1],
        np.frombuffer(bytes(8 * 12 + 1), np.float64, offset=1).reshape(4, 3),
        np.zeros(4, np.dtype({"names": ["x"], "formats": ["3f8"], "itemsize": 29}))["x"],
    ],
    ids=["fortran", "stride", "transposed", "reversed columns", "unaligned", "packed records"],
)
def test_other_memory_orders_are_copied(x):
    ready = rows(x)
    assert ready.dtype == x.dtype
    assert ready.flags.c_contiguous
    assert ready.flags.aligned
    np.testing.assert_array_equal(ready, x)


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("bool", "uint8"),
        ("int8", "float32"),
        ("int16", "float32"),
        ("uint16", "float32"),
        ("float16", "float32"),
        ("int32", "float64"),
        ("uint32", "float64"),
        ("int64", "float64"),
        ("uint64", "float64"),
        ("longdouble", "float64"),
        (">f4", "float32"),
        (">f8", "float64"),
        (">i2", "float32"),
        (">u8", "float64"),
    ],
)
def test_other_types_are_converted(given, becomes):
    x = PLAIN.astype(given)
    ready = rows(x)
    assert ready.dtype == becomes
    assert ready.dtype.isnative
    np.testing.assert_array_equal(ready, x)


def test_lists_are_taken():
    np.testing.assert_array_equal(rows([[1, 2], [3, 4]]), [[1, 2], [3, 4]])


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_integers_that_lose_digits_are_refused(dtype):
    x = PLAIN.astype(dtype)
    x[1, 1] = 2**53
    assert rows(x)[1, 1] == 2**53
    x[1, 1] += 1
    with pytest.raises(ValueError, match=r"x: holds 9007199254740993; .*2\*\*53"):
        rows(x)


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
        rows(x)


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
        rows(x)


def test_wrong_number_of_features_is_refused():
    with pytest.raises(ValueError, match="x: 3 features a row; must have 4"):
        rows(PLAIN, features=4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_values_that_are_not_finite_are_named(bad, dtype):
    x = np.zeros((1000, 700), dtype)  # several of the blocks that are looked at in turn
    x[801, 44] = bad
    x[900, 3] = bad
    with pytest.raises(ValueError, match=rf"x: {bad} in row 801, column 44"):
        rows(x)


def test_values_beyond_the_networks_type_are_refused():
    x = np.array([[1.0, 1e39]])
    assert rows(x, dtype="float64") is x
    with pytest.raises(ValueError, match="row 0, column 1; values must be finite in float32"):
        rows(x, dtype="float32")


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i4"]
)
def test_labels_of_any_integer_type(dtype):
    ready = labels(np.array([0, 2, 1, 2], dtype))
    assert ready.dtype == np.int64
    assert ready.dtype.isnative
    assert ready.tolist() == [0, 2, 1, 2]


def test_labels_may_be_bool_read_only_or_strided():
    assert labels([True, False, True, True]).tolist() == [1, 0, 1, 1]
    y = np.arange(8) % 3
    y.setflags(write=False)
    assert labels(y[::2]).tolist() == [0, 2, 1, 0]
    assert labels(y[::2]).flags.c_contiguous


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 3, 4], "y: 3 in row 2; labels must be in 0 ... 2"),
        ([0, 1, 2, -1], "y: -1 in row 3"),
        (np.array([0, 2**64 - 1, 0, 0], np.uint64), "y: 18446744073709551615 in row 1"),
        ([0, 1, 2], "y: 3 labels; must be one for each of the 4 rows"),
        (np.eye(4, 3, dtype=int), r"y: shape \(4, 3\).*argmax"),
        (np.zeros((4, 1), int), r"y: shape \(4, 1\); .*y\.ravel\(\)"),
        (np.zeros((4, 1, 1), int), r"y: shape \(4, 1, 1\); .*vector"),
        (0, r"y: shape \(\)"),
    ],
)
def test_wrong_labels_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        labels(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.0, 1.0, 2.0, 1.0], r"y: type float64; .*y\.astype\(int\)"),
        (["a", "b", "c", "d"], "y: type <U1"),
        (np.array([0, 1, 2, None]), "y: type object"),
    ],
)
def test_labels_of_other_types_are_refused(y, message):
    with pytest.raises(TypeError, match=message):
        labels(y)


def test_without_classes_only_negative_labels_are_refused():
    assert labels([0, 7, 0, 0], classes=None).tolist() == [0, 7, 0, 0]
    for wrong in (-7, 2**63 - 1):
        with pytest.raises(ValueError, match=rf"y: {wrong} in row 1; .*class indices 0 \.\.\. C-1"):
            labels([0, wrong, 0, 0], classes=None)


@pytest.mark.parametrize("value", [None, {}, "text", {1, 2}, (i for i in "ab"), object()])
def test_what_is_no_array_is_refused(value):
    for check, name in ((rows, "x"), (labels, "y")):
        with pytest.raises(TypeError, match=f"^{name}: {type(value).__name__}; must be an array"):
            check(value)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, np.float64(2), np.array([7, 8])])
def test_integer_refuses_other_types(value):
    with pytest.raises(TypeError, match=r"^n: "):
        checks.integer("n", value, minimum=0)


@pytest.mark.parametrize("value", [True, "1", None, 1j, [1.0]])
def test_number_refuses_other_types(value):
    with pytest.raises(TypeError, match=r"^n: "):
        checks.number("n", value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.1, 1.0])
def test_number_refuses_values_out_of_bounds(value):
    with pytest.raises(ValueError, match="must be finite and at least 0 and below 1"):
        checks.number("n", value, minimum=0, below=1)


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_many_digits_are_refused_in_a_line(digits):
    for value in (10**digits, -(10**digits)):
        with pytest.raises(ValueError, match=r"^n: .*must be finite") as caught:
            checks.number("n", value)
        assert len(str(caught.value)) < 300
        with pytest.raises(ValueError, match=r"^n: .*must be at (least 0|most 9)") as caught:
            checks.integer("n", value, minimum=0, maximum=9)
        assert len(str(caught.value)) < 300


def test_networks_beyond_any_memory():
    assert checks.layer_sizes((2**30, 2**29, 2)) == (2**30, 2**29, 2)
    with pytest.raises(ValueError, match=r"^layer_sizes: .*memory has addresses"):
        checks.layer_sizes((2**30, 2**30, 2))
    for sizes in ((10**30, 2), (2, 2**60, 2)):
        with pytest.raises(ValueError, match=r"^layer_sizes\[[01]\]: .*must be at most 2147483647"):
            checks.layer_sizes(sizes)


def test_threads():
    assert checks.thread_count(None) >= 1
    assert checks.thread_count(np.int32(3)) == 3
    for threads, bound in ((0, "least 1"), (2**40, "most 4096"), (4097, "most 4096")):
        with pytest.raises(ValueError, match=f"threads: {threads}; must be at {bound}"):
            checks.thread_count(threads)
    with pytest.raises(TypeError, match="threads"):
        checks.thread_count("2")
