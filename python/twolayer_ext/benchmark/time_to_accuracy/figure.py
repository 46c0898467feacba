"""The race's picture: validation accuracy against seconds of training, a line for every run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twolayer_ext.benchmark.time_to_accuracy.race import GoalResult
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

_COLOURS = {
    "twolayer float32": TRAINING_COLOUR,
    "twolayer bfloat16": VALIDATION_COLOUR,
    "PyTorch float32": "#a9b1b8",
    "PyTorch bf16 autocast": "#5f686f",
}


def plot_race(results: Sequence[GoalResult]) -> Figure:
    """Draw a panel a goal.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    ValueError
        No contender took part.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn = [result for result in results if result.entries]
    if not drawn:
        raise ValueError("results: no contender took part; there is nothing to draw")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.0 * len(drawn), 4.2), layout="constrained")
        for i, result in enumerate(drawn):
            _draw(figure.add_subplot(1, len(drawn), i + 1), result)
    return figure


def _draw(axes: Axes, result: GoalResult) -> None:
    goal = 100 * result.goal.accuracy
    axes.axhline(goal, color=TEXT_COLOUR, linewidth=1.0, linestyle="--")
    for entry in result.entries:
        label: str | None = entry.contender
        for course in entry.courses:
            accuracies = [100 * accuracy for accuracy in course.accuracies]
            colour = _COLOURS[entry.contender]
            axes.plot(course.seconds, accuracies, color=colour, linewidth=1.0, label=label)
            if course.reached:
                axes.plot(course.seconds[-1], accuracies[-1], "o", color=colour, markersize=4)
            label = None  # one line in the legend for all runs
    axes.set_xlim(left=0)
    axes.set_title(f"{result.goal.name}: {goal:.1f}%")
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("validation accuracy [%]")
    axes.legend(loc="lower right")
