"""Weights and biases as lists of arrays, and as the compiled core holds them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from twolayer_ext import _core
from twolayer_ext.checks import Array


def make(
    coefs: Sequence[Array],
    intercepts: Sequence[Array],
    activation: str,
    dtype: str,
    normalization: tuple[Array, Array] | None = None,
) -> _core.Network:
    """Return a network of these layers, which reads (x - shift) / scale if there are the two."""
    sizes = [np.shape(coefs[0])[0], *(np.shape(coef)[1] for coef in coefs)]
    core = _core.Network(sizes, activation, dtype)
    if normalization is not None:
        core.set_normalization(*normalization)
    put(core, coefs, intercepts)
    return core


def put(core: _core.Network, coefs: Sequence[Array], intercepts: Sequence[Array]) -> None:
    """Give the network these weights (D, H) and biases (H,), rounded to its dtype."""
    for i, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        weights = np.ascontiguousarray(coef, core.dtype)
        core.set_layer(i, weights, np.ascontiguousarray(intercept, core.dtype))


def get(core: _core.Network) -> tuple[list[Array], list[Array]]:
    """Return copies of the network's weights and biases."""
    layers = [core.layer(i) for i in range(len(core.layer_sizes) - 1)]
    return [weights for weights, _ in layers], [bias for _, bias in layers]


def dtype_of(*arrays: Any) -> str:
    """Return "float32" if all of the arrays are, else "float64"."""
    single = all(getattr(array, "dtype", None) == np.float32 for array in arrays)
    return "float32" if single else "float64"


def pack(coefs: Sequence[Array], intercepts: Sequence[Array]) -> Array:
    """Return all of them in one vector of float64, the weights first."""
    return np.concatenate([np.ravel(a) for a in (*coefs, *intercepts)]).astype(np.float64)


def unpack(packed: Array, sizes: Sequence[int]) -> tuple[list[Array], list[Array]]:
    """Return views of what `pack` has put together."""
    coefs, intercepts, start = [], [], 0
    for inputs, outputs in pairwise(sizes):
        coefs.append(packed[start : start + inputs * outputs].reshape(inputs, outputs))
        start += inputs * outputs
    for outputs in sizes[1:]:
        intercepts.append(packed[start : start + outputs])
        start += outputs
    return coefs, intercepts
