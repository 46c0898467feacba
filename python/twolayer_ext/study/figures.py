"""The report's pictures, all in one palette: ours blue, PyTorch's orange, published grey."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import plots
from twolayer_ext.plots import GRID_COLOUR, STYLE, TEXT_COLOUR, TRAINING_COLOUR, VALIDATION_COLOUR
from twolayer_ext.study.protocol import ROWS, Row
from twolayer_ext.study.runs import Study, TrainedNet
from twolayer_ext.study.signals import Signal
from twolayer_ext.study.statistics import TWO_ERRORS, binomial_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PIXELS_PER_INCH = 130
_PUBLISHED_COLOUR = "#8a939b"
_OURS, _PYTORCH = TRAINING_COLOUR, VALIDATION_COLOUR
_CURED_COLOUR = "#5a9a4a"


def png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_PIXELS_PER_INCH)
    return stream.getvalue()


def training(run: TrainedNet, image_shape: tuple[int, ...] | None) -> Figure:
    """Loss by step, loss and accuracy by epoch, first-layer weights as images."""
    return plots.plot_training(run.history, run.network, image_shape)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    return figure


def _styled() -> Any:
    import matplotlib as mpl

    return mpl.rc_context(STYLE)


def confusion(
    counts: Sequence[tuple[str, NDArray[np.int64]]], class_names: Sequence[str]
) -> Figure:
    """Confusion matrices side by side, in per cent of the images of each true class."""
    with _styled():
        figure = _figure(6.0 * len(counts), 5.6)
        all_axes = figure.subplots(1, len(counts), squeeze=False)[0]
        for axes, (title, matrix) in zip(all_axes, counts, strict=True):
            _draw_confusion(axes, title, matrix, class_names)
    return figure


def _draw_confusion(
    axes: Axes, title: str, matrix: NDArray[np.int64], class_names: Sequence[str]
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    colours = LinearSegmentedColormap.from_list("blue", ["#ffffff", _OURS, "#0d3a4a"])
    axes.imshow(share, cmap=colours, vmin=0, vmax=100)
    for (i, j), value in np.ndenumerate(share):
        colour = "white" if value > 40 else TEXT_COLOUR
        weight = "bold" if i == j else "normal"
        axes.text(
            j, i, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=9, weight=weight
        )
    places = range(len(class_names))
    axes.set_xticks(places, class_names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, class_names)
    axes.set(title=title, xlabel="predicted", ylabel="true class")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def table_of_rows(study: Study, images: tuple[int, int]) -> Figure:
    """All rows of the second part: published, PyTorch's and ours, on validation and test images.

    `images` are how many there are to validate and to test on.
    """
    snapshots = [study.snapshots(row) for row in ROWS]
    places = np.arange(len(ROWS))[::-1]
    with _styled():
        figure = _figure(11.5, 7.0)
        left, right = figure.subplots(1, 2, sharey=True)
        published = [row.published for row in ROWS]
        pytorch = [row.torch_validation for row in ROWS]
        ours = [[100 * s.validation for s in seeds] for seeds in snapshots]
        _draw_rows(left, places, images[0], {"published": published, "PyTorch": pytorch}, ours)
        pytorch = [row.torch_test for row in ROWS]
        ours = [[100 * s.test for s in seeds] for seeds in snapshots]
        _draw_rows(right, places, images[1], {"PyTorch": pytorch}, ours)
        left.set_title("Validation accuracy [%]")
        right.set_title("Test accuracy [%]")
        left.set_yticks(places, [row_name(row) for row in ROWS])
        left.set_ylim(-0.6, len(ROWS) - 0.4)
        handles = left.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=4, fontsize=9.5)
    return figure


def _draw_rows(
    axes: Axes,
    places: NDArray[np.int64],
    images: int,
    others: dict[str, list[float]],
    ours: list[list[float]],
) -> None:
    """Draw points above the axis' left end, and say in words what lies below it."""
    pytorch = others["PyTorch"]
    if "published" in others:
        axes.plot(
            others["published"],
            places,
            "D",
            color=_PUBLISHED_COLOUR,
            markersize=6,
            label="published",
        )
    axes.errorbar(
        pytorch,
        places + 0.2,
        xerr=[TWO_ERRORS * 100 * binomial_error(value / 100, images) for value in pytorch],
        fmt="s",
        color=_PYTORCH,
        markersize=5.5,
        elinewidth=1.4,
        label="PyTorch, one seed, ± 2 standard errors (images)",
    )
    seeds = np.repeat(places - 0.2, [len(values) for values in ours])
    style: Any = {"color": _OURS, "linestyle": "none"}
    axes.plot(
        np.concatenate(ours), seeds, marker="o", alpha=0.45, ms=5, label="ours, each seed", **style
    )
    means = [float(np.mean(values)) for values in ours]
    axes.plot(means, places - 0.2, marker="|", ms=13, mew=2.4, label="ours, mean", **style)
    start = 36.0
    for i, place in enumerate(places):
        low = [
            f"{name} {values[i]:.1f}"
            for name, values in {**others, "ours": means}.items()
            if values[i] < start
        ]
        if low:
            axes.text(start + 0.3, place + 0.2, f"◂ {', '.join(low)}", va="center", fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(start, 61)


def row_name(row: Row) -> str:
    """Return what to call a row in a picture."""
    sizes = "-".join(map(str, row.hidden))
    return f"{sizes}   lr {row.learning_rate:g}   {row.epochs} epochs"


def curves(nets: Sequence[tuple[str, Sequence[TrainedNet]]]) -> Figure:
    """Accuracy by epoch while training and on validation images, a panel a net, a line a seed."""
    columns = 4
    rows = -(-len(nets) // columns)
    with _styled():
        figure = _figure(12.0, 2.7 * rows + 0.5)
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes in grid.flat[len(nets) :]:
            axes.set_axis_off()
        for axes, (title, runs) in zip(grid.flat, nets, strict=False):
            for run in runs:
                for key, colour in (("accuracy", _OURS), ("val_accuracy", _PYTORCH)):
                    values = 100 * np.asarray(run.history[key])
                    axes.plot(
                        np.arange(1, len(values) + 1),
                        values,
                        color=colour,
                        linewidth=1.3,
                        alpha=0.8,
                        label="training" if key == "accuracy" else "validation",
                    )
            axes.set_title(title, fontsize=9.5)
        for axes in grid[-1]:
            axes.set_xlabel("epoch")
        for row in grid:
            row[0].set_ylabel("accuracy [%]")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles[:2], labels[:2], loc="outside lower center", ncols=2)
    return figure


def gaps(nets: Sequence[tuple[str, float, float, float]]) -> Figure:
    """Training, validation and test accuracy at the end, a line a net (name and the three)."""
    places = np.arange(len(nets))[::-1]
    values = 100 * np.array([net[1:] for net in nets])
    with _styled():
        figure = _figure(8.5, 0.42 * len(nets) + 1.5)
        axes = figure.subplots()
        axes.hlines(places, values.min(axis=1), values.max(axis=1), color=GRID_COLOUR, linewidth=5)
        for column, (label, colour, marker) in enumerate(
            (
                ("training", _OURS, "o"),
                ("validation", _PYTORCH, "D"),
                ("test", _PUBLISHED_COLOUR, "s"),
            )
        ):
            axes.plot(values[:, column], places, marker, color=colour, markersize=7, label=label)
        axes.set_yticks(places, [net[0] for net in nets])
        axes.set_ylim(-0.6, len(nets) - 0.4)
        axes.set(title="Accuracy at the end of training [%], mean of the seeds")
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def signals(small: Signal, he: Signal) -> Figure:
    """Spread of activations by layer; gradients beside what weight decay adds to them."""
    layers = len(small.gradients)
    names = ["input", *[f"layer {i}" for i in range(1, layers)], "logits"]
    with _styled():
        figure = _figure(11.5, 4.4)
        left, right = figure.subplots(1, 2)
        for signal, colour, label in ((he, _OURS, "He"), (small, _PYTORCH, "N(0, 10⁻³)")):
            left.plot(range(layers + 1), signal.outputs, "o-", color=colour, label=label)
            right.plot(
                range(1, layers + 1),
                signal.gradients,
                "o-",
                color=colour,
                label=f"{label}: gradient",
            )
            right.plot(
                range(1, layers + 1),
                signal.decays,
                "o:",
                color=colour,
                linewidth=1.4,
                markersize=4,
                label=f"{label}: weight decay",
            )
        left.set_xticks(range(layers + 1), names, rotation=20)
        left.set_title("Spread (standard deviation) of the activations")
        right.set_title("Gradient of the weights, and weight decay")
        right.set_xticks(range(1, layers + 1), [f"W{i}" for i in range(1, layers + 1)])
        for axes in (left, right):
            axes.set_yscale("log")
        left.legend(loc="lower left")
        right.legend(loc="center left", bbox_to_anchor=(0.02, 0.33), fontsize=9)
    return figure


def cure(nets: Sequence[tuple[str, Sequence[TrainedNet]]], published: tuple[int, float]) -> Figure:
    """Draw validation accuracy by epoch of the dead net and its cures, a line a seed.

    `nets` are names and runs: the cure, He's weights, the dead net; `published` is an epoch and
    an accuracy in per cent.
    """
    with _styled():
        figure = _figure(7.5, 3.8)
        axes = figure.subplots()
        for (name, runs), colour in zip(nets, (_CURED_COLOUR, _OURS, _PYTORCH), strict=True):
            for i, run in enumerate(runs):
                values = 100 * np.asarray(run.history["val_accuracy"])
                axes.plot(
                    np.arange(1, len(values) + 1),
                    values,
                    "o-",
                    color=colour,
                    markersize=3,
                    linewidth=1.4,
                    alpha=0.8,
                    label=None if i else name,
                )
        axes.plot(*published, "D", color=_PUBLISHED_COLOUR, label="published", zorder=3)
        axes.set_ylim(0, 62)
        axes.set(
            title="Validation accuracy of 256-128-64-64, learning rate 0.001",
            xlabel="epoch",
            ylabel="accuracy [%]",
        )
        axes.legend(loc="center left", bbox_to_anchor=(0.02, 0.42))
    return figure
