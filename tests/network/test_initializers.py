from __future__ import annotations

import math

import numpy as np
import pytest

from twolayer_ext.network import initializers

SIZES = (400, 300, 200, 10)


def draw(init, activation="relu", seed=0):
    return initializers.parameters(SIZES, init=init, activation=activation, seed=seed)


@pytest.mark.parametrize(
    ("init", "deviation"),
    [
        ("he", lambda d, h: math.sqrt(2 / d)),
        ("lecun", lambda d, h: math.sqrt(1 / d)),
        ("glorot", lambda d, h: math.sqrt(2 / (d + h))),
        (0.25, lambda d, h: 0.25),
    ],
)
def test_mean_and_deviation(init, deviation):
    for w, b in draw(init):
        expected = deviation(*w.shape)
        # Five standard errors; the variance of a squared normal is twice its square.
        assert abs(w.mean()) < 5 * expected / math.sqrt(w.size)
        assert abs(w.var() / expected**2 - 1) < 5 * math.sqrt(2 / w.size)
        assert not b.any()


def test_glorot_is_uniform_within_its_bound():
    for w, _ in draw("glorot"):
        bound = math.sqrt(6 / sum(w.shape))
        assert 0.99 * bound < np.abs(w).max() <= bound


def test_zero_gives_zeros():
    assert not any(w.any() for w, _ in draw(0))


@pytest.mark.parametrize(
    ("activation", "name"),
    [("relu", "he"), ("tanh", "glorot"), ("logistic", "glorot"), ("identity", "glorot")],
)
def test_auto_goes_by_activation(activation, name):
    for (w, _), (v, _) in zip(draw("auto", activation), draw(name), strict=True):
        np.testing.assert_array_equal(w, v)


def test_seed_decides():
    np.testing.assert_array_equal(draw("he", seed=3)[2][0], draw("he", seed=3)[2][0])
    assert (draw("he", seed=3)[0][0] != draw("he", seed=4)[0][0]).all()


def test_float32_and_both_engines_start_from_the_same_draw(backend):
    expected = draw("he")
    for dtype in ("float32", "float64"):
        net = backend.Network(SIZES, init="he", dtype=dtype)
        for (w, b), (v, _) in zip(net.parameters, expected, strict=True):
            np.testing.assert_array_equal(w, v.astype(dtype))
            assert not b.any()


@pytest.mark.parametrize("init", ["xavier", "", -0.1, math.nan, math.inf])
def test_unknown_values(init):
    with pytest.raises(ValueError, match=r"^init: "):
        initializers.check(init)


@pytest.mark.parametrize("init", [None, True, (0.1,)])
def test_other_types(init):
    with pytest.raises(TypeError, match=r"^init: "):
        initializers.check(init)
