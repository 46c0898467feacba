"""A loss that is a function: with the formula of a built-in one it gives that one's bits."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl

ROWS, FEATURES = 203, 30


def squared_error(outputs, targets):
    d = outputs - targets
    return (d * d).mean(axis=1), 2 * d / d.shape[1]


def cross_entropy(outputs, labels):
    z = outputs - outputs.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1)
    samples = np.arange(len(z))
    gradient = e / total[:, np.newaxis]
    gradient[samples, labels] -= 1
    return np.log(total) - z[samples, labels], gradient


def data(columns, dtype="float32"):
    rng = np.random.default_rng(columns)
    x = rng.normal(size=(ROWS, FEATURES)).astype(dtype)
    y = x @ rng.normal(size=(FEATURES, columns)) + 0.1 * rng.normal(size=(ROWS, columns)) + 3
    return x, y


OPTIONS = {"hidden_sizes": (17,), "batch_size": 32, "epochs": 3, "progress": False}


def both(backend, x, y, **options):
    return [
        backend.train(x, y, loss=loss, **(OPTIONS | options))
        for loss in ("squared_error", squared_error)
    ]


def check_same(same_bits, results):
    built_in, own = results
    assert same_bits(built_in.network, own.network)
    assert built_in.history["step_loss"] == own.history["step_loss"]
    assert own.network.score_name == "r2"


@pytest.mark.parametrize("normalize_targets", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 3, 10])
def test_same_bits_as_the_built_in_one(same_bits, columns, dtype, weighted, normalize_targets):
    x, y = data(columns)
    weights = np.random.default_rng(0).uniform(0, 2, ROWS) if weighted else None
    results = both(
        tl, x, y, dtype=dtype, sample_weight=weights, normalize_targets=normalize_targets
    )
    check_same(same_bits, results)


def test_a_vector_of_targets(same_bits):
    x, y = data(1)
    results = both(tl, x, y[:, 0])
    check_same(same_bits, results)
    check_same(same_bits, [results[0], *both(tl, x, y)[1:]])
    assert results[1].network.predict(x).shape == (ROWS,)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd", "learning_rate": 1e-4, "momentum": 0.9, "reg": 1e-3},
        {"optimizer": "lion", "clip_norm": 0.1},
        {"dropout": 0.3, "batch_norm": True},
        {"compute_dtype": "bfloat16"},
        {"hidden_sizes": (20, 10), "activation": "gelu", "optimizer": "rmsprop"},
        {"hidden_sizes": (), "early_stopping": 2},
        {"average_epochs": 2, "threads": 3},
    ],
    ids=lambda options: " ".join(options),
)
def test_with_everything_else(same_bits, options):
    x, y = data(3)
    check_same(same_bits, both(tl, x, y, validation_fraction=0.2, **options))


def test_of_labels():
    """To the rounding of exp and sums: NumPy's are other operations than the core's."""
    x, _ = data(1)
    y = np.random.default_rng(1).integers(0, 4, ROWS)
    options = OPTIONS | {"dtype": "float64", "optimizer": "sgd"}
    built_in = tl.train(x, y, **options)
    own = tl.train(x, y, loss=tl.losses.CustomLoss(cross_entropy, takes="labels"), **options)
    np.testing.assert_allclose(own.history["step_loss"], built_in.history["step_loss"], rtol=1e-12)
    np.testing.assert_array_equal(own.network.predict(x), built_in.network.predict(x))


def test_twin_takes_it_too():
    x, y = data(3)
    built_in, own = both(tl.reference, x, y, optimizer="sgd", learning_rate=1e-3)
    np.testing.assert_allclose(own.history["step_loss"], built_in.history["step_loss"], rtol=1e-12)
