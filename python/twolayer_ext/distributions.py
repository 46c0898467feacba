"""Distributions that `sweep` draws arguments of `train` from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from twolayer_ext import checks

__all__ = ["Distribution", "integer", "log_uniform", "uniform"]


@dataclass(frozen=True)
class Distribution:
    """What `uniform`, `log_uniform` and `integer` return.

    Attributes
    ----------
    text : str
        How it was made, which tells it from others.
    draw : callable
        Takes a ``numpy.random.Generator``; returns a float or an int.
    """

    text: str
    draw: Callable[[np.random.Generator], float] = field(compare=False)

    def __repr__(self) -> str:
        return self.text


def uniform(low: float, high: float) -> Distribution:
    """Every number between `low` and `high` alike.

    Raises
    ------
    ValueError, TypeError
        A bound is not a finite number, or `high` is not above `low`, or so far above that their
        difference is infinite.
    """
    low = checks.number("low", low)
    high = checks.number("high", high, above=low)
    if not math.isfinite(high - low):
        raise ValueError(f"high: {high}; must be less above low, {low}: their difference is inf")
    return Distribution(f"uniform({low!r}, {high!r})", lambda rng: float(rng.uniform(low, high)))


def log_uniform(low: float, high: float) -> Distribution:
    """Every order of magnitude between `low` and `high` alike: the logarithm is uniform.

    Raises
    ------
    ValueError, TypeError
        A bound is not a finite number above 0, or `high` is not above `low`.
    """
    low = checks.number("low", low, above=0)
    high = checks.number("high", high, above=low)

    def draw(rng: np.random.Generator) -> float:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
        return min(max(value, low), high)  # exp(log(low)) may be a bit below low

    return Distribution(f"log_uniform({low!r}, {high!r})", draw)


def integer(low: int, high: int) -> Distribution:
    """Every whole number from `low` to `high` alike, both included.

    Raises
    ------
    ValueError, TypeError
        A bound is not an integer of 64 bits, or `high` is not above `low`.
    """
    limits = np.iinfo(np.int64)
    low = checks.integer("low", low, minimum=int(limits.min))
    high = checks.integer("high", high, minimum=low + 1)
    if high > limits.max:
        raise ValueError(f"high: {high}; must be at most {limits.max}")

    def draw(rng: np.random.Generator) -> int:
        return int(rng.integers(low, high, endpoint=True))

    return Distribution(f"integer({low}, {high})", draw)
