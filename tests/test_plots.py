"""Pictures: drawn without a display, complete, and written whole or not at all."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext import plots


def history(epochs: int = 3, steps: int = 60, validation: bool = True) -> dict[str, list[float]]:
    nan = float("nan")
    falling = np.geomspace(2.0, 0.05, steps)
    return {
        "loss": list(np.linspace(2.0, 0.1, epochs)),
        "accuracy": list(np.linspace(0.3, 0.9, epochs)),
        "val_loss": list(np.linspace(2.1, 0.3, epochs)) if validation else [nan] * epochs,
        "val_accuracy": list(np.linspace(0.3, 0.8, epochs)) if validation else [nan] * epochs,
        "learning_rate": [1e-3] * epochs,
        "seconds": [0.1] * epochs,
        "step_loss": list(falling),
    }


@pytest.fixture(autouse=True)
def matplotlib_cache(tmp_path_factory, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))


def network(features: int, units: int = 20) -> tl.Network:
    return tl.Network((features, units, 3))


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_three_curves_with_labelled_axes():
    figure = plots.plot_training(history())
    assert titles(figure) == ["Loss by step", "Loss by epoch", "Accuracy by epoch"]
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert "[" in axes.get_ylabel()  # a unit
        assert axes.get_legend() is not None


def test_validation_curves_only_where_there_are_any():
    lines = [len(axes.lines) for axes in plots.plot_training(history()).axes[1:]]
    assert lines == [2, 2]
    lines = [len(axes.lines) for axes in plots.plot_training(history(validation=False)).axes[1:]]
    assert lines == [1, 1]


def test_accuracy_is_drawn_in_per_cent():
    axes = plots.plot_training(history()).axes[2]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [30.0, 60.0, 90.0])


def test_r2_is_drawn_as_it_is():
    numbers = history()
    for part in ("", "val_"):
        numbers[f"{part}r2"] = numbers.pop(f"{part}accuracy")
    figure = plots.plot_training(numbers)
    assert titles(figure) == ["Loss by step", "Loss by epoch", "R² by epoch"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "loss", "R²"]
    np.testing.assert_allclose(figure.axes[2].lines[0].get_ydata(), [0.3, 0.6, 0.9])


def test_without_a_score_there_are_losses_only():
    numbers = {name: values for name, values in history().items() if "accuracy" not in name}
    figure = plots.plot_training(numbers, network(64), (8, 8))
    assert titles(figure)[:2] == ["Loss by step", "Loss by epoch"]
    assert len(figure.axes) == 3
    assert [len(axes.lines) for axes in figure.axes[:2]] == [1, 2]


@pytest.mark.parametrize(
    ("features", "shape"), [(64, (8, 8)), (192, (3, 8, 8)), (192, (8, 8, 3)), (40, (5, 8))]
)
def test_weights_as_images(features, shape):
    figure = plots.plot_training(history(), network(features), shape)
    assert titles(figure)[-1] == "First-layer weights, 20 of 20 hidden units"
    image = figure.axes[-1].images[0].get_array()
    assert image.shape[2] == 3
    assert image.min() == 0.0
    assert image.max() == 1.0


def test_each_image_shows_the_weights_of_one_unit():
    weights = np.arange(6.0).reshape(6, 1) * [[1.0, -2.0]]
    mosaic = plots._weight_mosaic(weights, (2, 3))
    rows, columns = mosaic.shape[:2]
    assert rows * columns >= 12
    first = mosaic[:2, :3, 0]
    np.testing.assert_allclose(first, np.arange(6.0).reshape(2, 3) / 5)
    second = mosaic[3:5, :3, 0] if rows > 3 else mosaic[:2, 4:7, 0]
    np.testing.assert_allclose(second, 1 - np.arange(6.0).reshape(2, 3) / 5)


def test_colour_planes_become_pixels():
    planes = np.arange(27.0).reshape(27, 1)
    pixels = planes.reshape(3, 3, 3).transpose(1, 2, 0).reshape(27, 1)
    image = plots._weight_mosaic(planes, (3, 3, 3))[:3, :3]
    np.testing.assert_allclose(image, pixels.reshape(3, 3, 3) / 26)


def test_a_dead_unit_and_many_units():
    net = network(64, units=500)
    first = np.asarray(net.parameters[0][0]).copy()
    first[:, 0] = 0.0
    net.set_parameters([(first, net.parameters[0][1]), net.parameters[1]])
    figure = plots.plot_training(history(), net, (8, 8))
    assert (
        titles(figure)[-1] == f"First-layer weights, {plots.MAX_WEIGHT_IMAGES} of 500 hidden units"
    )


def test_softmax_regression_shows_its_classes():
    figure = plots.plot_training(history(), tl.Network((64, 10)), (8, 8))
    assert titles(figure)[-1] == "First-layer weights, 10 of 10 classes"
    linear = tl.Network((64, 2), loss="squared_error")
    figure = plots.plot_training(history(), linear, (8, 8))
    assert titles(figure)[-1] == "First-layer weights, 2 of 2 outputs"


def test_histories_of_runs_cut_short():
    for broken in (history(epochs=0, steps=0), history(epochs=1, steps=1)):
        assert len(plots.plot_training(broken).axes) == 3
    diverged = history()
    diverged["step_loss"][-1] = diverged["loss"][-1] = float("nan")
    assert len(plots.plot_training(diverged).axes) == 3


@pytest.mark.parametrize("shape", [(64,), (2, 4, 8), (1, 2, 4, 8), (8, 9)])
def test_shapes_that_are_no_image_of_this_network(shape):
    with pytest.raises(ValueError, match=r"image_shape: .*must"):
        plots.plot_training(history(), network(64), shape)


def test_can_draw():
    assert plots.can_draw((8, 8))
    assert plots.can_draw((3, 32, 32))
    assert plots.can_draw((32, 32, 3))
    assert not plots.can_draw((2, 8, 8))
    assert not plots.can_draw(None)


def test_running_mean():
    np.testing.assert_allclose(plots._running_mean(np.ones(10), 3), np.ones(10))
    np.testing.assert_allclose(plots._running_mean(np.arange(5.0), 3), [0.5, 1, 2, 3, 3.5])
    np.testing.assert_allclose(plots._running_mean(np.arange(2.0), 1), [0, 1])


def test_saved_picture_is_readable_and_not_large(tmp_path):
    path = tmp_path / "training.png"
    plots.save_figure(plots.plot_training(history(), network(64), (8, 8)), path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == (1200, 600)
    assert len(content) < 300_000
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_format_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="xyz"):
        plots.save_figure(plots.plot_training(history()), tmp_path / "training.xyz")
    assert list(tmp_path.iterdir()) == []


def test_no_display_and_no_state_left(monkeypatch):
    import matplotlib as mpl

    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    before = mpl.rcParams.copy()
    plots.plot_training(history())
    assert "matplotlib.pyplot" not in sys.modules
    assert mpl.rcParams.copy() == before


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(tl.MissingExtraError, match=r"twolayer-ext\[plot\]"):
        plots.plot_training(history())
