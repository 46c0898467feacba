"""The race: settings chosen, then rounds in which all contenders take turns."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from twolayer_ext.benchmark.time_to_accuracy.course import Course
from twolayer_ext.benchmark.time_to_accuracy.goals import Goal, Recipe
from twolayer_ext.benchmark.time_to_accuracy.racers import Racer

Say = Callable[[str], None]

# A trial must get this far past the goal, about a standard error, with each of these seeds, or
# others would often need an epoch more. None of the seeds is measured.
_TRIAL_MARGIN = 0.005
_TRIAL_SEEDS = (1000, 1001)


@dataclass(frozen=True)
class Entry:
    """A contender's results; the course of round i has seed i."""

    contender: str
    recipe: Recipe
    courses: list[Course] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Return the median; infinite if half of the runs or more did not reach the goal."""
        return statistics.median(course.seconds_to_goal for course in self.courses)

    @property
    def reached(self) -> list[Course]:
        """Those that reached the goal."""
        return [course for course in self.courses if course.reached]


@dataclass(frozen=True)
class GoalResult:
    """All about one goal; `left_out` maps contenders that were not measured to the reason."""

    goal: Goal
    entries: list[Entry]
    left_out: dict[str, str]

    @property
    def ours(self) -> float:
        """Return the seconds of our own fastest entry; infinity where there is none."""
        own = [e.seconds for e in self.entries if e.contender.startswith("twolayer")]
        return min(own, default=math.inf)


def race(
    goal: Goal,
    racers: Sequence[Racer],
    *,
    rounds: int,
    tune_anew: bool,
    say: Say,
) -> GoalResult:
    """Measure one goal.

    Parameters
    ----------
    goal : Goal
    racers : sequence of Racer
        Those that are not installed or fail are left out, with the reason in the result.
    rounds : int
        Each with a seed of its own.
    tune_anew : bool
        Try the goal's whole grid instead of taking what is on record for each contender.
    say : function
        Told what is going on, a line at a time.
    """
    racing: list[tuple[Racer, Entry]] = []
    left_out: dict[str, str] = {}
    for racer in racers:
        reason = racer.unavailable()
        if reason is None:
            say(f"{goal.name}: {racer.name} warms up ...")
            try:
                recipe = None if tune_anew else goal.tuned[racer.name]
                warm_up = replace(recipe or goal.grid[0], epochs=1)
                racer.run(warm_up, _TRIAL_SEEDS[0], Course(racer.split, math.inf))
                recipe = recipe or tune(goal, racer, say)
                racing.append((racer, Entry(racer.name, recipe)))
            except Exception as error:  # whatever a library of any version may raise
                reason = f"failed: {type(error).__name__}: {error}"
        if reason is not None:
            say(f"{goal.name}: {racer.name} left out: {reason}")
            left_out[racer.name] = reason
    for seed in range(rounds):
        say(f"{goal.name}: round {seed + 1} of {rounds} ...")
        for racer, entry in racing:
            course = Course(racer.split, goal.accuracy)
            racer.run(entry.recipe, seed, course)
            entry.courses.append(course)
    return GoalResult(goal, [entry for _, entry in racing], left_out)


def tune(goal: Goal, racer: Racer, say: Say) -> Recipe:
    """Return the recipe of the grid that reaches the goal first, by a margin and with two seeds.

    The slower seed counts; a trial ends when it is behind the best one. If no recipe gets there,
    the one that comes closest is returned.
    """
    best, fewest, closest = goal.grid[0], math.inf, -math.inf
    for recipe in goal.grid:
        seconds, accuracy = 0.0, 1.0
        for seed in _TRIAL_SEEDS:
            course = Course(racer.split, goal.accuracy + _TRIAL_MARGIN, fewest)
            racer.run(recipe, seed, course)
            seconds = max(seconds, course.seconds_to_goal)
            accuracy = min(accuracy, max(course.accuracies, default=0.0))
            if seconds >= fewest:
                break
        reached = "not reached" if math.isinf(seconds) else f"{seconds:.2f} s"
        say(f"{goal.name}: {racer.name}, {recipe}: {accuracy:.1%}, {reached}")
        if seconds < fewest or (math.isinf(fewest) and accuracy > closest):
            best, fewest, closest = recipe, seconds, accuracy
    return best
