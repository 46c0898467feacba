"""The picture of a sweep: validation score against each argument that was varied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.plots import STYLE, TRAINING_COLOUR, VALIDATION_COLOUR, require_matplotlib
from twolayer_ext.sweeping.result import Run, SweepResult, value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_MOST_CATEGORIES = 8  # distinct numbers; more make an axis of numbers
_DIVERGED_COLOUR = "#9aa3ab"
_FEW_EPOCHS, _MANY_EPOCHS = 0.25, 0.9  # opacity
_UPWARDS = {"accuracy": "validation accuracy [%]", "r2": "validation R²", "": "validation loss"}


def plot_sweep(result: SweepResult) -> Figure:
    """Draw one panel for each argument in which the runs differ; the best run is ringed.

    Where runs have different numbers of epochs, the more there are, the stronger the colour. Runs
    that diverged are crosses below all others.

    Parameters
    ----------
    result : SweepResult

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # Without anything varied, the order of the draws is what there is to show.
    names: Sequence[str] = result.swept or ("configuration",)
    columns = min(_COLUMNS, len(names))
    lines = math.ceil(len(names) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(max(6.0, 4.0 * columns), 0.6 + 3.2 * lines),
            layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08),
        )
        grid = figure.add_gridspec(lines, columns)
        first: Axes | None = None
        for index, name in enumerate(names):
            axes = figure.add_subplot(grid[index // columns, index % columns], sharey=first)
            first = first or axes
            _draw(axes, name, result.runs)
            if index % columns == 0:
                axes.set_ylabel(_UPWARDS[result.score_name])
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _draw(axes: Axes, name: str, runs: Sequence[Run]) -> None:
    values = [run.number if name == "configuration" else run.config.get(name) for run in runs]
    if _is_axis(values, runs):
        across = np.array(values, dtype=np.float64)
        if _spreads_by_magnitude(across):
            axes.set_xscale("log")
    else:
        across = _draw_categories(axes, values, runs)
    axes.set(title=name)
    ended = np.array([not run.diverged for run in runs])
    score = runs[0].score_name if runs else ""
    up = np.array([run.val_score if score else run.val_loss for run in runs])
    if score == "accuracy":
        up *= 100
    if ended.any():
        axes.scatter(
            across[ended],
            up[ended],
            s=28,
            color=TRAINING_COLOUR,
            alpha=_opacity(runs)[ended],
            linewidths=0,
            label="run",
        )
        axes.scatter(  # the first is the best
            across[:1],
            up[:1],
            s=110,
            facecolors="none",
            edgecolors=VALIDATION_COLOUR,
            linewidths=2,
            label=f"best, {runs[0].quality_text}",
        )
    if not ended.all():
        low, high = (up[ended].min(), up[ended].max()) if ended.any() else (0.0, 1.0)
        least = 1.0 if score == "accuracy" else 0.01 * max(abs(low), abs(high), 1e-9)
        axes.scatter(
            across[~ended],
            np.full((~ended).sum(), low - 0.08 * max(least, high - low)),
            s=28,
            marker="x",
            color=_DIVERGED_COLOUR,
            label="diverged",
        )


def _is_axis(values: Sequence[object], runs: Sequence[Run]) -> bool:
    """Whether values are numbers that were drawn, not a few chosen ones."""
    numbers = (int, float, np.integer, np.floating)
    if not all(isinstance(v, numbers) and not isinstance(v, bool) for v in values):
        return False
    distinct = len(set(values))
    return distinct > _MOST_CATEGORIES or distinct == len({run.number for run in runs})


def _spreads_by_magnitude(values: NDArray[np.float64]) -> bool:
    """Whether the median lies nearer to the middle on a logarithmic axis than on a linear one."""
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    if low <= 0 or high < 10 * low:
        return False
    linear = abs((middle - low) / (high - low) - 0.5)
    return bool(abs(math.log(middle / low) / math.log(high / low) - 0.5) < linear)


def _draw_categories(
    axes: Axes, values: Sequence[object], runs: Sequence[Run]
) -> NDArray[np.float64]:
    """Label the axis; return where the runs stand, beside each other within a category."""
    by_text = {value_text(value): value for value in values}

    def order(text: str) -> tuple[Any, ...]:
        value: Any = by_text[text]
        is_number = isinstance(value, (int, float, np.integer, np.floating))
        return (0, value, "") if is_number else (1, 0, text)

    texts = sorted(by_text, key=order)
    place = {text: index for index, text in enumerate(texts)}
    axes.set_xticks(range(len(texts)), texts)
    if sum(map(len, texts)) > 30:
        axes.tick_params(axis="x", rotation=30)
    axes.set_xlim(-0.5, len(texts) - 0.5)
    golden = (math.sqrt(5) - 1) / 2  # its multiples spread evenly, however many there are
    aside = np.array([run.number * golden % 1 - 0.5 for run in runs])
    return np.array([place[value_text(value)] for value in values]) + 0.5 * aside


def _opacity(runs: Sequence[Run]) -> NDArray[np.float64]:
    epochs = np.log([run.epochs for run in runs])
    few, many = float(epochs.min()), float(epochs.max())
    if few == many:
        return np.full(len(runs), _MANY_EPOCHS)
    return np.interp(epochs, [few, many], [_FEW_EPOCHS, _MANY_EPOCHS])
