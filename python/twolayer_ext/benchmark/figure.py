"""The benchmark's picture: bars of epochs a second for every case, and the roofline."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from twolayer_ext.benchmark.report import ours
from twolayer_ext.benchmark.run import CaseResult, Report, Timing
from twolayer_ext.plots import (
    STYLE,
    TEXT_COLOUR,
    TRAINING_COLOUR,
    VALIDATION_COLOUR,
    require_matplotlib,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_PALE = {TRAINING_COLOUR: "#8fb7c5", VALIDATION_COLOUR: "#f0bd97"}
_PEER_COLOUR = "#a9b1b8"
_ROOFS = {"float32": TRAINING_COLOUR, "float64": "#7d868e", "bfloat16": VALIDATION_COLOUR}


def plot_benchmark(report: Report) -> Figure:
    """Draw a report: a panel of bars a case, and all cases under the measured roofline.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    ValueError
        No contender was timed.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    results = [result for result in report.results if result.timings]
    if not results:
        raise ValueError("report: no contender was timed; there is nothing to draw")
    columns = min(_COLUMNS, len(results))
    rows = math.ceil(len(results) / columns)
    most = max(len(result.timings) for result in results)
    bars = 1.0 + 0.27 * most
    with mpl.rc_context({**STYLE, "font.size": 9, "axes.titlesize": 10}):
        figure = Figure(figsize=(max(8.0, 5.0 * columns), bars * rows + 4.6), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr, call-arg]
        figure.suptitle(
            f"twolayer-ext {report.machine['twolayer-ext']} on {report.machine['cpu']}, "
            f"{report.machine['threads']} threads, {report.machine['instruction set']}",
            x=0.01,
            ha="left",
            fontsize=11,
        )
        grid = figure.add_gridspec(rows + 1, columns, height_ratios=[bars] * rows + [4.2])
        for i, result in enumerate(results):
            _draw_bars(figure.add_subplot(grid[i // columns, i % columns]), result)
        _draw_roofline(figure.add_subplot(grid[rows, :]), results)
    return figure


def _draw_bars(axes: Axes, result: CaseResult) -> None:
    timings = result.timings
    places = np.arange(len(timings))[::-1]
    rates = [timing.rate / result.epoch for timing in timings]
    spread = np.array([timing.spread for timing in timings]).T / result.epoch
    axes.barh(places, rates, height=0.72, color=[_colour(timing) for timing in timings])
    axes.hlines(places, spread[0], spread[1], color=TEXT_COLOUR, linewidth=1.0)
    room = 0.02 * max(rates)
    mine = ours(result)
    for place, timing, rate, fastest in zip(places, timings, rates, spread[1], strict=True):
        text = _quantity(rate)
        if mine is not None and not timing.contender.startswith("twolayer"):
            text += f"  (ours is {mine.rate / timing.rate:.1f}×)"
        axes.text(max(rate, fastest) + room, place, text, va="center", fontsize=8)
    axes.set_yticks(places, [timing.contender for timing in timings])
    axes.set_xlim(0, 1.45 * max(rates))
    axes.set_title(result.case.title.removeprefix("train "))
    axes.set_xlabel("passes a second" if result.case.task == "predict" else "epochs a second")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _colour(timing: Timing) -> str:
    if not timing.contender.startswith("twolayer"):
        return _PEER_COLOUR
    colour = VALIDATION_COLOUR if timing.dtype == "bfloat16" else TRAINING_COLOUR
    return _PALE[colour] if timing.variant.threads == 1 else colour


def _quantity(value: float) -> str:
    """Three digits."""
    decimals = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:,.{decimals}f}"


def _draw_roofline(axes: Axes, results: list[CaseResult]) -> None:
    """Roofs are the best probes of all cases; a case all in the cache stands at the right edge."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    threads = max(results[0].peaks.threads)
    bandwidth = max(r.peaks.best_bandwidth() for r in results)
    finite = [r.roofline.intensity for r in results if math.isfinite(r.roofline.intensity)]
    left = min([4.0, *(value / 3 for value in finite)])
    right = 8 * max([1000.0, *finite])
    x = np.geomspace(left, right, 400)
    roofs = []
    for dtype in sorted({dtype for r in results for dtype, _ in r.peaks.gflops}):
        peak = float(np.nanmax([r.peaks.peak(dtype, threads) for r in results]))
        roofs.append(peak)
        colour = _ROOFS[dtype]
        axes.plot(x, np.minimum(peak, x * bandwidth), color=colour, linewidth=1.6, zorder=1)
        axes.annotate(
            f"{dtype} peak, {threads} threads: {peak:.0f} GFLOP/s",
            (right, peak),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right",
            color=colour,
        )
    axes.annotate(
        f"memory: {bandwidth:.1f} GB/s",
        (left, left * bandwidth),
        xytext=(10, 0),
        textcoords="offset points",
        va="center",
        color=TEXT_COLOUR,
    )
    reached = [_draw_point(axes, result, right / 3) for result in results]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(min([left * bandwidth, *reached]) / 1.6, 1.5 * max([*roofs, *reached]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.grid(which="minor", visible=False)
    axes.set_title("Roofline: useful operations of the cases, this package in float32")
    axes.set_xlabel("operations for each byte from memory; at the right edge: all in the cache")
    axes.set_ylabel("GFLOP/s")


def _draw_point(axes: Axes, result: CaseResult, in_cache: float) -> float:
    """Draw a case below its roof; return how high it reaches (the roof if it is not ours)."""
    roof = result.roofline
    timing = ours(result)
    if timing is None:
        return roof.bound
    place = min(roof.intensity, in_cache)
    reached = result.gflops(timing)
    axes.vlines(place, reached, roof.bound, color=TEXT_COLOUR, linewidth=0.8, linestyle=":")
    axes.plot(place, reached, "o", color=TRAINING_COLOUR, markersize=7)
    axes.annotate(
        f"{result.case.name} {reached / roof.bound:.0%}",
        (place, reached),
        xytext=(7, -4),
        textcoords="offset points",
        va="top",
    )
    return reached
