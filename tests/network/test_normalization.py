from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from twolayer_ext.network import normalization

EPS = np.finfo(np.float64).eps


def exact_moments(x):
    columns = [[Fraction(float(v)) for v in column] for column in x.T]
    means = [sum(c) / len(c) for c in columns]
    variances = [sum((v - m) ** 2 for v in c) / len(c) for c, m in zip(columns, means, strict=True)]
    return np.array([float(m) for m in means]), np.sqrt([float(v) for v in variances])


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("subset", [False, True])
def test_against_exact_fractions(dtype, subset):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (700, 3)).astype(dtype)
    if dtype != "uint8":
        x += rng.random((700, 3)).astype(dtype)
    rows = np.sort(rng.permutation(700)[:333]) if subset else None
    mean, deviation = exact_moments(x if rows is None else x[rows])
    shift, scale = normalization.from_data("standard", x, rows, "float64")
    # Sums of up to 700 terms of one sign: at most that many roundings.
    np.testing.assert_allclose(shift, mean, rtol=700 * EPS)
    np.testing.assert_allclose(scale, deviation, rtol=700 * EPS)
    shift, scale = normalization.from_data("center", x, rows, "float64")
    np.testing.assert_allclose(shift, mean, rtol=700 * EPS)
    assert (scale == 1).all()


def test_uint8_is_exact():
    x = np.random.default_rng(1).integers(0, 256, (1000, 5), dtype=np.uint8)
    mean, deviation = exact_moments(x)
    shift, scale = normalization.from_data("standard", x, None, "float32")
    np.testing.assert_array_equal(shift, mean)
    np.testing.assert_array_equal(scale, deviation)


def test_many_blocks():
    x = np.random.default_rng(2).normal(size=(5000, 300)) + 1e3
    shift, scale = normalization.from_data("standard", x, None, "float64")
    np.testing.assert_allclose(shift, x.mean(axis=0), rtol=5000 * EPS)
    np.testing.assert_allclose(scale, x.std(axis=0), rtol=5000 * EPS)


def test_large_offset_costs_no_digits():
    x = np.random.default_rng(3).normal(size=(500, 4))
    _, expected = normalization.from_data("standard", x, None, "float64")
    _, scale = normalization.from_data("standard", x + 1e8, None, "float64")
    # The offset itself rounds the values, to 1e8 eps; the deviation averages that.
    np.testing.assert_allclose(scale, expected, rtol=1e8 * EPS)


@pytest.mark.parametrize("value", [0, 7, 0.1, 1e30])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_constant_feature_gets_scale_one(value, dtype):
    if dtype == "uint8" and value != int(value) % 256:
        value = 255
    x = np.random.default_rng(4).integers(0, 9, (1001, 2)).astype(dtype)
    x[:, 1] = value
    shift, scale = normalization.from_data("standard", x, None, "float32")
    assert scale[1] == 1
    assert shift[1] == x[0, 1]


def test_deviation_too_small_for_float32_counts_as_none():
    x = np.array([[0.0], [1e-42]])
    assert normalization.from_data("standard", x, None, "float32")[1] == 1
    assert normalization.from_data("standard", x, None, "float64")[1] == pytest.approx(5e-43)


def test_values_too_large_to_average():
    x = np.array([[1e200], [-1e200]])
    with pytest.raises(ValueError, match="x: values too large"):
        normalization.from_data("standard", x, None, "float64")


def test_pairs():
    shift, scale = normalization.check((127.5, np.array([1, 2, 4])), features=3, dtype="float32")
    np.testing.assert_array_equal(shift, [127.5] * 3)
    np.testing.assert_array_equal(scale, [1, 2, 4])
    shift, scale = normalization.check(None, features=2, dtype="float32")
    np.testing.assert_array_equal([shift, scale], [[0, 0], [1, 1]])


@pytest.mark.parametrize(
    "normalize",
    [
        "zscore",
        (1.0,),
        (1.0, 2.0, 3.0),
        (0.0, 0.0),
        (0.0, [1, 0, 1]),
        (np.nan, 1.0),
        (0.0, np.inf),
        (0.0, 1e-40),
        (1e39, 1.0),
        ([1, 2], 1.0),
        (0.0, np.ones((3, 1))),
    ],
)
def test_wrong_values(normalize):
    with pytest.raises(ValueError, match=r"^normalize: "):
        normalization.check(normalize, features=3, dtype="float32")


@pytest.mark.parametrize("normalize", [1.0, np.ones((2, 3)), ("a", 1.0), (0.0, None), (0.0, 1j)])
def test_wrong_types(normalize):
    with pytest.raises(TypeError, match=r"^normalize: "):
        normalization.check(normalize, features=3, dtype="float32")
