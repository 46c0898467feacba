"""Activations: the twins of kernels/activations, in NumPy.

An activation is an object with a name, a value and a derivative; `ACTIVATIONS` holds them in the
order of the C++ list. The definitions are PyTorch's, but that softplus has no threshold from which
it is z itself. Infinities give the limits, nothing overflows, NaN stays NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from twolayer_ext.checks import Array

ActivationName: TypeAlias = Literal[
    "identity", "relu", "tanh", "logistic", "leaky_relu", "elu", "selu", "softplus", "gelu",
    "gelu_tanh", "silu", "mish",
]  # fmt: skip

LEAKY_RELU_SLOPE = 0.01  # below zero
# Klambauer et al. 2017, "Self-normalizing neural networks", appendix 2.
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
# Hendrycks and Gimpel 2016, "Gaussian error linear units", section 2.
_GELU_CUBIC = 0.044715


@dataclass(frozen=True)
class Activation:
    """One activation f.

    Attributes
    ----------
    name : str
    value : callable
        z (N, H) to a = f(z) (N, H), of z's dtype.
    derivative : callable
        (z, a), both (N, H), to f'(z) (N, H): from a where that is enough, as the kernel does it,
        else from z.
    init : {"he", "lecun", "glorot"}
        How the weights before it are drawn unless the user says otherwise: he where about half of
        the signal is cut off, lecun for selu, as its paper has it, else glorot.
    """

    name: str
    value: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]
    init: Literal["he", "lecun", "glorot"]


def _logistic(z: Array) -> Array:
    e = np.exp(-np.abs(z))  # never overflows
    return np.asarray(np.where(z >= 0, 1, e) / (1 + e))


def _expm1_below(z: Array) -> Array:
    """Return exp(z) - 1 where z is negative, else 0 (and exp is not computed)."""
    return np.asarray(np.expm1(np.minimum(z, 0)))


_erfc = np.frompyfunc(math.erfc, 1, 1)  # NumPy has none


def _normal_tail(y: Array) -> Array:
    """Return the chance that a standard normal number exceeds y."""
    return np.asarray(_erfc(y / math.sqrt(2)), dtype=y.dtype) / 2


def _normal_density(y: Array) -> Array:
    return np.asarray(np.exp(-0.5 * y * y) / math.sqrt(2 * math.pi))


# Gelu, gelu_tanh and silu are z s(z) with s(z) + s(-z) = 1: f(z) = max(z, 0) - y s(-y) at y = |z|,
# and f'(z) is s(-y) - y s'(y) below zero and 1 less that above, so that nothing cancels in the
# tails. `y` stops where s(-y) is 0, for infinity times 0 is no limit.


def _gated(z: Array, limit: float, tail: Callable[[Array], Array]) -> Array:
    """Return z s(z), given `tail`, s(-y)."""
    y = np.minimum(np.abs(z), limit)
    return np.asarray(np.maximum(z, 0) - y * tail(y))


def _gated_derivative(z: Array, limit: float, below: Callable[[Array], Array]) -> Array:
    """Return its derivative, given `below`, the derivative at -y."""
    at_minus_y = below(np.minimum(np.abs(z), limit))
    return np.asarray(np.where(z > 0, 1 - at_minus_y, at_minus_y))


def _gelu_derivative_below(y: Array) -> Array:
    return np.asarray(_normal_tail(y) - y * _normal_density(y))


def _gelu_tanh_argument(y: Array) -> Array:
    """Return twice what tanh is taken of: v, where (1 + tanh(v / 2)) / 2 is logistic(v)."""
    return np.asarray(2 * math.sqrt(2 / math.pi) * (y + _GELU_CUBIC * y**3))


def _gelu_tanh_derivative_below(y: Array) -> Array:
    v = _gelu_tanh_argument(y)
    dv = 2 * math.sqrt(2 / math.pi) * (1 + 3 * _GELU_CUBIC * y * y)
    return np.asarray(_logistic(-v) * (1 - y * dv * _logistic(v)))


def _silu_derivative_below(y: Array) -> Array:
    return np.asarray(_logistic(-y) * (1 - y * _logistic(y)))


def _softplus(z: Array) -> Array:
    return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


def _mish_gate(z: Array) -> tuple[Array, Array]:
    """Return s(z) = tanh(softplus(z)) and s'(z).

    With u = 1 + exp(z), s = (u^2 - 1) / (u^2 + 1) and s' = 4 u (u - 1) / (u^2 + 1)^2; above zero
    numerators and denominators are divided by exp(2 z), or exp(4 z).
    """
    e = np.exp(-np.abs(z))
    above = z > 0
    numerator = np.where(above, 1 + 2 * e, e * (2 + e))
    denominator = numerator + np.where(above, 2 * e * e, 2)
    rise = np.where(above, e * e, e) * (1 + e) * 4 / denominator**2
    return np.asarray(numerator / denominator), np.asarray(rise)


_FAR = 750.0  # exp(-750) is 0


def _mish(z: Array) -> Array:
    return np.asarray(np.maximum(z, -_FAR) * _mish_gate(z)[0])


def _mish_derivative(z: Array, a: Array) -> Array:
    gate, rise = _mish_gate(z)
    return np.asarray(gate + np.clip(z, -_FAR, _FAR) * rise)


_ALL = (
    Activation("identity", lambda z: z, lambda z, a: np.ones_like(a), "glorot"),
    Activation(
        "relu", lambda z: np.maximum(z, 0), lambda z, a: np.asarray((a > 0).astype(a.dtype)), "he"
    ),
    Activation("tanh", lambda z: np.asarray(np.tanh(z)), lambda z, a: 1 - a * a, "glorot"),
    Activation("logistic", _logistic, lambda z, a: np.asarray(a * (1 - a)), "glorot"),
    Activation(
        "leaky_relu",
        lambda z: np.maximum(LEAKY_RELU_SLOPE * z, z),
        lambda z, a: np.where(a > 0, 1, LEAKY_RELU_SLOPE).astype(a.dtype),
        "he",
    ),
    Activation(
        "elu",
        lambda z: np.where(z > 0, z, _expm1_below(z)),
        lambda z, a: np.where(a > 0, 1, a + 1),
        "he",
    ),
    Activation(
        "selu",
        lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * _expm1_below(z)),
        lambda z, a: np.where(a > 0, SELU_SCALE, a + SELU_SCALE * SELU_ALPHA),
        "lecun",
    ),
    Activation("softplus", _softplus, lambda z, a: np.asarray(-np.expm1(-a)), "he"),
    Activation(
        "gelu",
        lambda z: _gated(z, 40.0, _normal_tail),
        lambda z, a: _gated_derivative(z, 40.0, _gelu_derivative_below),
        "he",
    ),
    Activation(
        "gelu_tanh",
        lambda z: _gated(z, 40.0, lambda y: _logistic(-_gelu_tanh_argument(y))),
        lambda z, a: _gated_derivative(z, 40.0, _gelu_tanh_derivative_below),
        "he",
    ),
    Activation(
        "silu",
        lambda z: _gated(z, _FAR, lambda y: _logistic(-y)),
        lambda z, a: _gated_derivative(z, _FAR, _silu_derivative_below),
        "he",
    ),
    Activation("mish", _mish, _mish_derivative, "he"),
)

ACTIVATIONS: dict[str, Activation] = {activation.name: activation for activation in _ALL}
