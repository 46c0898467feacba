"""Progress of one run or of several on standard error: a bar of tqdm if installed, else a line.

The display is erased at the end of every epoch and when training ends, so that whatever callbacks
and callers print stands on lines of its own.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from twolayer_ext import scores

REFRESH_SECONDS = 0.1


class _Shown:
    """What all displays have in common: when there is one, and that leaving the block erases it."""

    def __init__(self, enabled: bool | None, total: int) -> None:
        if enabled is None:
            enabled = sys.stderr is not None and sys.stderr.isatty()
        self._display = make_display(sys.stderr, total) if enabled else None
        self._started = time.monotonic()
        self._next_refresh = 0.0

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._display is not None:
            self._display.close()
            self._display = None

    def _due(self) -> bool:
        """Whether it is time to draw again; if so, that counts as done."""
        now = time.monotonic()
        if now < self._next_refresh:
            return False
        self._next_refresh = now + REFRESH_SECONDS
        return True

    def _seconds(self) -> float:
        return max(time.monotonic() - self._started, 1e-9)


class Progress(_Shown):
    """Shows step, loss, score, samples a second and time left while training runs.

    Use it as a context manager: leaving the block erases the display.

    Parameters
    ----------
    enabled : bool or None
        True always shows, False never, None only when standard error is a terminal.
    epochs : int or None
        Number of epochs, shown as ``epoch 3/10``; None when only the number of steps is known.
    total_steps : int
        Steps of the whole run, 1 or more; the time left is worked out from it.
    score_name : {"accuracy", "r2", ""}
        What the score is; "" shows none.
    before : float, default 0
        Seconds that a resumed run has trained already.
    """

    def __init__(
        self,
        enabled: bool | None,
        epochs: int | None,
        total_steps: int,
        score_name: str,
        before: float = 0.0,
    ) -> None:
        super().__init__(enabled, total_steps)
        self._before = before
        self._epochs = epochs
        self._score_name = score_name
        self._val_score = math.nan

    def update(self, epoch: int, steps: int, samples: int, loss: float, score: float) -> None:
        """Tell how far training is; redraws at most ten times a second.

        Parameters
        ----------
        epoch : int
            The running epoch, counted from 1.
        steps, samples : int
            Steps and samples done since the run began, over all epochs.
        loss, score : float
            Over the epoch so far.
        """
        if self._display is None or not self._due():
            return
        seconds = self._before + self._seconds()
        epoch_text = f"epoch {epoch}" if self._epochs is None else f"epoch {epoch}/{self._epochs}"
        status = f"loss {loss:.4f}, {self._score(score)}{samples / seconds:,.0f} samples/s"
        self._display.show(epoch_text, steps, seconds, status)

    def _score(self, score: float) -> str:
        name = self._score_name
        if not name:
            return ""
        val = "" if math.isnan(self._val_score) else f" (val {scores.text(name, self._val_score)})"
        return f"{scores.label(name)} {scores.text(name, score)}{val}, "

    def epoch_end(self, history: dict[str, list[float]]) -> None:
        """Erase the display before callbacks run; keep the latest validation score to show.

        Parameters
        ----------
        history : dict of lists
            The history so far; only the validation score is read.
        """
        if self._display is None:
            return
        if self._score_name and (values := history[f"val_{self._score_name}"]):
            self._val_score = values[-1]
        self._display.clear()
        self._next_refresh = 0.0


class RunsProgress(_Shown):
    """Shows how many of several runs are done, how much of their work, and the time left.

    Use it as a context manager: leaving the block erases the display.

    Parameters
    ----------
    enabled : bool or None
        As for `Progress`.
    title : str
        Stands first, before the count of runs.
    total : int
        Runs there are.
    before : int
        Those of them that were done earlier; the time left is worked out from the others.
    """

    def __init__(self, enabled: bool | None, title: str, total: int, before: int = 0) -> None:
        super().__init__(enabled, 100)
        self._title = title
        self._total = total
        self._before = before

    def update(self, done: int, share: float, status: str) -> None:
        """Tell what is done by now; redraws at most ten times a second.

        Parameters
        ----------
        done : int
            Runs done, without those done earlier.
        share : float
            Of the work, 0 to 1; runs under way count with what they have done.
        status : str
            Stands last.
        """
        if self._display is None or not self._due():
            return
        text = f"{self._title}{self._before + done}/{self._total}"
        self._display.show(text, 100 * share, self._seconds(), status)

    def clear(self) -> None:
        """Erase the display until the next update, so that something can be printed."""
        if self._display is not None:
            self._display.clear()
            self._next_refresh = 0.0


class Display(Protocol):
    """What draws progress; nothing is left of it after `clear` and `close`."""

    def show(self, title: str, done: float, seconds: float, status: str) -> None:
        """Draw how much of the total is done."""

    def clear(self) -> None:
        """Erase what is drawn."""

    def close(self) -> None:
        """Erase it for good."""


class _TqdmDisplay:
    """A tqdm bar that is redrawn only when Progress says so."""

    def __init__(self, stream: TextIO, total: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=total,
            file=stream,
            leave=False,
            dynamic_ncols=True,
            delay=REFRESH_SECONDS,  # nothing is shown before the first result
            bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} left{postfix}",
        )

    def show(self, title: str, done: float, seconds: float, status: str) -> None:
        self._bar.n = done
        self._bar.set_description_str(title, refresh=False)
        self._bar.set_postfix_str(status, refresh=False)
        self._bar.refresh()

    def clear(self) -> None:
        self._bar.clear()

    def close(self) -> None:
        self._bar.clear()
        self._bar.close()


class _LineDisplay:
    """One line, rewritten with a carriage return."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._total = total
        self._width = 0

    def show(self, title: str, done: float, seconds: float, status: str) -> None:
        share = done / self._total
        left = _clock(seconds / share - seconds) if done else "?"
        # One column stays free: a full line would wrap, and a carriage return not undo it.
        columns = shutil.get_terminal_size().columns - 1
        line = f"{title} {share:4.0%}, {left} left, {status}"[:columns]
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)

    def clear(self) -> None:
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0

    def close(self) -> None:
        self.clear()


def make_display(stream: TextIO, total: int) -> Display:
    """Return a tqdm bar if tqdm is installed, else one line that is rewritten."""
    try:
        return _TqdmDisplay(stream, total)
    except ImportError:
        return _LineDisplay(stream, total)


def _clock(seconds: float) -> str:
    minutes, seconds_left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{seconds_left:02d}"
    return f"{minutes:02d}:{seconds_left:02d}"
