"""bfloat16 compute in NumPy: how the twin rounds what its products read.

The sums themselves are of the array's own dtype.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from twolayer_ext.checks import Array


def round_to_bfloat16(a: Array) -> Array:
    """Return `a` rounded to the nearest bfloat16, ties to even, in its own dtype.

    A bfloat16 is the upper half of a float32: sign, 8 bits of exponent, 7 of the fraction.
    """
    bits = np.asarray(a, np.float32).view(np.uint32)
    nearest = bits + np.uint32(0x7FFF) + (bits >> 16 & 1)  # a carry goes into the exponent
    rounded = (nearest & np.uint32(0xFFFF0000)).view(np.float32)
    return np.asarray(np.where(np.isnan(a), a, rounded), a.dtype)


class Operands:
    """What the products of a network read: here the numbers themselves."""

    def input(self, layer: int, a: Array) -> Array:
        """Return layer's input (N, D) as products read it."""
        return a

    def weights(self, layer: int, w: Array) -> Array:
        """Return layer's weights (D, H) as products read them."""
        return w

    def gradient(self, delta: Array) -> Array:
        """Return a gradient of pre-activations (N, H) as products read it."""
        return delta


class Bfloat16Operands(Operands):
    """Everything rounded to bfloat16, but bytes on their way into the network.

    Those are exact as they are; so with ``x (N, D)`` of bytes the first product is
    ``(x - shift) @ round(W / scale)``, its gradient ``((x - shift)ᵀ @ round(delta)) / scale``.

    Parameters
    ----------
    byte_scale : ndarray, shape (D,), optional
        The network's input scale if it reads bytes.
    """

    def __init__(self, byte_scale: Array | None) -> None:
        self.byte_scale = byte_scale

    @classmethod
    def reading(cls, x: Array, scale: Array) -> Self:
        """Return the operands for a network with input `scale` that reads rows of `x`."""
        return cls(scale[:, np.newaxis] if x.dtype == np.uint8 else None)

    def input(self, layer: int, a: Array) -> Array:
        """See `Operands`."""
        return a if layer == 0 and self.byte_scale is not None else round_to_bfloat16(a)

    def weights(self, layer: int, w: Array) -> Array:
        """See `Operands`."""
        if layer > 0 or self.byte_scale is None:
            return round_to_bfloat16(w)
        return round_to_bfloat16(w / self.byte_scale) * self.byte_scale

    def gradient(self, delta: Array) -> Array:
        """See `Operands`."""
        return round_to_bfloat16(delta)
