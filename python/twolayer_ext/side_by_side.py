"""Independent runs side by side: each on a thread of its own, the longest first.

Small nets train faster next to each other, one thread each, than one after another on all
threads: nobody waits at a barrier. The compiled core lets go of the interpreter while it computes,
and the data is shared, so threads are enough.
"""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from twolayer_ext.progress import REFRESH_SECONDS, make_display

T = TypeVar("T")
Advance: TypeAlias = Callable[[float], None]


@dataclass(frozen=True)
class Task(Generic[T]):
    """One run.

    Attributes
    ----------
    work : float
        How much there is to do, in any unit that compares with the other tasks'.
    run : function
        Does it and returns its result. It is given a function to be called, now and then, with
        the share of the task that is done, 0 to 1.
    """

    work: float
    run: Callable[[Advance], T]


def run_side_by_side(
    tasks: Sequence[Task[T]],
    *,
    workers: int,
    finished: Callable[[int, T], None] | None = None,
    progress: bool | None = None,
) -> list[T]:
    """Run all tasks and return their results, in the order of the tasks.

    Parameters
    ----------
    tasks : sequence of Task
    workers : int
        Tasks that run at a time.
    finished : function, optional
        Called in the calling thread with a task's index and its result, in the order in which
        the tasks come to an end.
    progress : bool, optional
        Show progress on standard error; by default if that is a terminal.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after all running tasks were stopped, each at its next line of Python.
    Exception
        What a task raised; the others were stopped.
    """
    pool = _Pool(tasks, workers)
    results: dict[int, T] = {}
    with _Display(progress, [task.work for task in tasks], workers) as display:
        try:
            pool.start()
            while len(results) < len(tasks):
                display.show(pool.shares, len(results))
                try:
                    outcome = pool.outcomes.get(timeout=REFRESH_SECONDS)
                except queue.Empty:
                    continue
                if outcome.error is not None:
                    raise outcome.error
                results[outcome.index] = outcome.results[0]
                display.clear()
                if finished is not None:
                    finished(outcome.index, outcome.results[0])
        except BaseException:
            pool.stop()
            raise
    return [results[index] for index in range(len(tasks))]


@dataclass(frozen=True)
class _Outcome(Generic[T]):
    index: int
    results: tuple[T, ...] = ()  # one, or none after an error
    error: BaseException | None = None


class _Pool(Generic[T]):
    """The threads, and what they are at."""

    def __init__(self, tasks: Sequence[Task[T]], workers: int) -> None:
        self._tasks = tasks
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for index in sorted(range(len(tasks)), key=lambda i: -tasks[i].work):
            self._waiting.put(index)
        self._threads = [
            threading.Thread(target=self._work) for _ in range(min(workers, len(tasks)))
        ]
        self._stopping = False
        self.outcomes: queue.SimpleQueue[_Outcome[T]] = queue.SimpleQueue()
        self.shares = [0.0] * len(tasks)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop what still runs, and wait until it has stopped."""
        self._stopping = True
        while alive := [thread for thread in self._threads if thread.is_alive()]:
            for thread in alive:
                # A thread is not to be stopped from outside, but an exception can be left there
                # to be raised at its next line of Python. SystemExit is what nobody catches, and
                # what ends a thread in silence.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
                )
            alive[0].join(timeout=0.05)

    def _work(self) -> None:
        with suppress(SystemExit):  # of `stop`, between two tasks
            self._serve()

    def _serve(self) -> None:
        while not self._stopping:
            try:
                index = self._waiting.get_nowait()
            except queue.Empty:
                return

            def advance(share: float, index: int = index) -> None:
                self.shares[index] = share

            try:
                outcome = _Outcome(index, (self._tasks[index].run(advance),))
            except BaseException as error:
                outcome = _Outcome(index, error=error)
            self.shares[index] = 1.0
            self.outcomes.put(outcome)


class _Display:
    """Share of all work that is done, and the time left."""

    def __init__(self, enabled: bool | None, works: Sequence[float], workers: int) -> None:
        if enabled is None:
            enabled = sys.stderr is not None and sys.stderr.isatty()
        self._works = works
        self._workers = workers
        self._display = make_display(sys.stderr, 100) if enabled else None
        self._started = time.monotonic()

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *_: object) -> None:
        if self._display is not None:
            self._display.close()

    def show(self, shares: Sequence[float], finished: int) -> None:
        if self._display is None:
            return
        done = sum(work * share for work, share in zip(self._works, shares, strict=True))
        percent = 100 * done / sum(self._works)
        seconds = time.monotonic() - self._started
        status = f"{min(self._workers, len(shares) - finished)} running, {seconds:.0f} s"
        self._display.show(f"run {finished}/{len(shares)}", percent, seconds, status)

    def clear(self) -> None:
        if self._display is not None:
            self._display.clear()
