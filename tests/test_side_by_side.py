"""Runs side by side: order, results, errors, Ctrl-C."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

import twolayer_ext as tl
from twolayer_ext.side_by_side import Task, run_side_by_side


def idle() -> None:
    while True:
        time.sleep(0.005)


def test_results_come_in_the_order_of_the_tasks_and_the_longest_run_first():
    started, ended = [], []

    def make(name):
        def run(advance):
            started.append(name)
            advance(0.5)
            return name.upper()

        return run

    tasks = [Task(work, make(name)) for name, work in (("a", 1), ("b", 3), ("c", 2))]
    results = run_side_by_side(tasks, workers=1, finished=lambda *done: ended.append(done))
    assert results == ["A", "B", "C"]
    assert started == ["b", "c", "a"]
    assert ended == [(1, "B"), (2, "C"), (0, "A")]


def test_as_many_at_a_time_as_there_are_workers():
    barrier = threading.Barrier(3)
    now, most = [], []

    def run(advance):
        now.append(1)
        barrier.wait(timeout=10)  # breaks unless three are here
        most.append(len(now))
        barrier.wait(timeout=10)
        now.pop()

    run_side_by_side([Task(1, run)] * 6, workers=3)
    assert max(most) == 3
    assert run_side_by_side([Task(1, lambda advance: 7)], workers=8) == [7]
    assert run_side_by_side([], workers=2) == []


def test_an_error_stops_the_others_and_is_raised():
    def fail(advance):
        raise ValueError("no such net")

    before = threading.active_count()
    with pytest.raises(ValueError, match="no such net"):
        run_side_by_side([Task(2, lambda advance: idle()), Task(1, fail)], workers=2)
    assert threading.active_count() == before


def test_ctrl_c_stops_training_runs_at_once():
    digits = tl.datasets.load_digits()
    epochs = []

    def run(advance):
        tl.train(
            *(digits.x, digits.y),
            epochs=10**7,
            threads=1,
            progress=False,
            callbacks=[lambda event: epochs.append(event.epoch)],
        )

    def interrupt():
        while len(epochs) < 5:
            time.sleep(0.005)
        pressed.append(time.monotonic())
        _thread.interrupt_main()

    pressed: list[float] = []
    key = threading.Thread(target=interrupt)
    before = threading.active_count()
    key.start()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([Task(1, run)] * 4, workers=2)
    assert time.monotonic() - pressed[0] < 1
    key.join()
    assert threading.active_count() == before


@pytest.mark.parametrize("without_tqdm", [False, True])
def test_progress_goes_to_standard_error_and_is_erased(without_tqdm, capsys, monkeypatch):
    if without_tqdm:
        monkeypatch.setitem(__import__("sys").modules, "tqdm", None)

    def run(advance):
        advance(0.5)
        time.sleep(0.35)

    run_side_by_side([Task(1, run)] * 2, workers=1, progress=True)
    output, errors = capsys.readouterr()
    assert output == ""
    assert "run 0/2" in errors
    assert "25%" in errors
    assert "1 running" in errors
    assert errors.split("\r")[-1].strip() == ""
    run_side_by_side([Task(1, run)], workers=1)
    assert capsys.readouterr() == ("", "")  # no terminal
