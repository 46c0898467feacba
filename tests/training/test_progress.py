"""The progress display: what is shown where, how often, and that it leaves nothing behind."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from twolayer_ext.training import progress
from twolayer_ext.training.progress import Progress, RunsProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stderr(monkeypatch):
    return use(Terminal(), monkeypatch)


def use(stream, monkeypatch):
    """Give `progress` a standard error of its own: pytest sets the real one anew all the time."""
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    return stream


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets, so that nothing depends on how fast the machine is."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture(params=["tqdm", "line"])
def display(request, monkeypatch):
    if request.param == "tqdm":
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)  # importing it raises ImportError
    return request.param


def visible(text: str) -> str:
    """What a terminal shows of `text` in its last line."""
    columns: list[str] = []
    for line in text.rpartition("\n")[2].split("\r"):
        columns[: len(line)] = line
    return "".join(columns).rstrip()


def test_shows_loss_accuracy_speed_and_time_left(stderr, clock, display):
    with Progress(True, 4, 400, "accuracy") as bar:
        clock.now += 10
        bar.update(2, 100, 12_800, 0.5, 0.875)
        shown = visible(stderr.getvalue())
        assert "epoch 2/4" in shown
        assert "25%" in shown
        assert "loss 0.5000" in shown
        assert "accuracy 87.5%" in shown
        assert "1,280 samples/s" in shown
        assert "left" in shown
        if display == "line":
            assert "00:30 left" in shown
    assert visible(stderr.getvalue()) == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [("r2", "loss 0.5000, R² 0.47 (val -0.10), 1,280"), ("", "loss 0.5000, 1,280")],
)
def test_other_scores_and_none(stderr, clock, display, name, shown):
    with Progress(True, 4, 400, name) as bar:
        clock.now += 10
        bar.update(1, 50, 6_400, 1.0, 0.3)
        bar.epoch_end({"val_loss": [1.0], "val_r2": [-0.1]} if name else {"val_loss": [1.0]})
        bar.update(2, 100, 12_800, 0.5, 0.467)
        assert shown in visible(stderr.getvalue())


def test_redraws_at_most_ten_times_a_second(stderr, clock, display):
    with Progress(True, 1, 1000, "accuracy") as bar:
        clock.now += 1
        for step in range(1, 1001):
            clock.now += 0.001
            bar.update(1, step, step, 1.0, 0.5)
    draws = stderr.getvalue().count("loss 1.0000")
    assert 9 <= draws <= 12


def test_epoch_end_clears_the_line_and_keeps_the_validation_accuracy(stderr, clock, display):
    with Progress(True, 2, 20, "accuracy") as bar:
        clock.now += 1
        bar.update(1, 10, 10, 1.0, 0.5)
        bar.epoch_end({"val_accuracy": [0.25]})
        assert visible(stderr.getvalue()) == ""
        bar.update(2, 11, 11, 1.0, 0.5)
        assert "accuracy 50.0% (val 25.0%)" in visible(stderr.getvalue())


def test_a_narrow_terminal_is_never_overfull(stderr, clock, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setenv("COLUMNS", "30")
    with Progress(True, 1, 10, "accuracy") as bar:
        clock.now += 1
        bar.update(1, 5, 5, 1.0, 0.5)
        assert len(visible(stderr.getvalue())) <= 29


def test_only_the_number_of_steps_known(stderr, clock, display):
    with Progress(True, None, 10, "accuracy") as bar:
        clock.now += 1
        bar.update(3, 5, 5, 1.0, 0.5)
        assert "epoch 3 " in visible(stderr.getvalue())


def test_runs_show_how_many_are_done_and_time_left(stderr, clock, display):
    with RunsProgress(True, "round 1 of 2, run ", 12, before=4) as bar:
        clock.now += 10
        bar.update(2, 0.25, "best val accuracy 45.7%")
        shown = visible(stderr.getvalue())
        assert "round 1 of 2, run 6/12" in shown
        assert "25%" in shown  # of the 8 that were left
        assert "best val accuracy 45.7%" in shown
        if display == "line":
            assert "00:30 left" in shown
        clock.now += 0.05
        bar.update(3, 0.3, "best val accuracy 45.7%")
        assert visible(stderr.getvalue()) == shown  # too early to draw again
        clock.now += 0.05
        bar.update(3, 0.3, "")
        assert "run 7/12" in visible(stderr.getvalue())
        bar.clear()
        assert visible(stderr.getvalue()) == ""
        bar.update(4, 0.4, "")  # at once, for nothing is shown
        assert "run 8/12" in visible(stderr.getvalue())
    assert visible(stderr.getvalue()) == ""
    with RunsProgress(None, "run ", 1) as bar:  # a terminal
        clock.now += 1
        bar.update(0, 0.5, "")
        assert "run 0/1" in visible(stderr.getvalue())


@pytest.mark.parametrize("enabled", [False, None])
def test_silent_when_asked_and_without_a_terminal(enabled, monkeypatch):
    stream = use(Terminal() if enabled is False else io.StringIO(), monkeypatch)
    with Progress(enabled, 1, 10, "accuracy") as bar:
        bar.update(1, 5, 5, 1.0, 0.5)
        bar.epoch_end({"val_accuracy": [0.5]})
    assert stream.getvalue() == ""


def test_silent_without_standard_error(monkeypatch):
    use(None, monkeypatch)
    with Progress(None, 1, 10, "accuracy") as bar:
        bar.update(1, 5, 5, 1.0, 0.5)


def test_shown_on_a_terminal_by_default(stderr, clock, display):
    with Progress(None, 1, 10, "accuracy") as bar:
        clock.now += 1
        bar.update(1, 5, 5, 1.0, 0.5)
    assert "loss 1.0000" in stderr.getvalue()


def test_an_error_inside_clears_the_display(stderr, clock, display):
    def train():
        with Progress(True, 1, 10, "accuracy") as bar:
            clock.now += 1
            bar.update(1, 5, 5, 1.0, 0.5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train()
    assert "loss 1.0000" in stderr.getvalue()
    assert visible(stderr.getvalue()) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (59.6, "01:00"), (3599, "59:59"), (3600, "1:00:00")]
)
def test_clock(seconds, text):
    assert progress._clock(seconds) == text
