"""Wrong arguments of techniques: found before anything is computed, named, nothing lost."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.streams import Purpose, generator

WRONG = [
    ({"dropout": 1}, ValueError, "dropout: 1; must be finite and at least 0 and below 1"),
    ({"dropout": -0.1}, ValueError, "dropout: -0.1; must be"),
    ({"dropout": math.nan}, ValueError, "dropout: nan; must be"),
    ({"dropout": 0.9999}, ValueError, "dropout: 0.9999; must be at most 0.999"),
    ({"dropout": True}, TypeError, "dropout: True; must be a number"),
    ({"dropout": "half"}, TypeError, "dropout: 'half'; must be a number"),
    ({"dropout": None}, TypeError, "dropout: None; must be a number"),
    ({"dropout": (0.5,)}, ValueError, "dropout: 1 shares; must be a number, or one for each of"),
    ({"dropout": (0.5, 1.5)}, ValueError, r"dropout\[1\]: 1.5; must be finite and at least 0"),
    ({"dropout": (0.5, "a")}, TypeError, r"dropout\[1\]: 'a'; must be a number"),
    ({"dropout": np.array([0.5, 0.1, 0.2])}, ValueError, "dropout: 3 shares; .* 2 hidden layers"),
    ({"batch_norm": 1}, TypeError, "batch_norm: 1; must be True or False"),
    ({"batch_norm": True, "batch_size": 1}, ValueError, "batch_norm: True with batches of one row"),
    ({"label_smoothing": 1.0}, ValueError, "label_smoothing: 1.0; must be finite and at least 0"),
    ({"label_smoothing": "a"}, TypeError, "label_smoothing: 'a'; must be a number"),
    ({"clip_norm": 0}, ValueError, "clip_norm: 0; must be finite and above 0"),
    ({"clip_norm": math.inf}, ValueError, "clip_norm: inf; must be finite and above 0"),
    ({"clip_norm": "1"}, TypeError, "clip_norm: '1'; must be a number"),
    ({"class_weight": "even"}, ValueError, "class_weight: 'even'; must be one of 'balanced'"),
    ({"class_weight": 2.0}, TypeError, "class_weight: 2.0; must be 'balanced', a number for each"),
    ({"class_weight": (1, 2)}, ValueError, "class_weight: 2 numbers; must be 3, one a class"),
    ({"class_weight": (1, 2, -1)}, ValueError, r"class_weight\[2\]: -1; must be finite and at"),
    ({"class_weight": {3: 1.0}}, ValueError, "class_weight: class 3; must be of the 3 classes"),
    ({"class_weight": {"a": 1}}, ValueError, "class_weight: class 'a'; must be of the 3 classes"),
    ({"class_weight": {-1: 1}}, ValueError, "class_weight: class -1; must be of the 3 classes"),
    ({"class_weight": {1: math.inf}}, ValueError, r"class_weight\[1\]: inf; must be finite"),
    (
        {"class_weight": (0, 0, 0)},
        ValueError,
        "class_weight: the weights of all training rows",
    ),
    ({"sample_weight": 1.0}, ValueError, r"sample_weight: shape \(\); must be \(90,\), one a row"),
    ({"sample_weight": np.ones((90, 1))}, ValueError, r"sample_weight: shape \(90, 1\); must be"),
    ({"sample_weight": np.ones(89)}, ValueError, r"sample_weight: shape \(89,\); must be"),
    ({"sample_weight": ["a"] * 90}, TypeError, "sample_weight: type <U1; must be real numbers"),
    ({"sample_weight": np.ones(90) * 1j}, TypeError, "sample_weight: type complex128; must be"),
    ({"sample_weight": "balanced"}, TypeError, "sample_weight: str; must be an array of numbers"),
    ({"sample_weight": np.arange(90) - 7.0}, ValueError, "sample_weight: -7.0 in row 0; must be"),
    (
        {"sample_weight": np.where(np.arange(90) == 4, np.nan, 1)},
        ValueError,
        "sample_weight: nan in row 4; must be finite and at least 0",
    ),
    (
        {"sample_weight": np.zeros(90)},
        ValueError,
        "sample_weight: the weights of all training rows are 0",
    ),
    (
        {"sample_weight": np.full(90, 1e300), "class_weight": {1: 1e300}},
        ValueError,
        "sample_weight: inf in row 1; must be finite",
    ),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG)
def test_wrong_arguments_of_train(backend, blobs, same_bits, arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        backend.train(*blobs, hidden_sizes=(8, 5), **arguments)
    if "batch_norm" in arguments:
        return
    net = backend.Network((6, 8, 5, 3))
    before = copy.deepcopy(net)
    with pytest.raises(error, match=f"^{message}"):
        backend.train(*blobs, network=net, **arguments)
    assert same_bits(net, before)


def test_batch_normalisation_is_for_new_networks(backend, blobs):
    with pytest.raises(
        ValueError, match=r"^batch_norm: True with a network to go on with; a train"
    ):
        backend.train(*blobs, network=backend.Network((6, 8, 3)), batch_norm=True)
    with pytest.raises(ValueError, match=r"^batch_norm: True with batches of one row"):
        backend.train([[1.0, 2.0], [2.0, 1.0]], [0, 1], validation_fraction=0.5, batch_norm=True)


def test_weight_only_on_rows_held_out(backend, blobs):
    """Which rows those are, the seed decides."""
    held_out = generator(0, Purpose.SPLIT).permutation(90)[:45]
    weights = np.zeros(90)
    weights[held_out] = 1
    with pytest.raises(ValueError, match=r"^sample_weight: the weights of all training rows are 0"):
        backend.train(*blobs, sample_weight=weights, validation_fraction=0.5)
    backend.train(*blobs, sample_weight=1 - weights, validation_fraction=0.5, epochs=1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *(
            (arguments, error, message)
            for arguments, error, message in WRONG
            if arguments.keys() <= {"dropout", "label_smoothing", "sample_weight"}
        ),
        ({"gammas": [np.ones(8)]}, ValueError, "gammas: 1 arrays; must be one for each of the 2"),
        (
            {"gammas": [np.ones(8), np.ones(8)]},
            ValueError,
            r"gammas\[1\]: shape \(8,\); must be \(5,\)",
        ),
        (
            {"gammas": [np.ones(8), np.full(5, np.nan)]},
            ValueError,
            r"gammas\[1\]: a value is not finite",
        ),
        ({"gammas": 3}, TypeError, "gammas: int; must be a sequence of arrays"),
        ({"seed": -1}, ValueError, "seed: -1; must be at least 0"),
    ],
)
def test_wrong_arguments_of_gradients(backend, blobs, arguments, error, message):
    net = backend.Network((6, 8, 5, 3))
    with pytest.raises(error, match=f"^{message}"):
        net.loss_and_gradients(*blobs, **arguments)
    with pytest.raises(error, match=f"^{message}"):
        tl.check_gradients(net, *blobs, **arguments)


def test_what_comes_from_numpy_is_taken(backend, blobs):
    """Numbers and arrays of NumPy's, as sweeps and files bring them."""
    weights = np.ones(90, np.longdouble)
    backend.train(
        *blobs, hidden_sizes=(8, 5), epochs=1, dropout=np.array([0.1, 0.2], np.float32),
        batch_norm=np.True_, label_smoothing=np.float32(0.1), clip_norm=np.int64(2),
        class_weight=np.array([1, 2, 3]), sample_weight=weights,
    )  # fmt: skip
    backend.train(
        *blobs, epochs=1, class_weight={np.int64(1): np.float32(2)}, dropout=np.float64(0.1)
    )
    backend.train(*blobs, epochs=1, sample_weight=np.arange(90) % 2 == 0)
