"""Backpropagation against central differences, 1 to 5 layers; and the check itself."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import twolayer_ext as tl

# A difference of losses near 1 is good to about 1e-16 / h; the relative error is taken of each
# element, so no gradient may be much smaller than 1e-3, and no relu near its kink. Of the first
# sixty seeds these are the best for it. At this h rounding and truncation (h²) balance.
H = 3e-5
SEEDS = {
    "relu": (44, 48, 50, 0, 37),
    "tanh": (44, 56, 17, 57, 8),
    "logistic": (44, 13, 54, 57, 19),
    "identity": (44, 0, 9, 35, 39),
}


def problem(backend, layers, activation, dtype="float64", seed=None):
    rng = np.random.default_rng(SEEDS[activation][layers - 1] if seed is None else seed)
    sizes = (3, *[4] * (layers - 1), 3)
    net = backend.Network(sizes, activation=activation, dtype=dtype)
    net.set_parameters(
        [
            (1.5 / np.sqrt(len(w)) * rng.normal(size=w.shape), 0.5 * rng.normal(size=b.shape))
            for w, b in net.parameters
        ]
    )
    return net, rng.normal(size=(4, 3)), rng.integers(0, 3, 4)


@pytest.mark.parametrize("activation", SEEDS)
@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5])
def test_against_central_differences(backend, layers, activation):
    report = tl.check_gradients(*problem(backend, layers, activation), reg=0.05, h=H)
    assert report.passed(1e-8), str(report)


def test_uint8_and_normalisation(backend, pixels):
    x, y = pixels[0][:5, :6], pixels[1][:5]
    net = backend.Network((6, 5), dtype="float64", normalize=(127.5, 74), seed=3)
    report = tl.check_gradients(net, x, y, reg=0.05, h=H)
    # The smallest gradients here are about 1e-3, ten times below those of the nets above.
    assert report.passed(1e-7), str(report)


def test_a_wrong_gradient_is_found(monkeypatch):
    net, x, y = problem(tl.reference, 2, "tanh")
    engine = type(net.core)
    right = engine.loss_and_gradients

    def wrong(self, *arguments, **techniques):
        loss, gradients = right(self, *arguments, **techniques)
        gradients[1][0][2, 1] *= 1.001
        return loss, gradients

    monkeypatch.setattr(engine, "loss_and_gradients", wrong)
    report = tl.check_gradients(net, x, y, h=H)
    errors = {p.name: p.max_relative_error for p in report.parameters}
    assert errors.pop("W2") == pytest.approx(0.0005, rel=0.01)
    assert max(errors.values()) < 1e-7
    assert report.max_relative_error == pytest.approx(0.0005, rel=0.01)
    assert not report.passed(1e-4)


def test_report(backend):
    report = tl.check_gradients(*problem(backend, 2, "tanh"))
    assert [(p.name, p.shape) for p in report.parameters] == [
        ("W1", (3, 4)), ("b1", (4,)), ("W2", (4, 3)), ("b2", (3,)),
    ]  # fmt: skip
    lines = str(report).splitlines()
    assert lines[0].split() == ["parameter", "shape", "max", "relative", "error"]
    assert lines[1].split()[:4] == ["W1", "3", "x", "4"]
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == 5


def test_float32_network_is_checked_in_float64_and_left_alone(backend, same_bits):
    net, x, y = problem(backend, 2, "tanh", dtype="float32")
    before = copy.deepcopy(net)
    assert tl.check_gradients(net, x, y, h=H).passed(1e-7)
    assert same_bits(net, before)
    assert net.dtype == "float32"


def test_wrong_arguments(backend):
    net, x, y = problem(backend, 2, "tanh")
    with pytest.raises(ValueError, match="h: 0; must be finite and above 0"):
        tl.check_gradients(net, x, y, h=0)
    for h in (1e-300, 1e-16):
        with pytest.raises(
            ValueError, match=f"h: {h}; must be at least 4e-16, or rounding hides it"
        ):
            tl.check_gradients(net, x, y, h=h)
    big = copy.deepcopy(net)
    big.set_parameters([(w * 1e9, b) for w, b in net.parameters])
    with pytest.raises(ValueError, match="h: 1e-08; must be at least"):
        tl.check_gradients(big, x, y, h=1e-8)
    with pytest.raises(ValueError, match="reg: -1"):
        tl.check_gradients(net, x, y, reg=-1)
    with pytest.raises(ValueError, match="y: 3 in row"):
        tl.check_gradients(net, x, y * 0 + 3)
    with pytest.raises(TypeError, match="net: str; must be a Network"):
        tl.check_gradients("net", x, y)
