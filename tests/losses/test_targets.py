"""Targets as users have them: what they are taken for, there and back, and every wrong one."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pytest

from twolayer_ext import losses
from twolayer_ext.losses import targets

N = 60
PLACES = np.arange(N) % 3


def read(y, **options):
    return targets.read(y, rows=len(y), **options)


def one_hot(columns):
    return np.eye(columns)[np.arange(N) % columns]


# labels

LABELS = {
    "0, 1, 2": [0, 1, 2],
    "{1, 2}": [1, 2],
    "{-1, 1}": [-1, 1],
    "{0, 255}": np.array([0, 255], np.uint8),
    "int8": np.array([-100, 100], np.int8),
    "large": [2**62, 2**62 + 1],
    "booleans": [False, True],
    "strings": ["cat", "dog", "eel"],
    "longer strings": ["a", "bc", "def"],
    "bytes": [b"a", b"b"],
    "whole floats": [-1.0, 1.0, 7.0],
    "float32": np.array([1, 2], np.float32),
    "string dtype": np.array(["a", "b"], np.dtypes.StringDType()),
}


@pytest.mark.parametrize("as_given", [np.array, list, lambda y: np.array(y, object)])
@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
def test_labels_there_and_back(names, as_given):
    names = np.asarray(names)
    places = np.arange(N) % len(names)
    y = names[places]
    task, encoded = read(as_given(y if as_given is np.array else y.tolist()))
    assert task.loss == losses.CrossEntropy()
    assert (task.outputs, task.columns, task.single) == (len(names), 1, True)
    assert encoded.dtype == np.int64
    assert encoded.tolist() == places.tolist()
    assert task.classes.tolist() == names.tolist()
    if as_given is np.array and names.dtype.kind != "T":
        assert task.classes.dtype == names.dtype
    decoded = task.decode(np.eye(len(names))[places])
    assert decoded.dtype == task.classes.dtype
    assert decoded.tolist() == y.tolist()
    assert task.encode(y[:5], rows=5).tolist() == places[:5].tolist()


def test_columns_of_frames():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    words = np.array(["a", "b", "c"])[PLACES].tolist()
    for y in (
        *[pandas.Series(words), pandas.Series(words, dtype="string"), pandas.Categorical(words)],
        *[pandas.Series(words, index=range(N, 0, -1)), polars.Series(words)],
        polars.Series(words, dtype=polars.Categorical),
    ):
        task, encoded = read(y)
        assert task.classes.tolist() == ["a", "b", "c"]
        assert encoded.tolist() == PLACES.tolist()
    task, encoded = read(pandas.Series(PLACES, dtype="Int64"))
    assert encoded.tolist() == PLACES.tolist()
    for y in (
        *[pandas.Series([*words, None]), pandas.array([True, None], dtype="boolean")],
        *[polars.Series([1, None]), polars.Series([*words, None])],
        *[pandas.array([1, None], dtype="Int64"), np.array(["a", pandas.NA], object)],
    ):
        with pytest.raises(ValueError, match=rf"y: .* in row {len(y) - 1}; must"):
            read(y)
    task, encoded = read(pandas.DataFrame({"a": [1.5, 2], "b": [3, 4]}))
    assert task.loss == losses.SquaredError()
    assert encoded.tolist() == [[1.5, 3], [2, 4]]


def test_further_labels_of_another_type():
    """Numbers are compared by value, whatever their dtype."""
    task, _ = read(np.array([1, 2]))
    assert task.encode([1.0, 2.0], rows=2).tolist() == [0, 1]
    assert task.encode(np.array([2, 1], np.uint8), rows=2).tolist() == [1, 0]
    task, _ = read(np.array([0, 1]))
    assert task.encode([True, False], rows=2).tolist() == [1, 0]
    task, _ = read(np.array(["a", "b"]))
    assert task.encode(np.array(["b", "a"], "U9"), rows=2).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("known", "y", "error", "message"),
    [
        (
            "ab",
            ["a", "z"],
            ValueError,
            r"y: 'z' in row 1; labels must be of the 2 classes 'a', 'b'",
        ),
        ([0, 1, 2], [0, 3], ValueError, r"y: 3 in row 1; labels must be in 0 ... 2"),
        ([0, 1, 2], [0, -1], ValueError, r"y: -1 in row 1; labels must be in 0 ... 2"),
        ([0, 1, 2], [0, 0.5], ValueError, r"y: 0.5 in row 1; labels must be in 0 ... 2"),
        ([-1, 1], [1, 0], ValueError, r"y: 0 in row 1; labels must be of the 2 classes -1, 1"),
        ("ab", [0, 1], TypeError, r"y: type int64; labels must be strings, such as 'a'"),
        ([0, 1], ["0", "1"], TypeError, r"y: type <U1; labels must be numbers, such as 0"),
        ("ab", ["a"], ValueError, r"y: 1 targets; must be one for each of the 2 rows"),
        ("ab", [["a"], ["b"]], ValueError, r"y: shape \(2, 1\); labels must be \(rows,\): y.ravel"),
    ],
)
def test_wrong_further_labels(known, y, error, message):
    task, _ = read(np.array(list(known)))
    with pytest.raises(error, match=message):
        task.encode(y, rows=2)


def test_many_classes_are_listed_in_part():
    task, _ = read(np.arange(900) * 2)
    with pytest.raises(ValueError, match=r"y: 1 in row 0; .* of the 900 classes 0, 2, ") as error:
        task.encode([1], rows=1)
    assert len(str(error.value)) < 300


def test_classes_that_y_need_not_hold():
    task, encoded = read([2, 0, 0], classes=4)
    assert task.classes.tolist() == [0, 1, 2, 3]
    assert (task.outputs, encoded.tolist()) == (4, [2, 0, 0])
    task, encoded = read(["b", "b"], classes=["c", "a", "b"])
    assert task.classes.tolist() == ["a", "b", "c"]
    assert encoded.tolist() == [1, 1]
    task, encoded = read(np.array([1.0, 1.0]), classes=[0, 1], loss="logistic")
    assert encoded.tolist() == [[1], [1]]
    task, _ = read(np.arange(3000), classes=3000)
    assert task.outputs == 3000


@pytest.mark.parametrize(
    ("classes", "options", "error", "message"),
    [
        (1, {}, ValueError, r"classes: 1; must be at least 2"),
        (True, {}, TypeError, r"classes: True; must be an integer"),
        ([0, 0, 1], {}, ValueError, r"classes: 3 labels; must all differ"),
        ([0], {}, ValueError, r"classes: only the class 0; must have at least 2"),
        ([0, 2], {}, ValueError, r"y: 1 in row 1; labels must be of the 2 classes 0, 2"),
        (2, {"loss": "huber"}, ValueError, r"classes: .* with loss 'huber' of numbers; must be"),
        (3, {"loss": "logistic"}, ValueError, r"y: 3 classes with loss 'logistic'; must be 2"),
    ],
)
def test_wrong_classes(classes, options, error, message):
    with pytest.raises(error, match=message):
        read([0, 1], classes=classes, **options)


# what y is taken for without a loss

RNG = np.random.default_rng(1)
GUESSES = {
    "integers": (PLACES, "cross_entropy", 3),
    "many integers of more rows": (np.arange(4000) // 4, "cross_entropy", 1000),
    "iris as floats": (PLACES.astype(float), "cross_entropy", 3),
    "two whole floats of two rows": ([0.0, 1.0], "cross_entropy", 2),
    "whole floats, root of the rows": (
        (np.arange(10000) % 100).astype(float),
        "cross_entropy",
        100,
    ),
    "whole floats, one too many": ((np.arange(10000) % 101).astype(float), "squared_error", 1),
    "twenty whole floats": ((np.arange(40) % 20).astype(float), "cross_entropy", 20),
    "twenty-one": ((np.arange(42) % 21).astype(float), "squared_error", 1),
    "three whole floats of three rows": ([1.0, 2.0, 3.0], "squared_error", 1),
    "diabetes": (np.floor(RNG.uniform(25, 346, 442)), "squared_error", 1),
    "two floats": ([0.0, 0.5] * 30, "squared_error", 1),
    "reals": (RNG.normal(size=N), "squared_error", 1),
    "a column of reals": (RNG.normal(size=(N, 1)), "squared_error", 1),
    "columns of reals": (RNG.normal(size=(N, 3)), "squared_error", 3),
    "matrix of 0 and 1": (one_hot(4).astype(int), "logistic", 4),
    "matrix of booleans": (one_hot(4).astype(bool), "logistic", 4),
    "matrix of 0.0 and 1.0": (one_hot(4), "logistic", 4),
}


@pytest.mark.parametrize(("y", "loss", "outputs"), GUESSES.values(), ids=GUESSES)
def test_guesses(y, loss, outputs):
    task, encoded = read(y)
    assert (task.loss.name, task.outputs) == (loss, outputs)
    assert len(encoded) == len(y)
    assert task.single == (np.ndim(y) == 1)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.arange(2000), r"y: 2000 different integers in 2000 rows; to predict numbers, loss="),
        (np.arange(12).reshape(6, 2), r"y: shape \(6, 2\) of integers that are not 0 or 1"),
        (PLACES[:, None], r"y: shape \(60, 1\); labels must be \(rows,\): y.ravel\(\)"),
        (PLACES[:, None] * 1.0, r"y.ravel\(\); to predict numbers, loss='squared_error'"),
        (np.array([["a", "b"]] * 3), r"y: shape \(3, 2\); labels must be \(rows,\)"),
        (np.zeros((3, 0)), r"y: shape \(3, 0\); must have at least one column"),
        (np.zeros((3, 2, 2)), r"y: shape \(3, 2, 2\); must be \(rows,\) or \(rows, columns\)"),
        ([1, 1, 1], r"y: only the class 1; must have at least 2"),
        (["a", "a"], r"y: only the class 'a'; must have at least 2, or classes="),
    ],
)
def test_guesses_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        read(y)


# targets of a loss that is given


def test_real_targets_as_kernels_read_them():
    for given, read_as in {
        "u1": "u1", "i1": "f4", "i2": "f4", "u2": "f4", "f2": "f4", "f4": "f4", "b1": "u1",
        "i4": "f8", "u4": "f8", "i8": "f8", "u8": "f8", "f8": "f8", "g": "f8", ">f4": "f4",
    }.items():  # fmt: skip
        y = np.array([[0, 1, 1], [1, 0, 1]]).astype(given)
        for array in (y, np.asfortranarray(y), y[::-1]):
            _, encoded = read(array, loss="squared_error")
            assert encoded.dtype == np.dtype(read_as)
            assert encoded.flags.c_contiguous
            assert (encoded == array).all()
    y = np.zeros((5, 2), np.float32)
    assert np.shares_memory(read(y, loss="huber")[1], y)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
def test_predictions_have_the_shape_of_y(loss):
    y = RNG.integers(0, 9, (N, 2))
    for given, shape in ((y, (N, 2)), (y[:, :1], (N, 1)), (y[:, 0], (N,))):
        task, encoded = read(given, loss=loss)
        assert encoded.shape == (N, task.outputs)
        assert task.decode(np.zeros((N, task.outputs))).shape == shape
        assert task.classes is None
        with pytest.raises(ValueError, match=f"predict_proba: the loss is '{loss}'; must be"):
            task.probabilities(np.zeros((N, task.outputs)))
    task, _ = read(y[:, 0], loss=loss)
    assert task.encode(y[:, :1], rows=N).shape == (N, 1)
    with pytest.raises(ValueError, match=r"y: 2 columns; must have 1, as in training"):
        task.encode(y, rows=N)


def test_quantiles():
    y = RNG.normal(size=(N, 2))
    task, encoded = read(y, loss=losses.Quantile((0.1, 0.2, 0.3)))
    assert (task.outputs, encoded.shape) == (6, (N, 2))
    outputs = np.arange(6.0).reshape(1, 6)
    assert task.decode(outputs).tolist() == [[[0, 1, 2], [3, 4, 5]]]
    task, _ = read(y[:, 0], loss="quantile")
    assert task.decode(outputs[:, :3]).tolist() == [[0, 1, 2]]
    task, _ = read(y[:, 0], loss=losses.Quantile((0.9,)))
    assert task.decode(outputs[:, :1]).tolist() == [0]


def test_two_classes_with_one_output():
    y = np.array(["no", "yes"])[PLACES % 2]
    task, encoded = read(y, loss="logistic", label_smoothing=0.1)
    assert task.loss == losses.Logistic(label_smoothing=0.1)
    assert (task.outputs, encoded.dtype, encoded.shape) == (1, np.uint8, (N, 1))
    assert encoded[:, 0].tolist() == (PLACES % 2).tolist()
    probabilities = np.array([[0.2], [0.8], [0.5]])
    assert task.decode(probabilities).tolist() == ["no", "yes", "no"]
    np.testing.assert_allclose(
        task.probabilities(probabilities), [[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]]
    )
    assert task.encode(["yes"], rows=1).tolist() == [[1]]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_matrices_of_labels(dtype):
    y = one_hot(3).astype(dtype)
    task, encoded = read(y, loss="logistic")
    assert encoded.dtype == (np.float32 if dtype == np.float32 else np.uint8)
    decoded = task.decode(np.array([[0.2, 0.8, 0.5]]))
    assert decoded.dtype == np.int64
    assert decoded.tolist() == [[0, 1, 0]]
    p = np.array([[0.2, 0.8, 0.5]])
    assert task.probabilities(p) is p


def test_soft_labels():
    task, encoded = read(np.array([[0.25], [1.0]]), loss="logistic")
    assert encoded.tolist() == [[0.25], [1]]
    assert task.classes is None


def function(outputs, targets):
    return outputs[:, 0], outputs


def test_targets_of_a_function():
    task, encoded = read([1, 2, 3], loss=function)
    assert (task.outputs, encoded.tolist()) == (1, [[1], [2], [3]])
    assert task.decode(np.ones((3, 1))).tolist() == [1, 1, 1]
    task, encoded = read([1.5, 2, 3], loss=losses.CustomLoss(function, width=2))
    assert task.outputs == 2
    assert task.decode(np.ones((3, 2))).shape == (3, 2)
    task, encoded = read(["a", "b"], loss=losses.CustomLoss(function, takes="labels"))
    assert (task.outputs, encoded.tolist()) == (2, [0, 1])
    assert task.decode(np.array([[-1, -2]])).tolist() == ["a"]


@pytest.mark.parametrize(
    ("loss", "y", "error", "message"),
    [
        ("squared_error", ["a", "b"], TypeError, r"type <U1; loss 'squared_error' takes numbers"),
        (function, ["a", "b"], TypeError, r"loss 'custom' takes numbers; for classes, loss="),
        (
            "poisson",
            [1, -1],
            ValueError,
            r"y: -1 in row 1, column 0; .*'poisson' must be at least 0",
        ),
        ("logistic", [[1, 2]] * 2, ValueError, r"y: 2 in row 0, column 1; .* must be in 0 ... 1$"),
        ("logistic", [[1], [2]], ValueError, r"y: 2 in row 1, .* in 0 ... 1; .*y.ravel\(\)"),
        ("logistic", [1, 2, 3], ValueError, r"y: 3 classes with loss 'logistic'; must be 2, for"),
        ("logistic", [1, 0.5], ValueError, r"y: 0.5 in row 1; labels must be whole numbers"),
        ("logistic", [1.0, 1.0], ValueError, r"y: only the class 1.0; must have at least 2"),
        ("cross_entropy", [0.5, 1], ValueError, r"y: 0.5 in row 0; labels must be whole numbers"),
        ("cross_entropy", one_hot(3), ValueError, r"y: shape \(60, 3\); .*argmax\(axis=1\)"),
        ("huber", [2**60, 1], ValueError, r"y: holds 1152921504606846976; integers must be within"),
        ("mse", [1, 2], ValueError, r"loss: 'mse'; must be one of"),
    ],
)
def test_targets_that_do_not_fit_the_loss(loss, y, error, message):
    with pytest.raises(error, match=message):
        read(y, loss=loss)


def test_label_smoothing_of_numbers():
    with pytest.raises(
        ValueError, match=r"label_smoothing: 0.1 with loss 'squared_error'; must be"
    ):
        read([0.5, 1.5], label_smoothing=0.1)


# what is no target at all


@pytest.mark.parametrize("loss", [None, "cross_entropy", "squared_error"])
@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (None, TypeError, r"y: NoneType; must be an array"),
        ("abc", TypeError, r"y: str; must be an array"),
        ({"a": 1}, TypeError, r"y: dict; must be an array"),
        (3, ValueError, r"y: shape \(\); must be \(rows,\)"),
        ([1j, 2j, 3j], TypeError, r"y: type complex128; must be numbers, strings or booleans"),
        (np.arange(3).astype("M8[D]"), TypeError, r"y: type datetime64\[D\]; must be"),
        (np.arange(3).astype("m8[D]"), TypeError, r"y: type timedelta64\[D\]; must be"),
        ([datetime.date(2020, 1, 1)] * 3, TypeError, r"y: datetime.date.* in row 0; must be"),
        ([Decimal(1)] * 3, TypeError, r"y: Decimal\('1'\) in row 0; must be"),
        (np.ma.masked_array([1, 2, 3]), TypeError, r"y: a masked array; fill"),
        ([1, 2, np.nan], ValueError, r"y: nan in row 2; must be finite everywhere"),
        ([[1, 2], [1, np.inf], [0, 0]], ValueError, r"y: inf in row 1, column 1; must be finite"),
        (["a", "b", np.nan], ValueError, r"y: nan in row 2; must have a value"),
        (["a", "b", None], ValueError, r"y: None in row 2; must have a value"),
        ([1, 2, None], ValueError, r"y: None in row 2; must have a value"),
        (["a", 1, "b"], TypeError, r"y: 1 in row 1 among strings; must be all of one kind"),
        (np.array([True, 1, 2], object), TypeError, r"y: 1 in row 1 among booleans; must be"),
        ([2**70, 1, 2], ValueError, r"y: integers beyond 64 bits"),
        ([[1], [1, 2], [3]], ValueError, r"y: .*must be an array"),
    ],
)
def test_no_targets(y, error, message, loss):
    with pytest.raises(error, match=message):
        targets.read(y, rows=3, loss=loss)


def test_number_of_rows():
    with pytest.raises(ValueError, match=r"validation: 2 targets; must be one for each of the 3"):
        targets.read([1, 2], rows=3, name="validation")
