"""bfloat16 compute: the compiled kernels against the twin with rounded operands, and what it keeps.

The same numbers are rounded on both sides, but to reach them the compiled side adds up in float32
and the twin in float64: one that lies within float32's rounding of the middle between two
bfloat16 goes the other way now and then. That changes one operand by at most 2^-7 of itself.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext import _core, losses, optimizers
from twolayer_ext.engine import Techniques
from twolayer_ext.reference.bfloat16 import round_to_bfloat16

SIZES = (1, 2, 3, 15, 16, 17, 31, 33, 65, 100)
ONE_OPERAND = 2.0**-7
CORE, TWIN = tl.Network.engine, tl.reference.Network.engine
OPTIMIZERS = {
    "sgd": optimizers.Sgd(weight_decay=1e-3),
    "momentum": optimizers.Sgd(momentum=0.9, weight_decay=1e-3),
    "nesterov": optimizers.Sgd(momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": optimizers.Adam(weight_decay=1e-3),
    "adamw": optimizers.AdamW(weight_decay=1e-3),
    "lion": optimizers.Lion(weight_decay=1e-3),
    "rmsprop": optimizers.RmsProp(weight_decay=1e-3),
}


def trainer(engine, network, *, batch_size, optimizer=None, reg=0.0, threads=1):
    return engine.trainer(
        network,
        optimizer=optimizer or optimizers.Sgd(),
        loss=engine.loss(losses.CrossEntropy(), 1, None),  # the same for any number of outputs
        techniques=Techniques(),
        reg=reg,
        batch_size=batch_size,
        threads=threads,
        compute_dtype="bfloat16",
    )


def pair(rng, sizes, activation):
    """A compiled network in float32 and its twin in float64 with the same parameters."""
    core = CORE.network(sizes, activation, "float32")
    twin = TWIN.network(sizes, activation, "float64")
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        w = (rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)).astype(np.float32)
        b = (0.1 * rng.standard_normal(outputs)).astype(np.float32)
        core.set_layer(i, w, b)
        twin.set_layer(i, w, b)
    return core, twin


def inputs(rng, count, width, kind):
    if kind == "uint8":
        return rng.integers(0, 256, (count, width), dtype=np.uint8)
    return rng.standard_normal((count, width)).astype(kind)


def normalize(networks, shift, scale):
    for network in networks:
        network.set_normalization(np.asarray(shift, float), np.asarray(scale, float))


def gradient_error(core, twin, x, y, threads, reg=0.0):
    """Largest difference of any gradient, relative to the layer's largest.

    A step of plain SGD, so large that the weights' own rounding is nothing beside it.
    """
    rate, n = 2.0**12, len(x)
    layers = range(len(twin.weights))
    before = [twin.layer(i) for i in layers]
    loss, twin_loss = np.zeros(1), np.zeros(1)
    rows, rates = np.arange(n), np.array([rate])
    trainer(CORE, core, batch_size=n, reg=reg, threads=threads).run(x, y, rows, rates, loss)
    trainer(TWIN, twin, batch_size=n, reg=reg).run(x, y, rows, rates, twin_loss)
    worst = abs(loss[0] - twin_loss[0]) / (1 + twin_loss[0])
    for i in layers:
        wanted = [(old - new) / rate for old, new in zip(before[i], twin.layer(i), strict=True)]
        got = [(old - new) / rate for old, new in zip(before[i], core.layer(i), strict=True)]
        scale = max(*(np.abs(g).max() for g in wanted), 1 / n)
        worst = max(worst, *(np.abs(g - w).max() / scale for g, w in zip(got, wanted, strict=True)))
    return worst


def check(errors):
    assert max(errors) < ONE_OPERAND
    # And in most cases no operand is rounded differently: then it is float32's own error.
    assert np.median(errors) < 16 * np.finfo(np.float32).eps


def test_rounding_is_to_nearest_ties_to_even():
    one, ulp = 1.0, 2.0**-7
    values = {
        1.0: one,
        one + ulp / 2: one,  # tie: 1.0 is even
        one + 1.5 * ulp: one + 2 * ulp,
        one + 0.51 * ulp: one + ulp,
        -(one + 0.49 * ulp): -one,
        2 - 2.0**-9: 2.0,  # carries into the exponent
        255.0: 255.0,
        256.0: 256.0,
        257.0: 256.0,
        3.4e38: np.inf,
        np.inf: np.inf,
    }
    got = round_to_bfloat16(np.array(list(values), np.float32))
    assert got.dtype == np.float32
    assert np.array_equal(got, np.array(list(values.values()), np.float32))
    assert np.isnan(round_to_bfloat16(np.array([np.nan])))


def test_gradients_of_one_layer_agree_with_the_twin_for_all_shapes():
    rng = np.random.default_rng(0)
    threads, kinds = itertools.cycle((1, 2, 3, 4)), itertools.cycle(("uint8", "float32", "float64"))
    errors = []
    for n, d, c in itertools.product(SIZES, SIZES, SIZES):
        networks = pair(rng, (d, c), "identity")
        kind = next(kinds)
        if kind == "uint8":
            normalize(networks, rng.uniform(100, 150, d), rng.uniform(50, 100, d))
        y = rng.integers(0, c, n)
        errors.append(gradient_error(*networks, inputs(rng, n, d, kind), y, next(threads)))
    check(errors)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_gradients_of_hidden_layers_agree_with_the_twin_for_all_shapes(activation):
    rng = np.random.default_rng(1)
    threads, kinds = itertools.cycle((1, 2, 3, 4)), itertools.cycle(("uint8", "float32", "float64"))
    errors = []
    for n, h, g in itertools.product(SIZES, SIZES, SIZES[1::3]):
        networks = pair(rng, (33, h, g, 5), activation)
        kind = next(kinds)
        if kind == "uint8":
            normalize(networks, rng.uniform(100, 150, 33), rng.uniform(50, 100, 33))
        x, y = inputs(rng, n, 33, kind), rng.integers(0, 5, n)
        errors.append(gradient_error(*networks, x, y, next(threads), reg=0.01))
    check(errors)


def test_large_layers_on_several_threads():
    rng = np.random.default_rng(2)
    for threads, n in ((1, 97), (2, 350), (3, 64), (4, 201)):
        networks = pair(rng, (1100, 130, 70, 10), "tanh")
        normalize(networks, rng.uniform(100, 150, 1100), rng.uniform(50, 100, 1100))
        x, y = inputs(rng, n, 1100, "uint8"), rng.integers(0, 10, n)
        assert gradient_error(*networks, x, y, threads) < ONE_OPERAND


@pytest.mark.parametrize("shift", [-300.0, -0.5, 127.5, 255.4, 1000.0])
def test_any_shift_of_bytes(shift):
    rng = np.random.default_rng(3)
    networks = pair(rng, (40, 30, 4), "tanh")
    normalize(networks, np.full(40, shift), np.full(40, 64.0))
    x, y = inputs(rng, 60, 40, "uint8"), rng.integers(0, 4, 60)
    # Far from the bytes the twin's products round x - shift's part beyond them, ours do not.
    far = max(1.0, abs(shift - 127.5) / 127.5)
    assert gradient_error(*networks, x, y, 2) < far * ONE_OPERAND


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_agree_with_the_twin(name):
    rng = np.random.default_rng(4)
    core, twin = pair(rng, (40, 33, 17, 7), "tanh")
    x, y = inputs(rng, 330, 40, "float32"), rng.integers(0, 7, 330)
    chosen = {"optimizer": OPTIMIZERS[name], "batch_size": 33, "reg": 1e-3}
    rates = np.full(30, 0.05 if chosen["optimizer"].name == "sgd" else 1e-3)
    rows = np.concatenate([rng.permutation(330) for _ in range(3)])
    found, expected = np.zeros(30), np.zeros(30)
    trainer(CORE, core, **chosen, threads=2).run(x, y, rows, rates, found)
    trainer(TWIN, twin, **chosen).run(x, y, rows, rates, expected)
    np.testing.assert_allclose(found, expected, rtol=ONE_OPERAND / 8)
    assert found[20:].mean() < found[:10].mean()


def test_bits_are_the_same_for_any_number_of_threads(same_bits):
    rng = np.random.default_rng(5)
    x, y = inputs(rng, 505, 300, "uint8"), rng.integers(0, 10, 505)
    for optimizer in OPTIMIZERS.values():
        networks = [
            tl.train(
                x, y, hidden_sizes=(100, 33), batch_size=101 - 2, epochs=3, threads=threads,
                compute_dtype="bfloat16", reg=1e-3, optimizer=optimizer,
            ).network
            for threads in (1, 2, 3, 4)
        ]  # fmt: skip
        assert all(same_bits(networks[0], other) for other in networks[1:])


def test_every_target_trains_alike(tmp_path):
    """Native and emulated kernels differ by rounding at most."""
    code = """
