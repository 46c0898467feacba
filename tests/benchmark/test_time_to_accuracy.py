"""Time to accuracy: the clock, the first crossing, who is left out, what is told and written."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.benchmark import cli
from twolayer_ext.benchmark.time_to_accuracy import course as course_module
from twolayer_ext.benchmark.time_to_accuracy import figure, report
from twolayer_ext.benchmark.time_to_accuracy.course import Course, Standardised
from twolayer_ext.benchmark.time_to_accuracy.goals import GOALS, Goal, Recipe, goals_named
from twolayer_ext.benchmark.time_to_accuracy.race import Entry, GoalResult, race, tune
from twolayer_ext.benchmark.time_to_accuracy.racers import Racer, Torch, Twolayer
from twolayer_ext.datasets.split import Split

SGD = Recipe((32,), "sgd", batch_size=20, learning_rate=0.05, epochs=8, decay=0.9)
ALL = Recipe(
    (32, 24),
    "adamw",
    batch_size=50,
    learning_rate=1e-2,
    epochs=6,
    peak_at=0.2,
    batch_norm=True,
    label_smoothing=0.1,
)
NAMES = ["twolayer float32", "twolayer bfloat16", "PyTorch float32", "PyTorch bf16 autocast"]


@pytest.fixture(autouse=True)
def matplotlib_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))


@pytest.fixture(scope="module")
def split():
    digits = tl.datasets.load_digits()
    digits = replace(digits, image_shape=(1, 8, 8))
    return Standardised.of(Split.at(digits.part(0, 1500), digits.part(1500, None), 1200))


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told to."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(course_module, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    return now


def goal_of(accuracy: float, recipe: Recipe, grid: tuple[Recipe, ...] = ()) -> Goal:
    return Goal("goal", accuracy, "anything", grid, dict.fromkeys(NAMES, recipe))


def quiet(text: str) -> None:
    pass


def predictor(split: Standardised, accuracy: float, clock, cost: float = 0.0):
    """A net that is right on the given share of the rows, and takes its time to say so."""

    def predict(x):
        clock.seconds += cost
        (part,) = (p for p in (split.validation, split.test) if p.x is x)
        wrong = np.arange(len(x)) >= round(accuracy * len(x))
        return (part.y + wrong) % 10

    return predict


class Scripted(Racer):
    """Takes seconds per epoch and reaches accuracies, by seed, as its learning rate says."""

    name = "twolayer float32"

    def __init__(self, split, clock, outcomes):
        super().__init__(split, "float32", 1)
        self.clock = clock
        self.outcomes = outcomes
        self.epochs = []

    def run(self, recipe, seed, course):
        seconds, *by_seed = self.outcomes[recipe.learning_rate]
        for accuracy in by_seed[seed % len(by_seed)][: recipe.epochs]:
            self.clock.seconds += seconds
            if course.epoch_done(predictor(self.split, accuracy, self.clock)):
                break
        self.epochs.append(len(course.seconds))


def test_the_clock_stops_while_accuracy_is_measured(split, clock):
    course = Course(split, 0.9)
    for accuracy in (0.5, 0.7, 0.9):
        clock.seconds += 2.0
        course.epoch_done(predictor(split, accuracy, clock, cost=1000.0))
    assert course.seconds == [2.0, 4.0, 6.0]
    assert course.seconds_to_goal == 6.0


def test_the_first_crossing_ends_a_run(split, clock):
    course = Course(split, 0.6)
    assert not course.reached
    stops = []
    for accuracy in (0.3, 0.59, 0.6):
        clock.seconds += 1.0
        stops.append(course.epoch_done(predictor(split, accuracy, clock)))
    assert stops == [False, False, True]
    assert course.accuracies == [0.3, 0.59, 0.6]
    assert course.reached
    assert course.test_accuracy == pytest.approx(0.6, abs=0.01)


def test_a_limit_ends_a_run_without_the_goal(split, clock):
    course = Course(split, 0.6, limit=2.5)
    stops = []
    for _ in range(3):
        clock.seconds += 1.0
        stops.append(course.epoch_done(predictor(split, 0.3, clock)))
    assert stops == [False, False, True]
    assert not course.reached
    assert course.seconds_to_goal == math.inf
    assert course.test_accuracy is None


def test_rates_of_a_recipe():
    # 60 steps an epoch
    assert [SGD.factor(step, 480) for step in (0, 59, 60, 479)] == [1, 1, 0.9, 0.9**7]
    one_cycle = tl.schedules.one_cycle(0.2)
    assert [ALL.factor(i, 144) for i in range(144)] == [one_cycle(i, 144) for i in range(144)]


def test_every_contender_has_settings_from_the_grid():
    for goal in GOALS:
        assert list(goal.tuned) == NAMES
        assert set(goal.tuned.values()) <= set(goal.grid)
        assert len(set(goal.grid)) == len(goal.grid)
    assert goals_named([]) == list(GOALS)
    assert [goal.accuracy for goal in goals_named(["anything"])] == [0.566]


def test_tuning_takes_the_fastest_with_a_margin_and_ends_trials_that_are_behind(split, clock):
    outcomes = {
        1.0: (3.0, [0.5, 0.7]),  # 6 s
        2.0: (1.0, [0.5, 0.6, 0.7]),  # the goal, without margin, in 2 s; with it in 3 s
        3.0: (1.0, [0.5] * 6),
        4.0: (5.0, [0.9]),
        5.0: (0.1, [0.9], [0.5] * 9),  # not with the second seed
    }
    racer = Scripted(split, clock, outcomes)
    grid = tuple(Recipe((1,), "sgd", 1, rate, epochs=8) for rate in outcomes)
    assert tune(goal_of(0.6, SGD, grid), racer, quiet) == grid[1]
    assert racer.epochs == [2, 2, 3, 3, 3, 1, 1, 8]
    # The closest where nothing gets there.
    assert tune(goal_of(0.95, SGD, grid), racer, quiet) == grid[3]


@pytest.mark.parametrize("recipe", [SGD, ALL], ids=["sgd", "all"])
def test_our_run_is_that_of_train(split, recipe):
    racers = [Twolayer(split, "float32", 2)]
    result = race(goal_of(0.85, recipe), racers, rounds=2, tune_anew=False, say=quiet)
    (entry,) = result.entries
    assert len(entry.reached) == 2
    for seed, course in enumerate(entry.courses):
        again = tl.train(
            split.training.x,
            split.training.y,
            validation_data=(split.validation.x, split.validation.y),
            hidden_sizes=recipe.hidden_sizes,
            optimizer=recipe.optimizer,
            learning_rate=recipe.learning_rate,
            schedule=recipe.factor,
            batch_norm=recipe.batch_norm,
            label_smoothing=recipe.label_smoothing,
            batch_size=recipe.batch_size,
            epochs=recipe.epochs,
            seed=seed,
            progress=False,
        )
        expected = again.history["val_accuracy"]
        assert course.accuracies == pytest.approx(expected[: len(course.accuracies)])
        assert course.accuracies[-1] >= 0.85 > max(course.accuracies[:-1], default=0)
        assert course.seconds == sorted(course.seconds)
        assert course.test_accuracy > 0.7


def test_a_goal_that_is_not_reached_has_no_number(split):
    racers = [Twolayer(split, "float32", 1)]
    result = race(goal_of(1.01, SGD), racers, rounds=2, tune_anew=False, say=quiet)
    row = report.goal_text(result, split).splitlines()[-1]
    assert row.split("  ")[1].strip() == "twolayer float32"
    assert "0 of 2" in row
    assert "never ... never" in row
    assert "×" not in row
    saved = json.loads(json.dumps(report.as_json({}, split, [result]), allow_nan=False))
    (entry,) = saved["goals"][0]["results"]
    assert entry["median_seconds"] is None
    assert entry["ours_is_times"] is None
    assert [run["seconds_to_goal"] for run in entry["runs"]] == [None, None]
    assert len(entry["runs"][0]["accuracies"]) == SGD.epochs


def test_divergence_is_not_reaching(split):
    wild = Recipe((32,), "sgd", batch_size=20, learning_rate=1e20, epochs=3)
    racers = [Twolayer(split, "float32", 1)]
    result = race(goal_of(0.5, wild), racers, rounds=1, tune_anew=False, say=quiet)
    assert result.left_out == {}
    assert result.entries[0].seconds == math.inf


def entry_of(name: str, split: Standardised, times: list[float]) -> Entry:
    entry = Entry(name, SGD)
    for seconds in times:
        course = Course(split, 0.5)
        course.seconds.append(min(seconds, 9.0))
        course.accuracies.append(0.5 if math.isfinite(seconds) else 0.4)
        course.test_accuracy = 0.5 if math.isfinite(seconds) else None
        entry.courses.append(course)
    return entry


def test_medians_count_runs_that_did_not_get_there_as_infinite(split):
    ours = entry_of("twolayer float32", split, [2.0, 1.0, math.inf])
    theirs = entry_of("PyTorch float32", split, [7.0, 8.0, 6.0])
    mostly = entry_of("PyTorch bf16 autocast", split, [1.0, math.inf, math.inf])
    result = GoalResult(goal_of(0.5, SGD), [ours, theirs, mostly], {"it": "not installed"})
    assert result.ours == 2.0
    lines = report.goal_text(result, split).splitlines()
    assert "2 of 3     2.00  1.00 ... never       1  50.0%        -" in lines[-4]
    assert "3 of 3     7.00   6.00 ... 8.00       1  50.0%    3.50×" in lines[-3]
    assert "1 of 3    never  1.00 ... never       1  50.0%        -" in lines[-2]
    assert lines[-1] == "  it: not timed; not installed"
    (axes,) = figure.plot_race([result]).axes
    assert len(axes.get_legend().get_texts()) == 3
    assert len(axes.get_lines()) == 1 + 9 + 6  # the goal, the runs, the marks of those that arrived


class Failing(Twolayer):
    def run(self, recipe, seed, course):
        raise RuntimeError("out of luck")


def test_who_fails_is_left_out(split):
    racers = [Failing(split, "float32", 1)]
    result = race(goal_of(0.5, SGD), racers, rounds=1, tune_anew=False, say=quiet)
    assert result.left_out == {"twolayer float32": "failed: RuntimeError: out of luck"}
    with pytest.raises(ValueError, match="nothing to draw"):
        figure.plot_race([result])


@pytest.mark.filterwarnings("ignore")  # another library's own affairs
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_pytorch_learns_as_we_do(split, dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    racer = Torch(split, dtype, 1)
    assert racer.name in NAMES
    for recipe in (SGD, ALL):
        result = race(goal_of(0.85, recipe), [racer], rounds=1, tune_anew=False, say=quiet)
        assert result.left_out == {}
        assert result.entries[0].reached
    rows = racer.rows_and_mirrored.float()
    assert torch.equal(rows[1200].view(8, 8), rows[0].view(8, 8).flip(1))
    flipping = Recipe((32,), "sgd", batch_size=20, learning_rate=0.05, epochs=1, flip=True)
    course = Course(split, 2.0)
    racer.run(flipping, 0, course)
    assert course.accuracies[0] > 0.3


def run_command(*options: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.run(parser.parse_args(["--time-to-accuracy", *options]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["faster"], "--time-to-accuracy: 'faster'; must be of sgd, anything"),
        (["--cases", "tuned"], "--cases: given; must be left out"),
        (["--dtypes", "float32"], "--dtypes: given; must be left out"),
        (["--rounds", "0"], "--rounds: 0"),
        ([], "--data: not given"),
    ],
)
def test_wrong_arguments(options, message, monkeypatch):
    monkeypatch.delenv("TWOLAYER_CIFAR10", raising=False)
    with pytest.raises(ValueError, match=message):
        run_command(*options)


def test_tune_alone():
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    with pytest.raises(ValueError, match="--tune: given; must come with --time-to-accuracy"):
        cli.run(parser.parse_args(["--tune"]))


def test_command(split, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli, "load_split", lambda path, limit: split)
    out, plot = tmp_path / "out.json", tmp_path / "out.png"
    files = ["--json", str(out), "--plot", str(plot)]
    assert run_command("sgd", "--rounds", "2", "--threads", "2", *files) == 0
    printed = capsys.readouterr()
    assert "sgd: 51.4% of 300 validation images, 1,200 to train on" in printed.out
    assert "2 of 2" in printed.out
    assert "sgd: round 2 of 2" in printed.err
    (goal,) = json.loads(out.read_text())["goals"]
    assert goal["results"][0]["ours_is_times"] >= 1
    assert plot.read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(cli, "racers", lambda *_, **__: [Failing(split, "float32", 1)])
    assert run_command("sgd") == 1
