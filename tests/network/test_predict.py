"""Prediction: the quick way and the thorough one, blocks, threads, `out`, bfloat16."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext import reference

RNG = np.random.default_rng(0)
THREADS = (1, 2, 3, 5)
LOSSES = {"cross_entropy": 4, "logistic": 3, "squared_error": 2}


def made(kind=tl.Network, sizes=(37, 70, 4), of="float32", **options):
    shift = np.linspace(-1, 1, sizes[0])
    moments = (128 + shift, 74 + shift) if of == "uint8" else (shift, shift + 3)
    network = kind(sizes, seed=3, normalize=moments, **options)
    for i in range(len(sizes) - 1):
        weights, bias = network.core.layer(i)
        network.core.set_layer(i, weights, bias + np.asarray(0.1, bias.dtype))
    return network


def rows(count, dtype="float32", features=37):
    if dtype == "uint8":
        return RNG.integers(0, 256, (count, features), dtype=np.uint8)
    return RNG.standard_normal((count, features)).astype(dtype)


class Array(np.ndarray):
    """Not exactly an ndarray, so that the quick way does not take it."""


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 13, 14, 15, 700, 5000])
def test_quick_and_thorough_way_give_the_same_bits_on_any_number_of_threads(loss, dtype, count):
    network = made(sizes=(37, 70, LOSSES[loss]), loss=loss, dtype=dtype)
    for of in ("float32", "float64", "uint8"):
        x = rows(count, of)
        for method in ("predict", "forward"):
            wanted = getattr(network, method)(x.view(Array), threads=1)
            for threads in (None, *THREADS):
                got = getattr(network, method)(x, threads=threads)
                np.testing.assert_array_equal(got, wanted, strict=True)


@pytest.mark.parametrize("count", [1, 40, 300])
def test_wide_nets_whose_rows_are_fewer_than_threads_share_the_layers(count):
    network = made(sizes=(400, 1100, 900, 3))
    x = rows(count, features=400)
    wanted = network.forward(x, threads=1)
    for threads in (*THREADS, 16):
        np.testing.assert_array_equal(network.forward(x, threads=threads), wanted)


def test_first_of_equal_outputs_is_the_class():
    network = made()
    for i in range(2):
        weights, bias = network.core.layer(i)
        network.core.set_layer(i, np.zeros_like(weights), np.zeros_like(bias))
    assert network.predict(rows(20)).tolist() == [0] * 20


@pytest.mark.parametrize(
    ("of", "value"),
    [(of, v) for of in ("float32", "float64") for v in (np.nan, np.inf, -np.inf)]
    + [("float64", 1e39)],  # beyond the network's float32
)
@pytest.mark.parametrize("where", [(0, 0), (1234, 36), (2999, 17)])
def test_a_value_that_is_not_finite_is_named(of, value, where):
    network = made()
    x = rows(3000, of)
    x[where] = value
    with pytest.raises(ValueError, match=f"x: .* in row {where[0]}, column {where[1]};"):
        network.predict(x)
    x[where] = 0
    assert network.predict(x).shape == (3000,)


def test_parameters_that_change_show_in_the_next_prediction():
    network = made()
    x = rows(50)
    for compute_dtype in (None, "bfloat16"):
        before = network.predict_proba(x, compute_dtype=compute_dtype)
        weights, bias = network.core.layer(1)
        network.core.set_layer(1, weights * 2, bias)
        assert not np.array_equal(before, network.predict_proba(x, compute_dtype=compute_dtype))


@pytest.mark.parametrize("of", ["float32", "uint8"])
@pytest.mark.parametrize("count", [1, 200])
def test_bfloat16_is_the_twins_and_the_same_bits_on_any_number_of_threads(of, count):
    network, twin = made(of=of), made(reference.Network, of=of, dtype="float32")
    x = rows(count, of)
    got = network.predict_proba(x, compute_dtype="bfloat16")
    exact = network.predict_proba(x)
    # Operands are rounded alike; a sum that lies near the middle of two bfloat16 numbers may still
    # fall to another side, by 2**-8 of a hidden unit's share in one output.
    np.testing.assert_allclose(got, twin.predict_proba(x, compute_dtype="bfloat16"), atol=2**-9)
    assert not np.array_equal(got, exact)
    np.testing.assert_allclose(got, exact, atol=0.05)
    for threads in THREADS:
        again = network.predict_proba(x, compute_dtype="bfloat16", threads=threads)
        np.testing.assert_array_equal(again, got)
    # Not the quick way: an array that is read column by column.
    columns = np.asfortranarray(x)
    np.testing.assert_array_equal(network.predict_proba(columns, compute_dtype="bfloat16"), got)


def test_bfloat16_that_cannot_be_is_an_error():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    with pytest.raises(ValueError, match="compute_dtype: 'bfloat16'; must be None"):
        made(dtype="float64").predict(rows(3), compute_dtype="bfloat16")
    with pytest.raises(ValueError, match="compute_dtype: with a sparse matrix; must be None"):
        made().predict(sparse.csr_matrix(rows(3)), compute_dtype="bfloat16")


def test_out_takes_the_result():
    network = made()
    x = rows(30)
    labels, probabilities = np.empty(30, np.int64), np.empty((30, 4), np.float32)
    assert network.predict(x, out=labels) is labels
    assert network.predict_proba(x, out=probabilities) is probabilities
    np.testing.assert_array_equal(labels, network.predict(x))
    np.testing.assert_array_equal(probabilities, network.predict_proba(x))


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ([0] * 30, TypeError, "out: list; must be an ndarray"),
        (np.empty(29, np.int64), ValueError, r"out: int64 of shape \(29,\); must be int64 of"),
        (np.empty(30, np.int32), ValueError, "out: int32 of shape"),
        (np.broadcast_to(np.int64(0), (30,)), ValueError, "out: read-only int64"),
    ],
)
def test_out_that_does_not_fit_is_an_error(out, error, message):
    with pytest.raises(error, match=message):
        made().predict(rows(30), out=out)


def test_many_python_threads_predict_at_a_time():
    network = made(sizes=(37, 300, 4))
    inputs = [rows(count) for count in (1, 15, 400, 3000) * 3]
    wanted = [network.predict_proba(x, threads=1) for x in inputs]
    wrong = []

    def work(i):
        for _ in range(20):
            if not np.array_equal(network.predict_proba(inputs[i]), wanted[i]):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
