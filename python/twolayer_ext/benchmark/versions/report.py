"""A comparison of versions as text and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from twolayer_ext.benchmark.versions.contest import Comparison

HEADINGS = ("case", "dtype", "threads", "before", "after", "times", "interval", "", "bits")
WIDTHS = (-9, -9, 7, 12, 12, 7, 15, -7, -9)


def row(result: Comparison) -> tuple[str, ...]:
    """Return a comparison's cells; the rates are the medians', in samples a second."""
    low, high = result.interval
    before, after = (1 / sorted(times)[len(times) // 2] for times in (result.before, result.after))
    return (
        result.case.name,
        result.dtype,
        str(result.threads),
        f"{before:,.0f}",
        f"{after:,.0f}",
        f"{result.ratio:.3f}",
        f"{low:.3f} ... {high:.3f}",
        result.verdict,
        "the same" if result.same_bits else "others",
    )


def summary(results: Sequence[Comparison]) -> str:
    """Return one line that says it all."""
    counts = {
        verdict: sum(result.verdict == verdict for result in results)
        for verdict in ("faster", "level", "slower")
    }
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def as_json(about: dict[str, Any], results: Sequence[Comparison]) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "machine": about,
        "cases": [
            {
                **asdict(result),
                "ratio": result.ratio,
                "interval": result.interval,
                "verdict": result.verdict,
            }
            for result in results
        ],
    }
