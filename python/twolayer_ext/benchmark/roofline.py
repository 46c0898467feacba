"""What limits a case: arithmetic, memory, or the time that things take however small they are.

The roofline (Williams, Waterman and Patterson, 2009): at an intensity of I operations a byte, a
machine with peak P and bandwidth B does no more than min(P, I B) operations a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from twolayer_ext.benchmark.cases import Case

# A step shorter than this is not about products: waking threads, waits and call overhead, a
# microsecond each, are as long.
_LATENCY_SECONDS = 20e-6
# Of every parameter a step moves at least: read by the forward and the backward product, read and
# written by the update; Adam reads and writes its two moments, too.
_PARAMETER_TRAFFIC = {"sgd": 4, "adam": 8}
_ITEM_SIZE = 4  # float32: parameters, also those of bfloat16 products


@dataclass(frozen=True)
class Roofline:
    """The bound of a case.

    Attributes
    ----------
    bytes_per_step : float
        That must come from memory or go there: rows of data sets, and parameters with their
        optimizer's state, where either is larger than half the cache and so does not stay in it.
    intensity : float
        Operations a byte; infinite if everything stays in the cache.
    bound : float
        GFLOP/s.
    limit : {"arithmetic", "memory", "latency"}
    """

    bytes_per_step: float
    intensity: float
    bound: float
    limit: str


def roofline(case: Case, rows: int, *, peak: float, bandwidth: float, cache: int) -> Roofline:
    """Return what bounds a case on `rows` rows of uint8; GFLOP/s and GB/s in, bytes for cache."""
    data = rows * case.layer_sizes[0]
    moved = case.batch_size * case.layer_sizes[0] if data > cache / 2 else 0
    copies = 3 if case.optimizer == "adam" and case.task == "train" else 1
    if case.weights * copies * _ITEM_SIZE > cache / 2:
        traffic = 1 if case.task == "predict" else _PARAMETER_TRAFFIC[case.optimizer]
        moved += case.weights * traffic * _ITEM_SIZE
    flops = case.flops_per_sample * case.batch_size
    intensity = flops / moved if moved else math.inf
    bound = min(peak, intensity * bandwidth)
    if flops / (bound * 1e9) < _LATENCY_SECONDS:
        limit = "latency"
    else:
        limit = "arithmetic" if bound == peak else "memory"
    return Roofline(moved, intensity, bound, limit)
