"""Runs side by side: order, results, errors, Ctrl-C."""

from __future__ import annotations

import _thread
import queue
import threading
import time
from typing import cast

import pytest

import twolayer_ext as tl
from twolayer_ext.network import Network
from twolayer_ext.sweeping.side_by_side import Stopped, Task, run_side_by_side
from twolayer_ext.training import DEFAULTS, TrainOptions, fit


def idle(advance) -> None:
    while True:
        advance(0.0)
        time.sleep(0.005)


def test_results_come_in_the_order_of_the_tasks_and_the_longest_run_first():
    started, ended = [], []

    def make(name):
        def run(advance):
            started.append(name)
            advance(0.5)
            return name.upper()

        return run

    tasks = [Task(make(name), work) for name, work in (("a", 1), ("b", 3), ("c", 2))]
    results = run_side_by_side(tasks, workers=1, finished=lambda *done: ended.append(done))
    assert results == ["A", "B", "C"]
    assert started == ["b", "c", "a"]
    assert ended == [(1, "B"), (2, "C"), (0, "A")]
    run_side_by_side([Task(make(name)) for name in "xyz"], workers=1)
    assert started[3:] == ["x", "y", "z"]  # of equal work: as given


def test_as_many_at_a_time_as_there_are_workers():
    barrier = threading.Barrier(3)
    now, most = [], []

    def run(advance):
        now.append(1)
        barrier.wait(timeout=600)  # breaks unless three are here
        most.append(len(now))
        barrier.wait(timeout=600)
        now.pop()

    run_side_by_side([Task(run)] * 6, workers=3)
    assert max(most) == 3
    assert run_side_by_side([Task(lambda advance: 7)], workers=8) == [7]
    assert run_side_by_side([], workers=2) == []


def test_watch_is_told_the_share_of_all_work():
    told, half, seen = [], threading.Event(), threading.Event()

    def long(advance):
        advance(0.5)
        half.set()
        assert seen.wait(timeout=600)

    def short(advance):
        assert half.wait(timeout=600)

    def watch(done, share):
        told.append((done, share))
        if (done, share) == (1, pytest.approx(2.5 / 4)):  # half of three, and all of one
            seen.set()

    run_side_by_side([Task(short, 1), Task(long, 3)], workers=2, watch=watch)
    assert told[0][0] == 0
    assert told[-1] == (2, 1.0)
    assert told == sorted(told)


# `queue.Empty` is what the pool itself meets while it waits.
@pytest.mark.parametrize("error", [ValueError("no such net"), queue.Empty("no such net")])
@pytest.mark.parametrize("where", ["run", "finished"])
def test_an_error_stops_the_others_and_is_raised(where, error):
    ended = []

    def fail(advance):
        if where == "run":
            raise error

    def finished(index, result):
        if where == "finished":
            raise error

    def other(advance):
        try:
            idle(advance)
        except Stopped:
            ended.append(True)
            raise

    before = threading.active_count()
    with pytest.raises(type(error), match="no such net"):
        run_side_by_side(
            [Task(other, 2), Task(fail, 1), Task(other, 0.5)], workers=2, finished=finished
        )
    assert threading.active_count() == before
    assert ended == [True]  # the third was not begun, or not for long


@pytest.mark.parametrize("during", ["training", "validation"])
def test_ctrl_c_stops_training_runs_at_once(during):
    digits = tl.datasets.load_digits()
    x, y = digits.x, digits.y
    steps = []
    # All of the time goes into one of the two.
    many, few = (x.repeat(300, axis=0), y.repeat(300)), (x[:10], y[:10])
    training, validation = (many, few) if during == "training" else (few, many)
    options = cast(
        TrainOptions,
        {
            **DEFAULTS,
            "hidden_sizes": (256, 256),
            "epochs": 10**4,
            "validation_data": validation,
            "threads": 1,
            "progress": False,
        },
    )

    def run(advance):
        def watch(share):
            advance(share)
            steps.append(share)

        fit(Network, *training, options, watch=watch)

    def interrupt():
        while len(steps) < 8:
            time.sleep(0.005)
        pressed.append(time.monotonic())
        _thread.interrupt_main()

    pressed: list[float] = []
    key = threading.Thread(target=interrupt)
    before = threading.active_count()
    key.start()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([Task(run)] * 4, workers=2)
    assert time.monotonic() - pressed[0] < 1
    key.join()
    assert threading.active_count() == before
