"""Random streams: every random draw of the package comes from (seed, purpose, key)."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for. The numbers are part of what a seed means: never renumber them."""

    INIT = 0
    SHUFFLE = 1
    SPLIT = 2
    SWEEP = 3


def generator(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """Return the generator of one purpose, independent of all others of the same seed.

    The bit generator is named, not left to NumPy's default, so that a seed keeps its meaning.

    Parameters
    ----------
    seed : int
        Not negative.
    purpose : Purpose
        What the numbers are for.
    *key : int
        Tells streams of one purpose apart: the epoch, for shuffling; the configuration, for sweeps.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(purpose), *key])))
