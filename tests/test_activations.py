"""Activations against PyTorch, against formulas of single numbers, and at their limits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from twolayer_ext.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE

GRID = np.concatenate(
    [np.linspace(-12, 12, 961), np.linspace(-40, 40, 81), [1e-300, -1e-300, 1e-9, -1e-9, -0.0]]
)


def logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else math.exp(z)


def gelu_tanh_argument(z: float) -> float:
    return 2 * math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


def log_1_exp(z: float) -> float:
    return math.log1p(math.exp(z))


# Written for relative accuracy at z < 0, where PyTorch's formulas cancel.
BELOW_ZERO: dict[str, Callable[[float], float]] = {
    "identity": lambda z: z,
    "relu": lambda z: 0.0,
    "tanh": math.tanh,
    "logistic": logistic,
    "leaky_relu": lambda z: 0.01 * z,
    "elu": math.expm1,
    "selu": lambda z: SELU_SCALE * SELU_ALPHA * math.expm1(z),
    "softplus": log_1_exp,
    "gelu": lambda z: z * math.erfc(-z / math.sqrt(2)) / 2,
    "gelu_tanh": lambda z: z * logistic(gelu_tanh_argument(z)),
    "silu": lambda z: z * logistic(z),
    "mish": lambda z: z * math.tanh(log_1_exp(z)),
}
# Likewise, of those that are taken from z.
SLOPE_BELOW_ZERO: dict[str, Callable[[float], float]] = {
    "gelu": lambda z: (
        math.erfc(-z / math.sqrt(2)) / 2 + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    ),
    "gelu_tanh": lambda z: (
        logistic(gelu_tanh_argument(z))
        * (
            1
            + (z * 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z))
            * logistic(-gelu_tanh_argument(z))
        )
    ),
    "silu": lambda z: logistic(z) * (1 + z * logistic(-z)),
    "mish": lambda z: math.tanh(log_1_exp(z)) + z * logistic(z) / math.cosh(log_1_exp(z)) ** 2,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_as_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    f = torch.nn.functional
    functions = {
        "identity": lambda z: z * 1,
        "leaky_relu": f.leaky_relu,
        "logistic": torch.sigmoid,
        "tanh": torch.tanh,
        "softplus": lambda z: f.softplus(z, threshold=100.0),
        "gelu_tanh": lambda z: f.gelu(z, approximate="tanh"),
    }
    z = torch.tensor(GRID, requires_grad=True)
    a = functions.get(name, getattr(f, name, None))(z)
    a.sum().backward()
    ours = ACTIVATIONS[name]
    # PyTorch's own 1 + erf and 1 + tanh cancel: what they lose is multiplied by z up to 12.
    tolerance = {"rtol": 1e-12, "atol": 1e-14}
    value = ours.value(GRID)
    np.testing.assert_allclose(value, a.detach().numpy(), **tolerance)
    np.testing.assert_allclose(ours.derivative(GRID, value), z.grad.numpy(), **tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_tails_to_relative_accuracy(name: str) -> None:
    # An exponent is itself rounded, which costs as many units as it is large: up to 700.
    z = -np.concatenate([np.linspace(0, 20, 401), np.linspace(21, 37, 17)])
    ours = ACTIVATIONS[name]
    value = ours.value(z)
    expected = [BELOW_ZERO[name](float(v)) for v in z]
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-307)
    if name in SLOPE_BELOW_ZERO:
        expected = [SLOPE_BELOW_ZERO[name](float(v)) for v in z]
        got = ours.derivative(z, value)
        # Around -1 the terms cancel in both.
        close = (z < -2) | (z == 0)
        np.testing.assert_allclose(got[close], np.array(expected)[close], rtol=1e-11, atol=1e-307)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-15)


# At minus infinity; at infinity each is z itself, or what stands second.
LIMITS = {
    "identity": (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "tanh": (-1.0, 1.0),
    "logistic": (0.0, 1.0),
    "leaky_relu": (-math.inf, math.inf),
    "elu": (-1.0, math.inf),
    "selu": (-SELU_SCALE * SELU_ALPHA, math.inf),
    "softplus": (0.0, math.inf),
    "gelu": (0.0, math.inf),
    "gelu_tanh": (0.0, math.inf),
    "silu": (0.0, math.inf),
    "mish": (0.0, math.inf),
}
SLOPES_AT_INFINITY = {"identity": (1.0, 1.0), "leaky_relu": (0.01, 1.0), "selu": (0.0, SELU_SCALE)}
FLAT = {"tanh", "logistic"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_limits(name: str, dtype: type) -> None:
    ours = ACTIVATIONS[name]
    z = np.array([[-math.inf, math.inf]], dtype)
    slopes = SLOPES_AT_INFINITY.get(name, (0.0, 0.0) if name in FLAT else (0.0, 1.0))
    value = ours.value(z)
    np.testing.assert_array_equal(value, np.array([LIMITS[name]], dtype))
    tolerance = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(ours.derivative(z, value), [slopes], rtol=tolerance, atol=tolerance)
    # As good as infinite.
    for far in (100.0, 1e3, 1e10, 1e30):
        z = np.array([[-far, far]], dtype)
        value = ours.value(z)
        assert value.dtype == dtype
        below, above = LIMITS[name]
        expected = [
            [
                (0.01 if name == "leaky_relu" else 1) * -far if below == -math.inf else below,
                far * (SELU_SCALE if name == "selu" else 1) if above == math.inf else above,
            ]
        ]
        np.testing.assert_allclose(value, expected, rtol=4 * tolerance, atol=1e-40)
        slope = ours.derivative(z, value)
        assert slope.dtype == dtype
        np.testing.assert_allclose(slope, [slopes], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_stays_nan(name: str) -> None:
    assert np.isnan(ACTIVATIONS[name].value(np.array([math.nan]))).all()


def test_names_and_first_weights() -> None:
    assert list(ACTIVATIONS) == list(LIMITS)
    assert all(name == activation.name for name, activation in ACTIVATIONS.items())
    assert {name for name, activation in ACTIVATIONS.items() if activation.init == "glorot"} == {
        "identity",
        "tanh",
        "logistic",
    }
    assert ACTIVATIONS["selu"].init == "lecun"
