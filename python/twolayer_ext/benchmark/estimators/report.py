"""The comparison's results as text and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from twolayer_ext import checks, tables
from twolayer_ext.benchmark import machine
from twolayer_ext.benchmark.estimators.contest import Result, Settings, geometric_mean

HEADINGS = (
    "data",
    "rows × columns",
    "score",
    "sklearn",
    "difference, 95%",
    "noise",
    "fit",
    "sklearn",
    "1 thread",
    "fit is",
    "predict is",
    "one row is",
)
# The first to the left; wide enough for the longest cells of each.
WIDTHS = (-22, 14, 7, 7, 18, 6, 8, 8, 8, 7, 10, 10)
RATIOS = ("fit", "predict", "one_row")


def row(result: Result) -> tuple[str, ...]:
    """Return a result's cells, one a heading."""
    ours, theirs = result.ours, result.theirs
    return (
        result.problem.title,
        "{:,} × {:,}".format(*result.shape),
        f"{statistics.mean(ours.scores):.4f}",
        f"{statistics.mean(theirs.scores):.4f}",
        f"{round(result.difference.mean, 4) + 0.0:+.4f} ± {result.difference.half_width:.4f}",
        "within" if result.difference.within_noise else "beyond",
        *(_duration(side.median("fit")) for side in (ours, theirs, result.one_thread)),
        *(f"{result.ratio(what):.2f}×" for what in RATIOS),
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"


def describe(settings: Settings) -> dict[str, str | int]:
    """Return the machine, both sides' threads, and how it was measured, for people to read."""
    import sklearn  # noqa: F401  # brings the BLAS that is asked for its threads
    from threadpoolctl import threadpool_info

    result = machine.describe(checks.thread_count(settings.threads))
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    result["scikit-learn's BLAS"] = (
        ", ".join(sorted({f"{p['internal_api']} {p['version']}" for p in blas})) or "not known"
    )
    threads = max((int(pool["num_threads"]) for pool in blas), default=None)
    result["its threads"] = settings.threads or threads or "not known"
    result["measured"] = (
        f"medians of {settings.seeds} seeds, both sides in turn; score: accuracy or R² of test "
        "rows, means of the seeds, Student's t for their paired differences; ratios are to the "
        "faster of scikit-learn's two, with its BLAS as it is and on one thread"
    )
    if settings.limit is not None:
        result["limited to"] = f"{settings.limit:,} rows and few epochs: a quick look only"
    return result


def machine_text(about: Mapping[str, str | int]) -> str:
    """Return what `describe` has found, a line each."""
    return tables.described({name: str(value) for name, value in about.items()})


def summary(results: Sequence[Result]) -> str:
    """Return one line: the geometric mean of the ratios of fit times, and the worst of them."""
    if not results:
        return "fit: nothing was timed"
    ratios = [result.ratio("fit") for result in results]
    as_it_is = geometric_mean([result.ratio("fit", result.theirs) for result in results])
    worst = min(results, key=lambda result: result.ratio("fit"))
    return (
        f"fit: {geometric_mean(ratios):.2f} times as fast as scikit-learn ({as_it_is:.2f} with its "
        f"BLAS as it is), the geometric mean of {len(ratios)}; at worst {min(ratios):.2f} times, "
        f"{worst.problem.title}"
    )


def as_json(
    about: Mapping[str, str | int],
    settings: Settings,
    results: Sequence[Result],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """Return everything as plain values."""
    ratios = [result.ratio("fit") for result in results]
    return {
        "machine": dict(about),
        "settings": asdict(settings),
        "left_out": dict(left_out),
        "fit_is_times": geometric_mean(ratios) if ratios else None,
        "problems": [_problem_json(result) for result in results],
    }


def _problem_json(result: Result) -> dict[str, Any]:
    problem, difference = result.problem, result.difference
    return {
        "name": problem.name,
        "title": problem.title,
        "estimator": problem.kind,
        "hyper_parameters": dict(problem.settings),
        "rows": result.shape[0],
        "columns": result.shape[1],
        "test_rows": result.test_rows,
        "loss_deviation": result.deviation,
        "tolerance": problem.tolerance,
        "score_difference": difference.mean,
        "score_difference_half_width": difference.half_width,
        "within_noise": difference.within_noise,
        **{f"{what}_is_times": result.ratio(what) for what in RATIOS},
        "ours": asdict(result.ours),
        "scikit_learn": asdict(result.theirs),
        "scikit_learn_one_thread": asdict(result.one_thread),
    }
