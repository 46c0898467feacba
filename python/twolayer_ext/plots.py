"""Pictures of a training run (extra ``plot``).

Figures are made without pyplot: no display is needed, and no figure stays behind in memory.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twolayer_ext import scores
from twolayer_ext.errors import MissingExtraError
from twolayer_ext.files.writing import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from twolayer_ext.network import NetworkBase

PIXELS_PER_INCH = 100
MAX_WEIGHT_IMAGES = 88
MOSAIC_ASPECT = 1.4  # height over width, to fill the panel beside the two rows of curves
TRAINING_COLOUR = "#1f6f8b"
VALIDATION_COLOUR = "#e07a2f"
GRID_COLOUR = "#d9dee3"
TEXT_COLOUR = "#2b2f33"
STYLE: Any = {  # the type of its keys differs between versions of matplotlib
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": TEXT_COLOUR,
    "axes.edgecolor": "#9aa3ab",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID_COLOUR,
    "grid.linewidth": 0.8,
    "text.color": TEXT_COLOUR,
    "xtick.color": TEXT_COLOUR,
    "ytick.color": TEXT_COLOUR,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
}


def require_matplotlib(feature: str = "plotting") -> None:
    """Raise MissingExtraError, which says what `feature` needs, if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(feature, "plot") from error


def plot_training(
    history: Mapping[str, Sequence[float]],
    network: NetworkBase | None = None,
    image_shape: tuple[int, ...] | None = None,
) -> Figure:
    """Draw a training run: the loss of every step, loss and score by epoch, first-layer weights.

    Parameters
    ----------
    history : mapping
        What ``train`` returned as ``result.history``. Of its scores accuracy is drawn in per cent,
        R² as it is; where it has none, the loss by epoch gets their place, too.
    network : Network, optional
        With `image_shape`, the weights into its first units are drawn as images.
    image_shape : (H, W), (3, H, W) or (H, W, 3), optional
        How the D input features make an image. Each image of weights is stretched from its
        smallest to its largest weight, so brightness compares within an image only.

    Returns
    -------
    matplotlib.figure.Figure
        To be shown by a notebook or written by `save_figure`.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    ValueError
        `image_shape` is of another form, or does not have as many values as the network inputs.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    mosaic = None
    title = ""
    if network is not None and image_shape is not None:
        weights = network.parameters[0][0]
        shown = min(weights.shape[1], MAX_WEIGHT_IMAGES)
        mosaic = _weight_mosaic(weights[:, :shown], image_shape)
        of_classes = network.score_name == "accuracy"
        unit = "classes" if of_classes else "outputs"
        if len(network.layer_sizes) > 2:
            unit = "hidden units"
        title = f"First-layer weights, {shown} of {weights.shape[1]} {unit}"

    with mpl.rc_context(STYLE):
        width = 12.0 if mosaic is not None else 8.0
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
        figure = Figure(figsize=(width, 6.0), layout=layout)
        columns = 3 if mosaic is not None else 2
        grid = figure.add_gridspec(2, columns, width_ratios=[1.0, 1.0, 1.12][:columns])
        _draw_step_loss(figure.add_subplot(grid[0, :2]), history)
        score = next((name for name in scores.LABELS if name in history), "")
        _draw_epochs(figure.add_subplot(grid[1, 0] if score else grid[1, :2]), history, "loss")
        if score:
            _draw_epochs(figure.add_subplot(grid[1, 1]), history, score)
        if mosaic is not None:
            _draw_mosaic(figure.add_subplot(grid[:, 2]), mosaic, title)
    return figure


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure, whole or not at all; the file's suffix names the format (.png, .svg, .pdf).

    Raises
    ------
    ValueError
        matplotlib does not know the format.
    OSError
        The file cannot be written.
    """
    picture = io.BytesIO()
    suffix = Path(path).suffix.removeprefix(".") or "png"
    figure.savefig(picture, format=suffix, dpi=PIXELS_PER_INCH)
    with whole_file(path) as stream:
        stream.write(picture.getbuffer())


