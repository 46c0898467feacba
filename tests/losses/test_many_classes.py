"""Softmax and cross-entropy over many classes: the sum's error does not grow with their number."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl
from python_targets import run_python, supported_targets


def far_apart(classes, dtype, rows=20):
    rng = np.random.default_rng(classes)
    network = tl.Network((4, classes), dtype=dtype, init=1.0)
    x = rng.normal(size=(rows, 4)).astype("float32")
    return network, x, rng.integers(0, classes, rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [129, 1000, 100_000])
def test_probabilities_sum_to_one(classes, dtype):
    network, x, _ = far_apart(classes, dtype)
    sums = network.predict_proba(x).astype(np.longdouble).sum(axis=1)
    # The sum, its inverse and each product with that are rounded once: 3/2 eps at most; the
    # corrections' own rounding is of the second order.
    np.testing.assert_allclose(sums, 1, rtol=0, atol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("classes", [129, 1000, 100_000])
def test_loss_and_bias_gradients_as_in_float64(classes, smoothing):
    network, x, y = far_apart(classes, "float32")
    loss, gradients = network.loss_and_gradients(x, y, label_smoothing=smoothing)
    z = network.forward(x).astype(np.float64)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    q = smoothing / classes + (1 - smoothing) * (y[:, np.newaxis] == np.arange(classes))
    eps = float(np.finfo("float32").eps)
    assert loss == pytest.approx(-(q * np.log(a)).sum(axis=1).mean(), rel=4 * eps)
    bias = gradients[-1][1].astype(np.longdouble)
    # The logit less the largest is rounded before exp; then come a few roundings, and 20 sums.
    size = np.abs(z - z.max(axis=1, keepdims=True)).max()
    np.testing.assert_allclose(bias, (a - q).mean(axis=0), rtol=0, atol=(20 + size) * eps / 20)
    # Over the classes a sums to 1 within 2 eps, as q does: so their differences sum to nearly 0.
    assert abs(bias.sum()) < 4 * eps


SCRIPT = """
import hashlib
import numpy as np
import twolayer_ext as tl
rng = np.random.default_rng(0)
x, y = rng.normal(size=(90, 8)), rng.integers(0, 1000, 90)
for dtype in ("float32", "float64"):
    content = b""
    for classes in (128, 129, 160, 1000):
        network = tl.Network((8, classes), dtype=dtype, init=1.0)
        loss, gradients = network.loss_and_gradients(x, y % classes, label_smoothing=0.1, threads=2)
        content += str(loss).encode() + gradients[0][0].tobytes() + gradients[0][1].tobytes()
        content += network.predict_proba(x).tobytes()
    print(dtype, hashlib.sha256(content).hexdigest())
"""


def test_the_same_bits_of_all_targets():
    outputs = set()
    for isa in supported_targets():
        done = run_python("-c", SCRIPT, isa=isa)
        assert done.returncode == 0, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1
