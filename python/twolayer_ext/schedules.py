"""Learning-rate schedules: what multiplies the learning rate, step by step.

A schedule is any function ``schedule(step, steps) -> factor``: `step` counts from 0, `steps` is the
number planned for the whole run, and the step's rate is ``learning_rate * factor``. It is called
once for every step, before training begins. The functions here make the common ones; they place
things by their share of the run, so that a schedule fits runs of any length.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from twolayer_ext import checks

__all__ = ["Schedule", "cosine", "one_cycle", "step"]

Schedule: TypeAlias = Callable[[int, int], float]


def step(
    *,
    milestones: Sequence[float] | None = None,
    every: float | None = None,
    factor: float = 0.1,
) -> Schedule:
    """Multiply the learning rate by `factor` now and then; PyTorch's MultiStepLR and StepLR.

    Parameters
    ----------
    milestones : sequence of float in (0, 1)
        Shares of the run after which the rate changes, such as ``(0.5, 0.75)``.
    every : float in (0, 1), instead of milestones
        The same at every multiple of this share: ``1 / 3`` of 30 epochs is every 10 epochs.
    factor : float in (0, 1), default 0.1

    Notes
    -----
    Shares are rounded to the nearest step.

    Raises
    ------
    ValueError, TypeError
        A wrong argument, or not exactly one of `milestones` and `every`.
    """
    factor = checks.number("factor", factor, above=0, below=1)
    if milestones is not None and every is None:
        if isinstance(milestones, str) or not isinstance(milestones, Iterable):
            raise TypeError(
                f"milestones: {milestones!r}; must be a sequence of numbers, such as (0.5, 0.75)"
            )
        places = [
            checks.number(f"milestones[{i}]", place, above=0, below=1)
            for i, place in enumerate(milestones)
        ]
        return lambda step, steps: factor ** sum(step + 0.5 >= place * steps for place in places)
    if every is not None and milestones is None:
        share = checks.number("every", every, above=0, below=1)
        # A share next to nothing gives an infinite quotient, which is no exponent.
        most = sys.float_info.max
        return lambda step, steps: factor ** int(min((step + 0.5) / (share * steps), most))
    raise ValueError(
        f"milestones: {milestones!r} with every: {every!r}; must be exactly one of the two"
    )


def cosine(warmup: float = 0.0, final: float = 0.0) -> Schedule:
    """Let the learning rate fall along half a cosine (Loshchilov and Hutter, 2017, no restarts).

    With t the share of the steps after the warmup that are done, the factor is
    final + (1 - final) (1 + cos πt) / 2, as in PyTorch's CosineAnnealingLR.

    Parameters
    ----------
    warmup : float in [0, 1), default 0
        Share of the run, rounded to w steps, in which the factor first grows linearly:
        1 / (w + 1), 2 / (w + 1), ... up to 1 at the step that follows.
    final : float, 0 or greater, default 0
        The factor at the end of the run, one step after the last.

    Raises
    ------
    ValueError, TypeError
        A wrong argument.
    """
    warmup = checks.number("warmup", warmup, minimum=0, below=1)
    final = checks.number("final", final, minimum=0)

    def schedule(step: int, steps: int) -> float:
        rising = round(warmup * steps)
        if step < rising:
            return (step + 1) / (rising + 1)
        return _along_cosine(1, final, (step - rising) / (steps - rising))

    return schedule


def one_cycle(peak_at: float = 0.3, start: float = 1 / 25, final: float = 1e-4) -> Schedule:
    """Let the learning rate rise to its full value and fall far below where it began.

    Smith and Topin's one-cycle policy (2018) with two halves of a cosine, as PyTorch's OneCycleLR
    with ``div_factor=1/start`` and ``final_div_factor=start/final``; the momentum stays as it is.

    Parameters
    ----------
    peak_at : float in (0, 1), default 0.3
        Share of the run that is spent rising.
    start : float, 0 or greater, default 1/25
        The first step's factor.
    final : float, 0 or greater, default 1e-4
        The last step's factor.

    Raises
    ------
    ValueError, TypeError
        A wrong argument.
    """
    peak_at = checks.number("peak_at", peak_at, above=0, below=1)
    start = checks.number("start", start, minimum=0)
    final = checks.number("final", final, minimum=0)

    def schedule(step: int, steps: int) -> float:
        peak = peak_at * steps - 1
        if step < peak:
            return _along_cosine(start, 1, step / peak)
        return _along_cosine(1, final, (step - peak) / (steps - 1 - peak))

    return schedule


def _along_cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * share)) / 2
