"""The twin itself, and the compiled core against it."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.activations import ACTIVATIONS

STEPS = 200
OPTIMIZERS = {
    "sgd": {"optimizer": "sgd", "learning_rate": 0.05},
    "momentum": {"optimizer": "sgd", "learning_rate": 0.02, "momentum": 0.9},
    "nesterov": {"optimizer": "sgd", "learning_rate": 0.02, "momentum": 0.9, "nesterov": True},
    "sgd decay": {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 0.01, "reg": 0.01},
    "adam": {"optimizer": "adam", "learning_rate": 1e-3},
    "adam decay": {"optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.01},
    "adamw": {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01},
    "adam betas": {
        "optimizer": "adam", "learning_rate": 1e-3, "betas": (0.8, 0.99), "epsilon": 1e-6,
    },
    "rmsprop": {"optimizer": "rmsprop", "learning_rate": 1e-3},
    "centred rmsprop": {
        "optimizer": "rmsprop", "learning_rate": 1e-3, "centred": True, "momentum": 0.9,
    },
}  # fmt: skip


def test_has_the_functions_of_the_package(blobs):
    for name in tl.reference.__all__:
        assert hasattr(tl, name)
        assert hasattr(tl.reference, name)
    functions = {name for name in tl.__all__ if inspect.isfunction(getattr(tl, name))}
    assert functions - {"sweep"} <= set(tl.reference.__all__)  # sweep trains by calling train
    net = tl.reference.Network((6, 3))
    assert tl.reference.check_gradients(net, *blobs).passed(1e-6)


def trajectory(backend, pixels, **options):
    x, y = pixels
    return backend.train(
        x, y, batch_size=16, max_steps=STEPS, learning_rate_decay=0.95, progress=False, **options
    )


def tolerance(dtype, network):
    """Return how far two right trajectories may be apart, in units of parameters and losses near 1.

    A step rounds each parameter once, and moves it by a learning rate of at most 0.05 times a
    gradient, whose sums over features or samples round once a term. In float32 a relu may, once
    in a while, also fall on the other side of its kink in one engine: one term of a gradient
    appears or not, times learning rate over batch size. That needs room for the whole sum.
    """
    terms = max(*network.layer_sizes, 16)
    rate = 0.05 if dtype == "float64" else 1.0
    return STEPS * (1 + rate * terms) * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("hidden", [(), (33,), (17, 9)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_trajectories_agree_step_by_step(pixels, optimizer, hidden, dtype):
    options = {"hidden_sizes": hidden, "dtype": dtype, **OPTIMIZERS[optimizer]}
    compiled = trajectory(tl, pixels, **options)
    twin = trajectory(tl.reference, pixels, **options)
    bound = tolerance(dtype, twin.network)
    losses = [np.array(r.history["step_loss"]) for r in (compiled, twin)]
    assert len(losses[0]) == STEPS
    np.testing.assert_allclose(*losses, rtol=bound, atol=bound)
    for pairs in zip(compiled.network.parameters, twin.network.parameters, strict=True):
        for a, b in zip(*pairs, strict=True):
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_agree_along_a_trajectory(pixels, activation):
    options = {"hidden_sizes": (33, 8), "activation": activation, "dtype": "float64"}
    options |= {"optimizer": "sgd", "learning_rate": 0.05}
    compiled = trajectory(tl, pixels, **options)
    twin = trajectory(tl.reference, pixels, **options)
    bound = tolerance("float64", twin.network)
    np.testing.assert_allclose(
        compiled.history["step_loss"], twin.history["step_loss"], rtol=bound, atol=bound
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("sizes", "x_dtype"),
    [
        ((40, 5), "float64"),
        ((40, 1, 5), "float32"),
        ((40, 33, 16, 5), "uint8"),
        ((40, 100, 2), "float32"),
    ],
)
def test_one_pass_agrees(pixels, sizes, x_dtype, dtype, activation):
    x, y = pixels[0].astype(x_dtype), pixels[1] % sizes[-1]
    options = {"activation": activation, "dtype": dtype, "seed": 2, "normalize": (120.0, 70.0)}
    compiled, twin = tl.Network(sizes, **options), tl.reference.Network(sizes, **options)
    # Sums over features, hidden units and samples, one after the other.
    bound = (sum(sizes) + len(x)) * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(compiled.predict_proba(x), twin.predict_proba(x), atol=bound)
    assert compiled.predict_proba(x).dtype == dtype
    loss, accuracy = compiled.evaluate(x, y)
    assert loss == pytest.approx(twin.evaluate(x, y)[0], rel=bound)
    assert accuracy == twin.evaluate(x, y)[1]
    loss, gradients = compiled.loss_and_gradients(x, y, reg=0.1)
    expected, twins = twin.loss_and_gradients(x, y, reg=0.1)
    assert loss == pytest.approx(expected, rel=bound)
    for pairs in zip(gradients, twins, strict=True):
        for a, b in zip(*pairs, strict=True):
            assert a.dtype == b.dtype == dtype
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound)


def test_same_names_same_arguments():
    for name in ("train", "Network", "load"):
        ours = inspect.signature(getattr(tl, name)).parameters
        twins = inspect.signature(getattr(tl.reference, name)).parameters
        assert list(ours) == list(twins)
        for key in ours.keys() - {"dtype"}:
            assert ours[key].default == twins[key].default
    assert inspect.signature(tl.Network).parameters["dtype"].default == "float32"
    assert inspect.signature(tl.reference.Network).parameters["dtype"].default == "float64"


def test_the_twin_trains_in_float64(blobs):
    assert tl.train(*blobs, max_steps=1).network.dtype == "float32"
    assert tl.reference.train(*blobs, max_steps=1).network.dtype == "float64"
    assert tl.reference.train(*blobs, max_steps=1, dtype="float32").network.dtype == "float32"
    network = tl.reference.Network((6, 3), dtype="float32")
    assert tl.reference.train(*blobs, max_steps=1, network=network).network is network


def test_unknown_argument_is_a_type_error(backend, blobs):
    with pytest.raises(TypeError, match="unexpected keyword argument 'learn_rate'"):
        backend.train(*blobs, learn_rate=1)


def test_large_logits_in_both_engines(backend):
    net = backend.Network((2, 3), init=0, dtype="float32")
    net.set_parameters([(np.array([[1.0, 0, 0], [0, 0, 0]]), [0, 0, 0])])
    x = np.array([[1e4, 0], [-1e4, 0]])
    np.testing.assert_array_equal(net.predict_proba(x), [[1, 0, 0], [0, 0.5, 0.5]])
    loss, _ = net.evaluate(x, [1, 1])
    # One sample loses 1e4, the other log 2; float32 rounds the first.
    assert loss == pytest.approx((1e4 + np.log(2)) / 2, rel=float(np.finfo("float32").eps))
