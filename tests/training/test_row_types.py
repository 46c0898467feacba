"""The same numbers in other element types, memory orders and sparse: the very same training."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl

ROWS, FEATURES = 300, 70
OPTIONS = {
    "hidden_sizes": (33,),
    "batch_size": 32,
    "epochs": 3,
    "validation_fraction": 0.2,
    "progress": False,
}
TASKS = {
    "classes": lambda rng: rng.integers(0, 5, ROWS),
    "labels": lambda rng: rng.integers(0, 2, (ROWS, 3)),
    "numbers": lambda rng: rng.normal(size=(ROWS, 2)),
}


def small_integers(seed=0, share=1.0):
    """Whole numbers in 0 ... 100, which every type holds; the others of a `share` are 0."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 101, (ROWS, FEATURES)) * (rng.random((ROWS, FEATURES)) < share)
    x[3] = 0
    x[:, 5] = 0
    return x


def same_run(same_bits, a, b, x, other):
    assert same_bits(a.network, b.network)
    assert {k: v for k, v in a.history.items() if "seconds" not in k} == {
        k: v for k, v in b.history.items() if "seconds" not in k
    }
    np.testing.assert_array_equal(a.network.predict(x), b.network.predict(other))
    np.testing.assert_array_equal(a.network.forward(x), b.network.forward(other))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalize", ["scale", None])
@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix"])
def test_a_sparse_matrix_trains_as_the_dense_one(same_bits, kind, normalize, dtype):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    x = small_integers(1, share=0.1).astype("float32") / 8
    y = TASKS["classes"](np.random.default_rng(2))
    options = OPTIONS | {"normalize": normalize, "dtype": dtype}
    compressed = getattr(sparse, kind)(x)
    dense = tl.train(x, y, **options)
    for threads in (1, 2, 3):
        result = tl.train(compressed, y, threads=threads, **options)
        same_run(same_bits, dense, result, x, compressed)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "more",
    [
        {"optimizer": "sgd", "learning_rate": 1e-3, "momentum": 0.9},
        {"optimizer": "lion", "reg": 1e-3, "weight_decay": 1e-2},
        {"optimizer": "rmsprop", "clip_norm": 0.5},
        {"dropout": 0.3, "batch_norm": True, "hidden_sizes": (20, 10)},
        {"hidden_sizes": (), "sample_weight": np.arange(ROWS) % 3},
    ],
    ids=lambda more: next(iter(more.values())) if "optimizer" in more else next(iter(more)),
)
def test_sparse_with_everything_else(same_bits, more, task):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    x = small_integers(3, share=0.1).astype("float32") / 8
    y = TASKS[task](np.random.default_rng(4))
    compressed = sparse.csr_array(x)
    options = OPTIONS | {"normalize": "scale"} | more
    same_run(
        same_bits, tl.train(x, y, **options), tl.train(compressed, y, **options), x, compressed
    )


# Types that are read as float64, which is shifted and scaled before it is rounded to float32.
READ_AS_FLOAT64 = ("float64", "int32", "int64")


@pytest.mark.parametrize("values", ["float64", "float32", "int64", "bool"])
@pytest.mark.parametrize("index", ["int32", "int64"])
def test_any_types_of_a_sparse_matrix(same_bits, values, index):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    as_read = "float64" if values in READ_AS_FLOAT64 else "float32"
    x = small_integers(5, share=0.1).astype(values).astype(as_read)
    y = TASKS["classes"](np.random.default_rng(6))
    compressed = sparse.csr_array(x.astype(values))
    compressed.indices = compressed.indices.astype(index)
    compressed.indptr = compressed.indptr.astype(index)
    options = OPTIONS | {"normalize": "scale"}
    same_run(
        same_bits, tl.train(x, y, **options), tl.train(compressed, y, **options), x, compressed
    )


def test_rows_of_a_sparse_matrix_in_any_order_and_with_stored_zeros(same_bits):
    """Entries of a row may stand in any order: the first layer adds them in ascending columns."""
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    x = small_integers(7, share=0.1).astype("float32")
    y = TASKS["classes"](np.random.default_rng(8))
    compressed = sparse.csr_array(x)
    for start, end in zip(compressed.indptr[:-1], compressed.indptr[1:], strict=True):
        compressed.indices[start:end] = compressed.indices[start:end][::-1]
        compressed.data[start:end] = compressed.data[start:end][::-1]
    compressed.has_sorted_indices = False
    options = OPTIONS | {"normalize": "scale"}
    same_run(
        same_bits, tl.train(x, y, **options), tl.train(compressed, y, **options), x, compressed
    )


ELEMENTS = ["uint8", "int8", "int16", "uint16", "float16", "float32", "float64", "int32", "bool"]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("normalize", ["standard", None])
@pytest.mark.parametrize("element", ELEMENTS)
def test_an_element_type_in_either_order_trains_as_a_float(same_bits, element, normalize, order):
    x = small_integers(9).astype(element)
    if element == "bool":
        x = small_integers(9) > 50
    y = TASKS["classes"](np.random.default_rng(10))
    options = OPTIONS | {"normalize": normalize}
    as_read = x.astype("float64" if normalize and element in READ_AS_FLOAT64 else "float32")
    expected = tl.train(as_read, y, **options)
    other = np.array(x, order=order)
    same_run(same_bits, expected, tl.train(other, y, **options), as_read, other)


@pytest.mark.parametrize("element", ["uint8", "int16", "float32"])
def test_any_memory_order(same_bits, element):
    x = small_integers(11).astype(element)
    y = TASKS["numbers"](np.random.default_rng(12))
    expected = tl.train(x, y, **OPTIONS)
    wide = np.zeros((2 * ROWS, 3 * FEATURES), element)
    wide[::2, ::3] = x
    backwards = np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    columns = np.zeros((FEATURES + 9, ROWS + 7), element)
    columns[3 : 3 + FEATURES, 5 : 5 + ROWS] = x.T
    swapped = x.astype(x.dtype.newbyteorder())
    frozen = x.copy()
    frozen.flags.writeable = False
    for other in (
        wide[::2, ::3],
        backwards,
        columns[3 : 3 + FEATURES, 5 : 5 + ROWS].T,
        swapped,
        frozen,
    ):
        np.testing.assert_array_equal(other, x)
        same_run(same_bits, expected, tl.train(other, y, **OPTIONS), x, other)
