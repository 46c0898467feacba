"""A run's results as text and as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from twolayer_ext import tables
from twolayer_ext.benchmark.run import CaseResult, Report, Timing
from twolayer_ext.files.writing import whole_file

_HEADINGS = ("contender", "samples/s", "min ... max", "GFLOP/s", "of peak", "ours is", "how")
_LIMITS = {
    "arithmetic": "multiply-adds; everything else hides behind them",
    "memory": "reading and writing memory",
    "latency": "fixed costs: a step is so short that calls and waits weigh as much",
}


def machine_text(report: Report) -> str:
    """Return the machine's description, and how it was measured."""
    lines = {name: str(value) for name, value in report.machine.items()}
    settings = report.settings
    lines["measured"] = (
        f"median of {settings.rounds} interleaved rounds, an epoch each, repeated if shorter than "
        f"{settings.shortest:g} s, in part if longer than {settings.longest:g} s"
    )
    if settings.neighbours:
        lines["neighbours"] = f"{settings.neighbours}, each of which keeps a CPU busy"
    if report.stolen is not None:
        lines["stolen"] = f"{report.stolen:.1%} of the CPUs' time went to others on the host"
    if settings.limit is not None:
        lines["limited to"] = f"{settings.limit:,} rows of training data: a quick look only"
    return tables.described(lines)


def case_text(result: CaseResult) -> str:
    """Return a case's table, and what limits it."""
    lines = [
        f"{result.case.name}: {result.case.title}; {result.epoch:,} of {result.source}",
        "",
        *table(_HEADINGS, [_row(result, timing) for timing in result.timings], result.left_out),
    ]
    return "\n".join([*lines, "", *_limit_lines(result)])


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], left_out: Mapping[str, str]
) -> list[str]:
    """Return the lines of a table, first and last column to the left; then who was left out."""
    lines = tables.plain(headings, rows, {0, len(headings) - 1})
    lines += [f"{name}: not timed; {reason}" for name, reason in left_out.items()]
    return [f"  {line}" for line in lines]


def ours(result: CaseResult) -> Timing | None:
    """Return the timing that ratios refer to: this package in float32 with most threads."""
    found = [
        t for t in result.timings if t.contender.startswith("twolayer") and t.dtype == "float32"
    ]
    return max(found, key=lambda t: t.variant.threads or 0, default=None)


def _row(result: CaseResult, timing: Timing) -> tuple[str, ...]:
    mine = ours(result)
    share = result.share_of_peak(timing)
    slow, fast = timing.spread
    return (
        timing.contender,
        f"{timing.rate:,.0f}",
        f"{slow:,.0f} ... {fast:,.0f}",
        f"{result.gflops(timing):.1f}",
        "-" if math.isnan(share) else f"{share:.1%}",
        "-" if mine is None or mine is timing else f"{mine.rate / timing.rate:.2f}×",
        f"{timing.variant}; {_amount(timing)}",
    )


def _amount(timing: Timing) -> str:
    if timing.epochs == 1:
        return "1 epoch"
    return f"{timing.epochs:.0f} epochs" if timing.epochs > 1 else f"{timing.epochs:.2f} epoch"


def _limit_lines(result: CaseResult) -> list[str]:
    roof, peaks = result.roofline, result.peaks
    threads = max(peaks.threads)
    lines = [
        f"  multiply-add peak, {dtype}, {count} thread{'s' * (count > 1)}: "
        f"{max(probes):.0f} GFLOP/s (probes from {min(probes):.0f})"
        for (dtype, count), probes in peaks.gflops.items()
    ]
    lines.append(f"  memory, read by {threads} threads: {peaks.best_bandwidth():.1f} GB/s")
    if math.isinf(roof.intensity):
        intensity = "all of it fits into the cache"
    else:
        intensity = f"{roof.intensity:.0f} operations for each byte of memory"
    lines.append(f"  limit: {_LIMITS[roof.limit]} ({intensity}; at most {roof.bound:.0f} GFLOP/s)")
    if (mine := ours(result)) is not None:
        reached = result.gflops(mine) / roof.bound
        step = result.case.batch_size / mine.rate
        what = "pass" if result.case.task == "predict" else "step"
        lines.append(f"  we reach {reached:.0%} of that; a {what} takes {_duration(step)}")
    if result.memory is not None:
        lines.append(
            "  peak memory of a process that does this: {peak:.0f} MB, of which data {data:.0f}; "
            "the work itself added {growth:.0f}".format(**result.memory)
        )
    return lines


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def as_json(report: Report) -> dict[str, Any]:
    """Return everything as plain values: what was measured, and what the tables derive from it."""
    return {
        "machine": report.machine,
        "settings": asdict(report.settings),
        "stolen": report.stolen,
        "cases": [_case_json(result) for result in report.results],
    }


def _case_json(result: CaseResult) -> dict[str, Any]:
    case, peaks, mine = result.case, result.peaks, ours(result)
    return {
        **asdict(case),
        "source": result.source,
        "epoch_samples": result.epoch,
        "flops_per_sample": case.flops_per_sample,
        "peaks_gflops": [
            {"dtype": dtype, "threads": threads, "probes": probes}
            for (dtype, threads), probes in peaks.gflops.items()
        ],
        "bandwidth_gb_per_s": peaks.bandwidth,
        "roofline": {key: number(value) for key, value in asdict(result.roofline).items()},
        "memory_mb": result.memory,
        "left_out": result.left_out,
        "results": [
            {
                "contender": timing.contender,
                "dtype": timing.dtype,
                "variant": asdict(timing.variant),
                "check": {**asdict(timing.check), "deviation": timing.check.deviation},
                "samples": timing.samples,
                "epochs": timing.epochs,
                "seconds": timing.seconds,
                "samples_per_second": timing.rate,
                "epochs_per_second": timing.rate / result.epoch,
                "gflops": result.gflops(timing),
                "share_of_peak": number(result.share_of_peak(timing)),
                "ours_is_times": None if mine is None else mine.rate / timing.rate,
            }
            for timing in result.timings
        ],
    }


def number(value: Any) -> Any:
    """Return None for infinity and nan, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(values: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write plain values, whole or not at all."""
    text = json.dumps(values, indent=2, allow_nan=False)
    with whole_file(path) as stream:
        stream.write((text + "\n").encode())
