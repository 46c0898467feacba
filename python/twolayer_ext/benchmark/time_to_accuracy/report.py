"""A race's results as text and as JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from twolayer_ext.benchmark.report import number, table
from twolayer_ext.benchmark.time_to_accuracy.course import Standardised
from twolayer_ext.benchmark.time_to_accuracy.race import Entry, GoalResult

_HEADINGS = ("contender", "reached", "seconds", "min ... max", "epochs", "test", "ours is", "with")


def goal_text(result: GoalResult, split: Standardised) -> str:
    """Return a goal's table."""
    goal = result.goal
    lines = [
        f"{goal.name}: {goal.accuracy:.1%} of {len(split.validation):,} validation images, "
        f"{len(split.training):,} to train on",
        f"  {goal.what}",
        "",
        *table(_HEADINGS, [_row(result, entry) for entry in result.entries], result.left_out),
    ]
    return "\n".join(lines)


def _row(result: GoalResult, entry: Entry) -> tuple[str, ...]:
    """Median, range and ratio are of all runs, one that did not reach the goal being infinite."""
    times = [course.seconds_to_goal for course in entry.courses]
    reached = entry.reached
    ratio = _ratio(result, entry)
    return (
        entry.contender,
        f"{len(reached)} of {len(times)}",
        _seconds(entry.seconds),
        f"{_seconds(min(times))} ... {_seconds(max(times))}",
        f"{statistics.median(len(course.seconds) for course in reached):g}" if reached else "-",
        f"{_test_accuracy(entry):.1%}" if reached else "-",
        "-" if ratio is None or entry.seconds == result.ours else f"{ratio:.2f}×",
        str(entry.recipe),
    )


def _ratio(result: GoalResult, entry: Entry) -> float | None:
    """Return how many times faster our fastest is; None if one of the two is infinite."""
    if math.isinf(entry.seconds) or math.isinf(result.ours):
        return None
    return entry.seconds / result.ours


def _seconds(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.2f}"


def _test_accuracy(entry: Entry) -> float:
    found = [c.test_accuracy for c in entry.courses if c.test_accuracy is not None]
    return statistics.median(found) if found else math.nan


def as_json(
    machine: dict[str, str | int], split: Standardised, results: Sequence[GoalResult]
) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "machine": machine,
        "training_images": len(split.training),
        "validation_images": len(split.validation),
        "goals": [
            {
                "name": result.goal.name,
                "accuracy": result.goal.accuracy,
                "left_out": result.left_out,
                "results": [_entry_json(result, entry) for entry in result.entries],
            }
            for result in results
        ],
    }


def _entry_json(result: GoalResult, entry: Entry) -> dict[str, Any]:
    return {
        "contender": entry.contender,
        "recipe": asdict(entry.recipe),
        "median_seconds": number(entry.seconds),
        "ours_is_times": _ratio(result, entry),
        "test_accuracy": number(_test_accuracy(entry)),
        "runs": [
            {
                "seed": seed,
                "seconds_to_goal": number(course.seconds_to_goal),
                "seconds": course.seconds,
                "accuracies": course.accuracies,
                "test_accuracy": course.test_accuracy,
            }
            for seed, course in enumerate(entry.courses)
        ],
    }