import sys
import numpy as np
import twolayer_ext as tl
rng = np.random.default_rng(0)
x, y = rng.integers(0, 256, (200, 50), dtype=np.uint8), rng.integers(0, 5, 200)
result = tl.train(x, y, hidden_sizes=(33,), batch_size=25, epochs=4, optimizer="sgd",
                  learning_rate=0.05, compute_dtype="bfloat16")
np.save(sys.argv[1], result.history["step_loss"])
"""
    losses = {}
    for isa in tl.build_info()["isa_built"]:
        file = tmp_path / f"{isa}.npy"
        result = subprocess.run(
            [sys.executable, "-c", code, str(file)],
            env=os.environ | {"TWOLAYER_ISA": isa},
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        if "this CPU does not support it" not in result.stderr:
            assert result.returncode == 0, result.stderr
            losses[isa] = np.load(file)
    assert "portable" in losses
    for isa in losses:
        np.testing.assert_allclose(losses[isa], losses["portable"], rtol=ONE_OPERAND / 8)


def test_rounding_shows_and_evaluation_does_not_round(pixels, same_bits):
    x, y = pixels
    exact = tl.train(x, y, epochs=2)
    named = tl.train(x, y, epochs=2, compute_dtype="float32")
    rounded = tl.train(x, y, epochs=2, compute_dtype="bfloat16")
    assert same_bits(exact.network, named.network)
    assert not same_bits(exact.network, rounded.network)
    assert rounded.network.dtype == "float32"
    twin = tl.reference.Network(rounded.network.layer_sizes).from_state(rounded.network.state())
    assert rounded.network.evaluate(x, y)[0] == pytest.approx(twin.evaluate(x, y)[0], rel=1e-5)


def test_parameters_changed_by_a_callback_are_used(pixels, same_bits):
    x, y = pixels
    fixed = {
        "optimizer": "sgd",
        "shuffle": False,
        "learning_rate_decay": 1.0,
        "compute_dtype": "bfloat16",
    }
    start = tl.Network((40, 20, 5), seed=7, normalize=(127.5, 64.0))

    def go_back(event):
        if event.epoch == 1:
            event.network.set_parameters(start.parameters)

    def train(epochs, callbacks=()):
        network = tl.Network((40, 20, 5), seed=7, normalize=(127.5, 64.0))
        return tl.train(x, y, network=network, epochs=epochs, callbacks=callbacks, **fixed).network

    assert same_bits(train(2, [go_back]), train(1))


@pytest.mark.parametrize(
    ("dtype", "compute_dtype", "message"),
    [
        ("float64", "bfloat16", "must be None or 'float64' with dtype 'float64'"),
        ("float32", "float64", "must be None or 'float32' or 'bfloat16' with dtype 'float32'"),
        ("float32", "float16", "compute_dtype: 'float16'; must be None or 'float32'"),
    ],
)
def test_wrong_compute_dtype(backend, pixels, dtype, compute_dtype, message):
    with pytest.raises(ValueError, match=message):
        backend.train(*pixels, dtype=dtype, compute_dtype=compute_dtype)


def test_the_build_tells_and_the_probe_measures():
    assert tl.build_info()["bfloat16"] in ("native", "emulated")
    assert _core.multiply_add_peak("bfloat16", 1, 0.01) > 0


@pytest.mark.skipif(
    "TWOLAYER_CIFAR10" not in os.environ,
    reason="set TWOLAYER_CIFAR10 to a folder that holds cifar-10-batches-py and -bin",
)
@pytest.mark.parametrize(
    "recipe",
    [tl.recipes.study_sgd() | {"max_steps": 200}, tl.recipes.study_adam(epochs=1)],
    ids=["tuned", "adam"],
)
def test_real_data_is_learned_as_in_float32(recipe):
    training, test = tl.datasets.load_cifar10(os.environ["TWOLAYER_CIFAR10"])
    exact, rounded = (
        tl.train(training.x[:49000], training.y[:49000], **recipe, compute_dtype=compute_dtype)
        for compute_dtype in (None, "bfloat16")
    )
    losses = [np.array(r.history["step_loss"]) for r in (exact, rounded)]
    # The same weights and batches: far closer than two seeds are to each other.
    assert abs(losses[1][-50:].mean() / losses[0][-50:].mean() - 1) < 0.02
    accuracies = [r.network.evaluate(test.x, test.y)[1] for r in (exact, rounded)]
    # One standard error of an accuracy on 10,000 images is half a point; the two share them.
    assert abs(accuracies[1] - accuracies[0]) < 0.03
