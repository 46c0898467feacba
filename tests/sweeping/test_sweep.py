"""sweep(): its result, many runs at once, successive halving, progress."""

from __future__ import annotations

import math
import threading
import tracemalloc

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.distributions import log_uniform, uniform
from twolayer_ext.sweeping import search, trial
from twolayer_ext.sweeping.side_by_side import THREAD_NAMES
from twolayer_ext.sweeping.trial import Trial
from twolayer_ext.training.progress import RunsProgress

# Rates that leave the validation loss unsteady.
STOPPING_EARLY = {
    "hidden_sizes": (8,),
    "optimizer": "sgd",
    "learning_rate": log_uniform(0.1, 1),
    "learning_rate_decay": 1.0,
    "epochs": 12,
    "early_stopping": 2,
    "batch_size": 16,
}


def test_the_same_result_for_any_number_of_workers(sweep, outcome):
    results = [sweep(workers=count) for count in (1, 2, 5, 40)]
    assert len(results[0].runs) == 6
    assert {result.table() for result in results} == {results[0].table()}
    assert all(outcome(result) == outcome(results[0]) for result in results)


def test_runs_are_sorted_and_the_best_can_be_repeated(sweep, digits):
    result = sweep()
    accuracies = [run.val_score for run in result.runs]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(set(accuracies)) > 1
    best = result.runs[0]
    again = tl.train(*digits[0], **result.best, progress=False)
    assert again.network.evaluate(*digits[1]) == (best.val_loss, best.val_score)
    assert again.history["accuracy"][-1] == best.score
    assert best.epochs == 2
    assert best.seconds > 0


def test_early_stopping_is_judged_by_what_train_returns(sweep, digits):
    result = sweep(STOPPING_EARLY)
    scores, last_scores = [], []
    for run in result.runs:
        training = tl.train(*digits[0], **run.config, validation_data=digits[1], progress=False)
        assert training.network.evaluate(*digits[1]) == (run.val_loss, run.val_score)
        assert training.history["accuracy"][training.best_epoch - 1] == run.score
        assert run.epochs == len(training.history["loss"])
        scores.append(run.val_score)
        last_scores.append(training.history["val_accuracy"][-1])
    assert scores == sorted(scores, reverse=True)
    assert np.argmax(last_scores) != 0  # by the last epochs another one would win


def test_the_best_run_with_early_stopping_can_be_repeated(sweep, digits):
    result = sweep(STOPPING_EARLY)
    again = tl.train(*digits[0], **result.best, progress=False)
    best = result.runs[0]
    assert again.network.evaluate(*digits[1]) == (best.val_loss, best.val_score)
    assert len(again.history["loss"]) == best.epochs
    assert "validation_data" not in best.config
    assert "validation_data" not in repr(result)
    assert "validation_data" not in sweep().best


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
    assert all(math.isnan(v) for v in (bad.val_score, bad.val_loss, bad.score))
    assert "diverged" in result.table().splitlines()[-1]
    with pytest.raises(ValueError, match=r"^best: none of 1 runs.*smaller learning rates"):
        _ = sweep({**space, "learning_rate": 1e30}, configurations=1).best


# many at once


def test_as_many_at_once_as_there_are_workers(sweep, monkeypatch):
    together = threading.Barrier(3, timeout=600)
    run = Trial.run

    def meeting(trial, advance):
        together.wait()  # breaks unless three tasks are under way
        return run(trial, advance)

    monkeypatch.setattr(Trial, "run", meeting)
    assert len(sweep(workers=3).runs) == 6


@pytest.mark.parametrize(("count", "threads"), [(4, 2), (6, 3), (7, 3), (1, 1)])
def test_workers_without_a_run_become_threads_of_the_others(sweep, monkeypatch, count, threads):
    seen = []
    fit = trial.fit

    def noting(network_class, x, y, options, **others):
        seen.append(options["threads"])
        return fit(network_class, x, y, options, **others)

    monkeypatch.setattr(trial, "fit", noting)
    sweep(configurations=2, workers=count)
    assert seen == [threads] * 2


def test_the_data_is_neither_copied_nor_converted_for_each_run(sweep, digits, monkeypatch):
    seen = []
    fit = trial.fit

    def noting(network_class, x, y, options, **others):
        seen.append((x, options["normalize"]))
        return fit(network_class, x, y, options, **others)

    monkeypatch.setattr(trial, "fit", noting)
    sweep()
    assert len(seen) == 6
    assert all(x is seen[0][0] and np.shares_memory(x, digits[0][0]) for x, _ in seen)
    assert all(pair is seen[0][1] for _, pair in seen)  # moments are taken once


def test_no_copy_of_the_data_is_made():
    x = np.zeros((40_000, 400), np.uint8)
    x[::3] = 1
    y = np.arange(40_000) % 3 == 0
    space = {"hidden_sizes": (8,), "max_steps": 20, "learning_rate": uniform(0.1, 0.2)}
    data = x, y.astype(int)
    tracemalloc.start()
    try:
        tl.sweep(space, *data, validation_data=data, configurations=4, workers=2, progress=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Row numbers and their order, 8 bytes a row, for each worker; a copy of x is 16 MB.
    assert peak < 8e6


def test_an_error_in_a_worker_ends_the_sweep(sweep, monkeypatch):
    run = Trial.run
    started = []

    def failing(trial, advance):
        started.append(trial.number)
        if trial.number == 1:
            raise MemoryError("no more")
        return run(trial, advance)

    monkeypatch.setattr(Trial, "run", failing)
    with pytest.raises(MemoryError, match="no more"):
        sweep(configurations=500, workers=1)
    assert len(started) < 500
    assert not [t for t in threading.enumerate() if t.name.startswith(THREAD_NAMES)]


# successive halving


def test_halving_runs_the_best_longer(sweep, trained, space):
    space = {**space, "epochs": 9}
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


def test_halving_gives_the_result_of_one_long_run(sweep, digits, space):
    space = {**space, "epochs": 4}
    result = sweep(space, configurations=4, method="halving", eta=2, workers=2)
    longest = next(run for run in result.runs if run.config["epochs"] == 4)
    network = tl.train(*digits[0], **longest.config, progress=False).network
    assert network.evaluate(*digits[1])[1] == longest.val_score


def test_halving_leaves_out_what_diverged(sweep):
    space = {"hidden_sizes": (8,), "learning_rate": [0.1, 1e30], "reg": 0.1, "epochs": 4}
    result = sweep(space, configurations=10, method="halving", eta=2)
    assert [(r.config["epochs"], r.diverged) for r in result.runs if r.diverged] == [(2, True)]
    result = sweep({**space, "learning_rate": [1e30, 2e30]}, method="halving", eta=2)
    assert len(result.runs) == 2


def test_progress_counts_earlier_runs_and_tells_the_best(sweep, monkeypatch, tmp_path, space):
    made, told = [], []

    class Recorder(RunsProgress):
        def __init__(self, enabled, title, total, before):
            made.append((enabled, title, total, before))
            super().__init__(enabled, title, total, before)

        def update(self, done, share, status):
            told.append((done, share, status))

    sweep(out=tmp_path, configurations=2)
    monkeypatch.setattr(search, "RunsProgress", Recorder)
    result = sweep(out=tmp_path, progress=None)
    assert made == [(None, "run ", 6, 2)]
    assert told[0][0] == 0
    assert told[-1] == (4, 1.0, f"best val accuracy {result.runs[0].val_score:.1%}")
    made.clear()
    sweep({**space, "epochs": 3}, method="halving")
    assert made == [(False, "round 1 of 2, run ", 6, 0), (False, "round 2 of 2, run ", 2, 0)]
