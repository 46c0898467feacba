"""sweep(): what is drawn, checked, run, kept, resumed, ranked and shown."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.distributions import integer, log_uniform, uniform
from twolayer_ext.progress import SweepProgress
from twolayer_ext.streams import Purpose, generator
from twolayer_ext.sweeping import Run, search, workers
from twolayer_ext.sweeping.picture import plot_sweep
from twolayer_ext.sweeping.space import draw

SPACE = {
    "hidden_sizes": [(8,), (16,), (8, 8)],
    "learning_rate": log_uniform(1e-2, 1),
    "momentum": uniform(0, 0.9),
    "batch_size": integer(8, 64),
    "epochs": 2,
}


@pytest.fixture(scope="module")
def digits():
    """Training and validation rows, as the first arguments and validation_data."""
    data = tl.datasets.load_digits()
    return (data.x[:600], data.y[:600]), (data.x[600:900], data.y[600:900])


@pytest.fixture
def sweep(digits):
    """A function of space and other arguments."""
    training, validation = digits

    def run(space=SPACE, **others):
        options = {"validation_data": validation, "configurations": 6, "progress": False}
        return tl.sweep(space, *training, **{**options, **others})

    return run


@pytest.fixture
def trained(monkeypatch):
    """The configurations that are really trained, as they are."""
    configs = []
    run = workers.Task.run

    def noting(task, stop):
        configs.append(task.config)
        return run(task, stop)

    monkeypatch.setattr(workers.Task, "run", noting)
    return configs


def outcome(result):
    """All that must not depend on time or threads."""
    return [(r.number, r.config, r.val_accuracy, r.val_loss, r.accuracy) for r in result.runs]


# distributions and configurations


def test_distributions_fill_their_range_and_nothing_else():
    rng = np.random.default_rng(1)
    numbers = [uniform(-2, 3).draw(rng) for _ in range(2000)]
    assert -2 <= min(numbers) < -1.9
    assert 2.9 < max(numbers) < 3
    numbers = [log_uniform(1e-4, 1).draw(rng) for _ in range(2000)]
    assert 1e-4 <= min(numbers) < 1.1e-4
    assert 0.9 < max(numbers) <= 1
    assert 0.4 < np.mean(np.array(numbers) < 1e-2) < 0.6
    drawn = [integer(3, 6).draw(rng) for _ in range(200)]
    assert set(drawn) == {3, 4, 5, 6}
    assert {type(n) for n in drawn} == {int}


@pytest.mark.parametrize(
    ("make", "low", "high", "error"),
    [
        (uniform, 1, 1, ValueError),
        (uniform, 0, math.inf, ValueError),
        (uniform, "0", 1, TypeError),
        (log_uniform, 0, 1, ValueError),
        (log_uniform, 2, 1, ValueError),
        (integer, 3, 3, ValueError),
        (integer, 0.5, 3, TypeError),
        (integer, 0, 2**63, ValueError),
    ],
)
def test_bounds_that_make_no_distribution(make, low, high, error):
    with pytest.raises(error, match=r"^(low|high): .*must be"):
        make(low, high)


def test_a_configuration_depends_on_space_seed_and_number_only():
    few, many = draw(SPACE, 3, seed=4), draw(SPACE, 9, seed=4)
    assert many[:3] == few
    assert draw(dict(reversed(SPACE.items())), 9, seed=4) == many
    assert draw(SPACE, 9, seed=5) != many
    assert len({str(config) for config in many}) == 9
    assert all(set(config) == set(SPACE) for config in many)
    assert all(config["hidden_sizes"] in SPACE["hidden_sizes"] for config in many)


def test_a_function_as_space(sweep):
    def space(rng):
        optimizer = ["sgd", "adam"][rng.integers(2)]
        own = {"momentum": rng.uniform(0, 0.9)} if optimizer == "sgd" else {}
        rate = rng.uniform(1e-3, 1e-2)
        return {"epochs": 1, "optimizer": optimizer, "learning_rate": rate, **own}

    result = sweep(space)
    configs = {run.number: run.config for run in result.runs}
    assert configs[2] == space(generator(0, Purpose.SWEEP, 2))
    assert {config["optimizer"] for config in configs.values()} == {"sgd", "adam"}
    assert "momentum" in result.table()


def test_a_configuration_drawn_twice_is_run_once(sweep, trained):
    result = sweep({"hidden_sizes": [(4,), (8,)], "epochs": 1}, configurations=20)
    assert len(result.runs) == len(trained) == 2


# the result


def test_the_same_result_for_any_number_of_workers(sweep):
    results = [sweep(workers=count) for count in (1, 2, 5, 40)]
    assert len(results[0].runs) == 6
    assert {result.table() for result in results} == {results[0].table()}
    assert all(outcome(result) == outcome(results[0]) for result in results)


def test_runs_are_sorted_and_the_best_can_be_repeated(sweep, digits):
    result = sweep()
    accuracies = [run.val_accuracy for run in result.runs]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(set(accuracies)) > 1
    best = result.runs[0]
    again = tl.train(*digits[0], **result.best, progress=False)
    assert again.network.evaluate(*digits[1]) == (best.val_loss, best.val_accuracy)
    assert again.history["accuracy"][-1] == best.accuracy
    assert best.epochs == 2
    assert best.seconds > 0


def test_table(sweep):
    lines = sweep().table().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    swept = ["batch_size", "hidden_sizes", "learning_rate", "momentum"]
    assert cells[0] == ["val accuracy", "val loss", "accuracy", "epochs", *swept, "configuration"]
    assert len(lines) == 2 + 6
    assert len({len(line) for line in lines}) == 1
    assert sorted(row[-1] for row in cells[2:]) == list("012345")
    assert cells[2][0].endswith("%")


def test_divergence_is_a_result(sweep):
    space = {"hidden_sizes": (8,), "learning_rate": [1e-2, 1e30], "reg": 0.1, "epochs": 2}
    result = sweep(space, configurations=10)
    good, bad = result.runs
    assert good.config["learning_rate"] == 1e-2
    assert bad.diverged
    assert all(math.isnan(v) for v in (bad.val_accuracy, bad.val_loss, bad.accuracy))
    assert "diverged" in result.table().splitlines()[-1]
    with pytest.raises(ValueError, match=r"^best: none of 1 runs.*smaller learning rates"):
        _ = sweep({**space, "learning_rate": 1e30}, configurations=1).best


# errors before anything runs


@pytest.mark.parametrize(
    ("others", "error", "message"),
    [
        ({"space": {"learning_rat": 1}}, ValueError, "'learning_rat' is no argument of train"),
        ({"space": {"threads": 2}}, ValueError, "'threads' is not for a sweep"),
        ({"space": {"epochs": []}}, ValueError, "space: no choices for epochs"),
        ({"space": {"hidden_sizes": [64]}}, TypeError, "hidden_sizes: 64; must be a sequence"),
        ({"space": {"momentum": uniform(-1, 0)}}, ValueError, "momentum: -"),
        ({"space": {"optimizer": "adam", "momentum": 0.5}}, ValueError, "only sgd has it"),
        ({"space": 3}, TypeError, "space: int; must be a dict or a function"),
        ({"space": lambda rng: 3}, TypeError, "space: the function returned 3"),
        ({"space": lambda rng: {"init": rng}}, TypeError, "init: "),
        ({"configurations": 0}, ValueError, "configurations: 0; must be at least 1"),
        ({"method": "grid"}, ValueError, "method: 'grid'; must be one of"),
        ({"eta": 1}, ValueError, "eta: 1; must be at least 2"),
        ({"seed": -1}, ValueError, "seed: -1"),
        ({"workers": 0}, ValueError, "workers: 0"),
        ({"progress": 1}, TypeError, "progress: 1"),
        ({"validation_data": None}, TypeError, "validation_data: None; must be a pair"),
        ({"validation_data": ([[1.0]], [0])}, ValueError, r"validation_data\[0\]: 1 features"),
        ({"method": "halving"}, ValueError, "method: 'halving' of 6 .* over 2 epochs"),
        (
            {"method": "halving", "space": {"epochs": integer(3, 99)}},
            ValueError,
            "epochs: .* must be one number",
        ),
        (
            {"method": "halving", "space": {"max_steps": 9, "epochs": None}},
            ValueError,
            "max_steps: given with method 'halving'",
        ),
    ],
)
def test_wrong_arguments_are_found_before_anything_runs(
    sweep, trained, tmp_path, others, error, message
):
    with pytest.raises(error, match=message):
        sweep(**others, out=tmp_path / "out")
    assert trained == []
    assert list(tmp_path.iterdir()) == []


def test_the_last_configuration_is_checked_before_the_first_runs(sweep, trained):
    rates = iter([0.1, 0.1, 0.2, 0.3, -1.0])
    with pytest.raises(ValueError, match=r"learning_rate: -1.0; must be .*above 0") as info:
        sweep(lambda rng: {"learning_rate": next(rates)}, configurations=5)
    assert info.value.__notes__ == ["in configuration 4 of the sweep: {'learning_rate': -1.0}"]
    assert trained == []


def test_data_too_large_for_one_of_the_types(sweep, trained, blobs):
    x, y = blobs
    large = np.where(x > 0, 1e300, x)
    space = {"dtype": ["float64", "float32"], "normalize": None}
    for data, validation, name in (
        ((large, y), blobs, "x"),
        (blobs, (large, y), r"validation_data\[0\]"),
    ):
        with pytest.raises(ValueError, match=rf"^{name}: 1e\+300 .* finite in float32"):
            tl.sweep(space, *data, validation_data=validation, progress=False)
    assert trained == []


# many at once


def test_as_many_at_once_as_there_are_workers(sweep, monkeypatch):
    together = threading.Barrier(3, timeout=20)
    run = workers.Task.run

    def meeting(task, stop):
        together.wait()  # breaks unless three tasks are under way
        return run(task, stop)

    monkeypatch.setattr(workers.Task, "run", meeting)
    assert len(sweep(workers=3).runs) == 6


@pytest.mark.parametrize(("count", "threads"), [(4, 2), (6, 3), (7, 3), (1, 1)])
def test_workers_without_a_run_become_threads_of_the_others(sweep, monkeypatch, count, threads):
    seen = []
    prepare = workers.prepare

    def noting(network_class, x, y, options):
        seen.append(options["threads"])
        return prepare(network_class, x, y, options)

    monkeypatch.setattr(workers, "prepare", noting)
    sweep(configurations=2, workers=count)
    assert seen == [threads] * 2


def test_the_data_is_neither_copied_nor_converted_for_each_run(sweep, digits, monkeypatch):
    seen = []
    prepare = workers.prepare

    def noting(network_class, x, y, options):
        seen.append((x, options["normalize"]))
        return prepare(network_class, x, y, options)

    monkeypatch.setattr(workers, "prepare", noting)
    sweep()
    assert len(seen) == 6
    assert all(x is seen[0][0] and np.shares_memory(x, digits[0][0]) for x, _ in seen)
    assert all(pair is seen[0][1] for _, pair in seen)  # moments are taken once


def test_an_error_in_a_worker_ends_the_sweep(sweep, monkeypatch):
    run = workers.Task.run
    started = []

    def failing(task, stop):
        started.append(task.number)
        if task.number == 1:
            raise MemoryError("no more")
        return run(task, stop)

    monkeypatch.setattr(workers.Task, "run", failing)
    with pytest.raises(MemoryError, match="no more"):
        sweep(configurations=500, workers=1)
    assert len(started) < 500
    assert not [t for t in threading.enumerate() if t.name.startswith("twolayer-sweep")]


# successive halving


def test_halving_runs_the_best_longer(sweep, trained):
    space = {**SPACE, "epochs": 9}
    result = sweep(space, configurations=10, method="halving", eta=3)
    by_epochs = {
        epochs: [run for run in result.runs if run.config["epochs"] == epochs]
        for epochs in (1, 3, 9)
    }
    assert [len(runs) for runs in by_epochs.values()] == [10, 3, 1]
    assert len(trained) == len(result.runs) == 14
    assert {run.number for run in by_epochs[3]} == {run.number for run in by_epochs[1][:3]}
    assert by_epochs[9][0].number == by_epochs[3][0].number
    assert by_epochs[9][0].epochs == 9


def test_halving_gives_the_result_of_one_long_run(sweep, digits):
    space = {**SPACE, "epochs": 4}
    result = sweep(space, configurations=4, method="halving", eta=2, workers=2)
    longest = next(run for run in result.runs if run.config["epochs"] == 4)
    network = tl.train(*digits[0], **longest.config, progress=False).network
    assert network.evaluate(*digits[1])[1] == longest.val_accuracy


def test_halving_leaves_out_what_diverged(sweep):
    space = {"hidden_sizes": (8,), "learning_rate": [0.1, 1e30], "reg": 0.1, "epochs": 4}
    result = sweep(space, configurations=10, method="halving", eta=2)
    assert [(r.config["epochs"], r.diverged) for r in result.runs if r.diverged] == [(2, True)]
    result = sweep({**space, "learning_rate": [1e30, 2e30]}, method="halving", eta=2)
    assert len(result.runs) == 2


# files, and going on


def lines(folder):
    return [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]


def test_files(sweep, tmp_path):
    out = tmp_path / "new" / "folder"
    result = sweep(out=out)
    assert sorted(p.name for p in out.iterdir()) == ["runs.jsonl", "sweep.png", "table.md"]
    assert (out / "table.md").read_text() == result.table()
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    header, *runs = lines(out)
    assert header["format"] == "twolayer-ext sweep 1"
    by_number = {run.number: run for run in result.runs}
    assert len(runs) == 6
    for entry in runs:
        run = by_number[entry["number"]]
        assert entry["config"] == {**run.config, "hidden_sizes": list(run.config["hidden_sizes"])}
        assert entry["val_accuracy"] == run.val_accuracy


def test_nothing_is_repeated(sweep, trained, tmp_path):
    first = sweep(out=tmp_path)
    content = (tmp_path / "runs.jsonl").read_bytes()
    assert len(trained) == 6
    second = sweep(out=tmp_path, workers=1)
    assert len(trained) == 6
    assert (tmp_path / "runs.jsonl").read_bytes() == content
    assert second == first  # seconds, too


def test_more_configurations_and_halving_use_what_is_there(sweep, trained, tmp_path):
    sweep(out=tmp_path, configurations=4)
    more = sweep(out=tmp_path, configurations=7)
    assert len(trained) == 7
    assert outcome(more) == outcome(sweep(configurations=7))
    trained.clear()
    sweep(out=tmp_path, configurations=7, method="halving", eta=2)
    assert {config["epochs"] for config in trained} == {1}


def test_a_torn_last_line_is_done_again(sweep, trained, tmp_path):
    expected = sweep(out=tmp_path)
    path = tmp_path / "runs.jsonl"
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for length in (last + 1, last + 30, len(whole) - 1):
        trained.clear()
        path.write_bytes(whole[:length])
        assert outcome(sweep(out=tmp_path)) == outcome(expected)
        assert len(trained) == 1
        assert len(lines(tmp_path)) == 7


def test_diverged_runs_are_kept_too(sweep, trained, tmp_path):
    space = {"hidden_sizes": (8,), "learning_rate": 1e30, "reg": 0.1, "epochs": 2}
    sweep(space, out=tmp_path)
    (run,) = sweep(space, out=tmp_path).runs
    assert run.diverged
    assert len(trained) == 1


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        (
            {"space": {**SPACE, "momentum": uniform(0, 0.5)}},
            r"space momentum was uniform\(0.0, 0.9\), is uniform\(0.0, 0.5\)",
        ),
        ({"space": {**SPACE, "init": "he"}}, "space init was absent, is he"),
        ({"validation_data": "halved"}, r"validation_data\[0\] shape was \[300, 64\], is \[150"),
        ({"validation_data": "other"}, r"validation_data\[0\] sha256 was"),
    ],
)
def test_another_sweep_is_an_error_that_says_what_differs(
    sweep, digits, trained, tmp_path, others, message
):
    sweep(out=tmp_path)
    trained.clear()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    x, y = digits[1]
    data = {"halved": (x[::2], y[::2]), "other": (x[::-1], y)}
    if "validation_data" in others:
        others = {"validation_data": data[others["validation_data"]]}
    with pytest.raises(ValueError, match=rf"^out: .* another sweep: .*{message}.*; must be"):
        sweep(**others, out=tmp_path)
    assert trained == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, b""),
        (1, b"{}"),
        (1, b'{"format": "another"}'),
        (2, b"\xff\x00"),
        (2, b"[]"),
        (2, b"[" * 100_000),
        (2, b'{"config": {}}'),
        (2, b'{"config": 1, "epochs": 1, "val_accuracy": 1.0, "val_loss": 1.0, "accuracy": 1.0, '
            b'"seconds": 1.0}'),
        (2, b'{"config": {}, "epochs": 1, "val_accuracy": NaN, "val_loss": 1.0, "accuracy": 1.0, '
            b'"seconds": 1.0}'),
    ],
)  # fmt: skip
def test_a_broken_file_is_an_error(sweep, trained, tmp_path, number, line):
    sweep(out=tmp_path, configurations=2)
    trained.clear()
    path = tmp_path / "runs.jsonl"
    content = path.read_bytes().splitlines(keepends=True)
    content[number - 1] = line + b"\n"
    path.write_bytes(b"".join(content))
    with pytest.raises(tl.FileFormatError, match=r"runs\.jsonl: "):
        sweep(out=tmp_path)
    assert trained == []
    assert path.read_bytes() == b"".join(content)


@pytest.mark.skipif(os.name != "posix", reason="sends itself SIGINT, which is POSIX")
def test_interrupt_keeps_what_is_finished(trained, tmp_path):
    # The first is quick; an epoch of each other takes longer than this test may.
    x = np.broadcast_to(np.arange(784, dtype=np.uint8), (200_000, 784))
    y = np.arange(200_000) % 10
    numbers, sent = iter(range(5)), []

    def space(rng):
        size = {"hidden_sizes": (1024,), "epochs": 20}
        if next(numbers) == 0:
            size = {"hidden_sizes": (8,), "max_steps": 1}
        return {**size, "normalize": (127.5, 127.5), "learning_rate": rng.uniform(1e-4, 1e-3)}

    def interrupt():
        until = time.monotonic() + 60
        path = tmp_path / "runs.jsonl"
        while time.monotonic() < until:
            if len(trained) == 3 and path.read_bytes().count(b"\n") == 2:
                break
            time.sleep(0.01)
        time.sleep(0.2)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(tl.SweepInterrupted) as info:
        tl.sweep(
            space,
            x,
            y,
            validation_data=(x[:50], y[:50]),
            configurations=5,
            workers=2,
            out=tmp_path,
            progress=False,
        )
    delay = time.perf_counter() - sent[0]
    assert delay < 1  # an epoch takes several times as long
    assert isinstance(info.value, KeyboardInterrupt)
    assert [run.number for run in info.value.result.runs] == [0]
    assert len(lines(tmp_path)) == 2
    assert len(trained) == 3
    assert not [t for t in threading.enumerate() if t.name.startswith("twolayer-sweep")]


PROGRAM = """
import sys
import twolayer_ext as tl
data = tl.datasets.load_digits()
space = {"hidden_sizes": (64,), "learning_rate": tl.distributions.log_uniform(1e-3, 0.1)}
tl.sweep(
    {**space, "epochs": 30}, data.x[:900], data.y[:900], workers=2, out=sys.argv[1],
    configurations=int(sys.argv[2]), validation_data=(data.x[900:], data.y[900:]),
)
"""


def test_a_killed_sweep_goes_on(tmp_path):
    path = tmp_path / "runs.jsonl"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), "1000"])
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and (
            not path.exists() or path.read_bytes().count(b"\n") < 4
        ):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    before = path.read_bytes()
    done = before.count(b"\n") - 1
    assert 3 <= done < 1000
    # Runs beyond this number would have to have been started out of order.
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(done + 2)], check=True, timeout=60
    )
    after = path.read_bytes()
    assert after.startswith(before[: before.rfind(b"\n") + 1])
    numbers = [entry["number"] for entry in lines(tmp_path)[1:]]
    assert sorted(numbers) == list(range(done + 2))  # each once


# what is shown


@pytest.fixture
def figure_of(monkeypatch, tmp_path_factory):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))

    def make(configs, accuracies, epochs=None):
        runs = [
            Run(i, config, accuracy, 1.0, accuracy, 3 if epochs is None else epochs[i], 0.1)
            for i, (config, accuracy) in enumerate(zip(configs, accuracies, strict=True))
        ]
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
    figure = figure_of(configs, accuracies)
    axes = {a.get_title(loc="left"): a for a in figure.axes}
    assert list(axes) == ["activation", "batch_size", "learning_rate", "momentum"]
    assert [a.get_xscale() for a in axes.values()] == ["linear", "linear", "log", "linear"]
    assert [t.get_text() for t in axes["batch_size"].get_xticklabels()] == ["32", "64", "128"]
    for panel in axes.values():
        runs, best, diverged = panel.collections
        assert [len(c.get_offsets()) for c in (runs, best, diverged)] == [29, 1, 1]
        assert best.get_offsets()[0][1] == 75.0
    rate = axes["learning_rate"].collections[1].get_offsets()[0][0]
    assert rate == configs[28]["learning_rate"]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["run", "best, 75.00%", "diverged"]


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


def test_progress_counts_earlier_runs_and_tells_the_best(sweep, monkeypatch, tmp_path):
    made, told = [], []

    class Recorder(SweepProgress):
        def __init__(self, enabled, title, total, before):
            made.append((enabled, title, total, before))
            super().__init__(enabled, title, total, before)

        def update(self, done, best):
            told.append((done, best))

    sweep(out=tmp_path, configurations=2)
    monkeypatch.setattr(search, "SweepProgress", Recorder)
    result = sweep(out=tmp_path, progress=None)
    assert made == [(None, "run ", 6, 2)]
    assert told[0][0] == 0
    assert told[-1] == (4, result.runs[0].val_accuracy)
    made.clear()
    sweep({**SPACE, "epochs": 3}, method="halving")
    assert made == [(False, "round 1 of 2, run ", 6, 0), (False, "round 2 of 2, run ", 2, 0)]
