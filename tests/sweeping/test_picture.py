"""The picture of a sweep."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.sweeping import Run, search
from twolayer_ext.sweeping.picture import plot_sweep


@pytest.fixture
def figure_of(monkeypatch, tmp_path_factory):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))

    def make(configs, values, epochs=None, score_name="accuracy"):
        runs = []
        for i, (config, value) in enumerate(zip(configs, values, strict=True)):
            score, loss = (value, value * 0 + 1) if score_name else (math.nan, value)
            of_run = 3 if epochs is None else epochs[i]
            runs.append(Run(i, config, score_name, score, loss, score, of_run, 0.1))
        return plot_sweep(tl.SweepResult(tuple(search.ranked(runs))))

    return make


def test_picture_has_a_panel_for_each_argument_varied(figure_of):
    rng = np.random.default_rng(0)
    configs = [
        {
            "activation": ["relu", "tanh"][i % 2],
            "batch_size": [128, 32, 64][i % 3],
            "init": 0.1,
            "learning_rate": float(10 ** rng.uniform(-4, 0)),
            "momentum": float(rng.uniform(0, 0.9)),
        }
        for i in range(30)
    ]
    accuracies = [*rng.uniform(0.2, 0.5, 28), 0.75, math.nan]
    configs[-1]["learning_rate"] = 10.0  # far from all others, and still to be seen
    figure = figure_of(configs, accuracies)
    axes = {a.get_title(loc="left"): a for a in figure.axes}
    assert list(axes) == ["activation", "batch_size", "learning_rate", "momentum"]
    assert [a.get_xscale() for a in axes.values()] == ["linear", "linear", "log", "linear"]
    assert [t.get_text() for t in axes["batch_size"].get_xticklabels()] == ["32", "64", "128"]
    for panel in axes.values():
        runs, best, diverged = panel.collections
        assert [len(c.get_offsets()) for c in (runs, best, diverged)] == [29, 1, 1]
        assert best.get_offsets()[0][1] == 75.0
        low, high = panel.get_xlim()
        assert low < diverged.get_offsets()[0][0] < high
        assert diverged.get_offsets()[0][1] < runs.get_offsets()[:, 1].min()
    rate = axes["learning_rate"].collections[1].get_offsets()[0][0]
    assert rate == configs[28]["learning_rate"]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "run",
        "best, val accuracy 75.0%",
        "diverged",
    ]


@pytest.mark.parametrize(
    ("score_name", "label", "best", "legend"),
    [
        ("r2", "validation R²", 0.5, "best, val R² 0.50"),
        ("", "validation loss", -0.25, "best, val loss -0.25"),
    ],
)
def test_other_scores_and_losses_are_drawn_as_they_are(figure_of, score_name, label, best, legend):
    configs = [{"seed": i} for i in range(4)]
    figure = figure_of(configs, [-0.25, 0.5, 0.25, math.nan], score_name=score_name)
    (axes,) = figure.axes
    assert axes.get_ylabel() == label
    runs, ringed, diverged = axes.collections
    assert ringed.get_offsets()[0][1] == best
    assert diverged.get_offsets()[0][1] < runs.get_offsets()[:, 1].min()
    assert legend in [t.get_text() for t in figure.legends[0].get_texts()]


def test_more_epochs_are_drawn_stronger(figure_of):
    configs = [{"seed": i} for i in range(3)]
    runs = figure_of(configs, [0.3, 0.2, 0.1], epochs=[9, 3, 1]).axes[0].collections[0]
    alpha = list(runs.get_alpha())
    assert alpha == sorted(alpha, reverse=True)
    assert len(set(alpha)) == 3


def test_pictures_of_little(figure_of):
    assert len(figure_of([{}], [0.5]).axes) == 1
    assert len(figure_of([{"seed": 1}, {"seed": 2}], [math.nan, math.nan]).axes) == 1
    assert len(figure_of([{"init": "he"}, {"init": 0.1}, {}], [0.1, 0.2, 0.3]).axes) == 1


def test_without_matplotlib_there_is_no_picture(sweep, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = sweep(out=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs.jsonl", "table.md"]
    with pytest.raises(tl.MissingExtraError, match=r"twolayer-ext\[plot\]"):
        plot_sweep(result)
