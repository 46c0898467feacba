"""float64 rows whose mean is large against their spread keep their digits in a float32 network."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl
from python_targets import run_python, supported_targets

# Seconds of an hour in 2023: float32 tells 128 s apart there, twice the spread.
MEAN, SPREAD = 1.7e9, 60.0
OPTIONS = {"hidden_sizes": (16,), "epochs": 20, "dtype": "float32", "progress": False}


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 40))
    return z, (z[:, 0] + z[:, 1] > 0).astype(np.int64)


def far(z):
    return z * SPREAD + MEAN


def test_rows_far_from_zero_are_learned_as_near_ones(backend, problem):
    z, y = problem
    near = backend.train(z, y, **OPTIONS)
    result = backend.train(far(z), y, **OPTIONS)
    # What float64 loses of z, 2**-22 / 60, is less than what float32 would.
    for key in ("loss", "accuracy"):
        np.testing.assert_allclose(result.history[key], near.history[key], rtol=1e-3)
    wanted = near.network.forward(z)
    np.testing.assert_allclose(result.network.forward(far(z)), wanted, rtol=0.01, atol=0.01)
    assert result.network.evaluate(far(z), y) == pytest.approx(
        near.network.evaluate(z, y), rel=1e-3
    )
    assert (result.network.predict(far(z)) == near.network.predict(z)).mean() > 0.99


def test_the_core_reads_them_as_the_twin_and_bfloat16_too(problem):
    z, y = problem
    x = far(z)
    core = tl.Network((40, 8, 3), normalize=(x.mean(axis=0), x.std(axis=0)), seed=1)
    twin = tl.reference.Network.from_state(core.state())
    # 40 products of numbers near 1, weights below 1.
    np.testing.assert_allclose(core.forward(x), twin.forward(x), atol=1e-5)
    exact = tl.train(x, y, **OPTIONS)
    rounded = tl.train(x, y, compute_dtype="bfloat16", **OPTIONS)
    assert abs(exact.history["loss"][-1] - rounded.history["loss"][-1]) < 0.05


def test_whole_numbers_are_read_as_float64(problem, same_bits):
    z, y = problem
    x = np.round(far(z)).astype(np.int64)
    result = tl.train(x, y, **OPTIONS)
    assert same_bits(result.network, tl.train(x.astype(float), y, **OPTIONS).network)
    near = tl.train(z, y, **OPTIONS)  # rounding to whole seconds moves z by 1/120 at most
    np.testing.assert_allclose(result.history["loss"], near.history["loss"], rtol=0.05)
    columns_first = np.asfortranarray(x.astype(float))
    assert same_bits(result.network, tl.train(columns_first, y, **OPTIONS).network)


def test_a_cutout_leaves_zeros():
    """Of images of one pixel the whole: weights that see nothing but zeros stay as they are."""
    x = far(np.random.default_rng(3).normal(size=(50, 1)))
    y = np.arange(50) % 2
    for backend in (tl, tl.reference):
        result = backend.train(
            x,
            y,
            hidden_sizes=(),
            normalize=(MEAN + 1 / 3, 1e-3),  # a shift that float32 does not hold
            augment=tl.Augment((1, 1, 1), flip=False, cutout=1),
            optimizer="sgd",
            learning_rate=1.0,
            init=0.0,
            batch_size=50,
            max_steps=1,
            dtype="float32",
            progress=False,
        )
        weights, _ = result.network.parameters[0]
        assert not weights.any()


def test_a_file_keeps_them(problem, tmp_path):
    z, y = problem
    network = tl.train(far(z), y, **OPTIONS).network
    network.save(tmp_path / "network.npz")
    found = tl.load(tmp_path / "network.npz")
    np.testing.assert_array_equal(found.forward(far(z)), network.forward(far(z)))


def test_sparse_rows_are_scaled_as_dense_ones(same_bits):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 50)) * (rng.random((300, 50)) < 0.2) * 1e3
    y = rng.integers(0, 3, 300)
    options = OPTIONS | {"normalize": "scale", "epochs": 3}
    dense = tl.train(x, y, **options).network
    assert same_bits(dense, tl.train(sparse.csr_array(x), y, **options).network)


SCRIPT = f"""
import hashlib, sys
import numpy as np
import twolayer_ext as tl
rng = np.random.default_rng(0)
x = rng.normal(size=(700, 300)) * {SPREAD} + {MEAN}
y = rng.integers(0, 5, 700)
for threads in (1, 2, 3):
    for layout in (x, np.asfortranarray(x)):
        result = tl.train(layout, y, hidden_sizes=(100,), epochs=2, batch_size=200, threads=threads,
                          dtype="float32", progress=False)
        content = b"".join(a.tobytes() for pair in result.network.parameters for a in pair)
        content += result.network.forward(layout, threads=threads).tobytes()
        print(hashlib.sha256(content).hexdigest())
"""


def test_the_same_bits_of_all_targets_and_teams():
    hashes = set()
    for isa in supported_targets():
        done = run_python("-c", SCRIPT, isa=isa)
        assert done.returncode == 0, done.stderr
        hashes |= set(done.stdout.split())
    assert len(hashes) == 1
