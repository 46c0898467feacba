"""Random numbers by counter, and what training draws from them, in NumPy.

The twin of ``kernels/random.hpp``, ``augment.hpp`` and ``between.hpp``'s dropout: number i of a
stream depends on the stream's key and on i alone, so it does not matter who draws it, or when.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array

_ALL_KEPT = 65536
_PANEL = 32  # columns that the kernels draw for together
_FEW = 64  # numbers that 12 bits decide among evenly
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Chance(IntEnum):
    """What random numbers of a training run are for."""

    DROPOUT = 1
    AUGMENTATION = 2


def random_bits(key: int, counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 64 random bits for each counter: SplitMix64 (Steele, Lea and Flood 2014)."""
    z = np.array([key], np.uint64) + (counters + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return np.asarray(z ^ (z >> np.uint64(31)))


def _one(key: int, counter: int) -> int:
    return int(random_bits(key, np.array([counter], np.uint64))[0])


def key_of(seed: int, purpose: Chance, step: int) -> int:
    """Return the key of what is drawn for one purpose at one step of training."""
    return _one(_one(seed, purpose), step)


def dropout_mask(share: float, seed: int, step: int, layer: int, shape: tuple[int, int]) -> Array:
    """Return 0 or 1 / (share kept) for each output (N, H) of a hidden layer.

    The share is rounded to a multiple of 1 / 65536.
    """
    samples, outputs = shape
    threshold = round(_ALL_KEPT * (1 - share))
    draws = -(-outputs // _PANEL) * _PANEL // 4  # a sample's; four numbers of 16 bits in each
    key = _one(key_of(seed, Chance.DROPOUT, step), layer)
    bits = random_bits(key, np.arange(samples * draws, dtype=np.uint64))
    numbers = bits[:, np.newaxis] >> np.array([0, 16, 32, 48], np.uint64) & np.uint64(0xFFFF)
    below = numbers.reshape(samples, draws * 4)[:, :outputs] < threshold
    return np.where(below, _ALL_KEPT / threshold, 0.0)


def augmented(
    x: Array,
    image_shape: tuple[int, int, int],
    *,
    flip: bool,
    shift: int,
    cutout: int,
    blank: Array,
    seed: int,
    step: int,
) -> Array:
    """Return rows (N, D) of images changed at random, each in its own way.

    Parameters
    ----------
    x : ndarray, shape (N, D)
    image_shape : (channels, height, width)
        Their product is D.
    flip : bool
        Mirror half of the images left to right.
    shift : int
        Move each by up to so many pixels up or down, left or right; reflected at the edges.
    cutout : int
        Side of a square, whose centre lies anywhere in the image, that is replaced by `blank`.
    blank : ndarray, shape (D,)
        In x's dtype.
    seed, step : int
        Decide what is drawn.
    """
    _, height, width = image_shape
    images = x.reshape(len(x), *image_shape)
    blanks = blank.reshape(image_shape)
    result = np.empty_like(images)
    key = key_of(seed, Chance.AUGMENTATION, step)
    for n, drawn in enumerate(random_bits(key, np.arange(len(x), dtype=np.uint64))):
        bits = int(drawn)
        down, right = (draw(bits, at, 2 * shift + 1) - shift for at in (4, 16))
        rows = _reflected(np.arange(height) + down, height)
        columns = _reflected(np.arange(width) + right, width)
        image = images[n, :, :, ::-1] if flip and bits & 1 else images[n]
        result[n] = image[:, rows][:, :, columns]
        if cutout:
            top = draw(bits, 28, height) - cutout // 2
            left = draw(bits, 40, width) - cutout // 2
            square = (
                slice(None),
                slice(max(0, top), top + cutout),
                slice(max(0, left), left + cutout),
            )
            result[n][square] = blanks[square]
    return result.reshape(x.shape)


def mirrored(x: Array, image_shape: Sequence[int]) -> Array:
    """Return rows (N, D) of images mirrored left to right."""
    return x.reshape(len(x), *image_shape)[..., ::-1].reshape(x.shape)


def draw(bits: int, at: int, count: int) -> int:
    """Return a number in [0, count): of few from 12 of the bits, else drawn with them for a key."""
    if count <= _FEW:
        return (bits >> at & 0xFFF) * count >> 12
    return (_one(bits, at) >> 32) * count >> 32


def _reflected(i: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Mirror positions outside [0, size) at the first or the last, which are not repeated."""
    return np.where(i < 0, -i, np.where(i < size, i, 2 * (size - 1) - i))