def _draw_step_loss(axes: Axes, history: Mapping[str, Sequence[float]]) -> None:
    losses = np.asarray(history["step_loss"], dtype=np.float64)
    steps = np.arange(1, len(losses) + 1)
    window = max(1, len(losses) // 50)
    if window > 1:
        axes.plot(
            steps, losses, color=TRAINING_COLOUR, alpha=0.25, linewidth=0.8, label="each batch"
        )
    axes.plot(
        steps,
        _running_mean(losses, window),
        color=TRAINING_COLOUR,
        label=f"mean of {window} steps" if window > 1 else "each batch",
    )
    _scale_losses(axes, losses)
    axes.set(title="Loss by step", xlabel="step", ylabel=_loss_label(history))
    axes.margins(x=0.01)
    axes.legend(loc="upper right")


def _loss_label(history: Mapping[str, Sequence[float]]) -> str:
    """Return the name of the loss with its unit, which is known of classifiers."""
    return "loss [nats]" if "accuracy" in history else "loss"


def _draw_epochs(axes: Axes, history: Mapping[str, Sequence[float]], quantity: str) -> None:
    from matplotlib.ticker import MaxNLocator

    percent = 100.0 if quantity == "accuracy" else 1.0
    series = [
        ("training", np.asarray(history[quantity]) * percent, TRAINING_COLOUR),
        ("validation", np.asarray(history[f"val_{quantity}"]) * percent, VALIDATION_COLOUR),
    ]
    drawn = [entry for entry in series if np.isfinite(entry[1]).any()]
    for label, values, colour in drawn:
        epochs = np.arange(1, len(values) + 1)
        marker = "o" if len(values) <= 15 else ""
        axes.plot(epochs, values, color=colour, marker=marker, markersize=4, label=label)
    if quantity == "loss" and drawn:
        _scale_losses(axes, np.concatenate([values for _, values, _ in drawn]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    name = scores.label(quantity) or "loss"
    title = f"{name[0].upper()}{name[1:]} by epoch"
    ylabel = {"loss": _loss_label(history), "accuracy": "accuracy [%]"}.get(quantity, name)
    axes.set(title=title, xlabel="epoch", ylabel=ylabel)
    if drawn:
        axes.legend(loc="best")


def _scale_losses(axes: Axes, losses: npt.NDArray[np.float64]) -> None:
    """Use a logarithmic axis when the losses span more than a factor of ten."""
    finite = losses[np.isfinite(losses)]
    if finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        axes.set_yscale("log")


def _running_mean(values: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """Centred mean over `window` neighbours, over fewer at the ends."""
    if window <= 1:
        return values
    ones = np.ones(window)
    return np.convolve(values, ones, "same") / np.convolve(np.ones(len(values)), ones, "same")


def can_draw(image_shape: tuple[int, ...] | None) -> bool:
    """Whether `plot_training` can draw images of this shape: (H, W), (3, H, W) or (H, W, 3)."""
    return image_shape is not None and (
        len(image_shape) == 2 or (len(image_shape) == 3 and 3 in (image_shape[0], image_shape[2]))
    )


def _weight_mosaic(
    weights: npt.NDArray[Any], image_shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Tile the columns of (D, H) weights as images, white between them: (rows, columns, 3)."""
    features, units = weights.shape
    if not can_draw(image_shape):
        raise ValueError(f"image_shape: {image_shape}; must be (H, W), (3, H, W) or (H, W, 3)")
    if math.prod(image_shape) != features:
        raise ValueError(
            f"image_shape: {image_shape} holds {math.prod(image_shape)} values; "
            f"must hold as many as the network has inputs, {features}"
        )
    images = weights.T.astype(np.float64)
    low = images.min(axis=1, keepdims=True)
    span = images.max(axis=1, keepdims=True) - low
    images = ((images - low) / np.where(span > 0, span, 1.0)).reshape(units, *image_shape)
    if len(image_shape) == 2:
        images = np.repeat(images[..., np.newaxis], 3, axis=3)
    elif image_shape[0] == 3:
        images = images.transpose(0, 2, 3, 1)

    height, width = images.shape[1:3]
    columns = max(1, round(math.sqrt(units * height / width / MOSAIC_ASPECT)))
    rows = math.ceil(units / columns)
    gap = max(1, width // 12)
    mosaic = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for index, image in enumerate(images):
        top = index // columns * (height + gap)
        left = index % columns * (width + gap)
        mosaic[top : top + height, left : left + width] = image
    return mosaic


def _draw_mosaic(axes: Axes, mosaic: npt.NDArray[np.float64], title: str) -> None:
    axes.imshow(mosaic, interpolation="nearest")
    axes.set_title(title)
    axes.set_axis_off()
    axes.set_anchor("N")
