"""Independent runs side by side: threads of this process, which read the same data.

Small nets train faster next to each other, one thread each, than one after another on all
threads: nobody waits at a barrier. The compiled core releases the GIL while it computes, for about
20 ms a call, and Python has little to do in between.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from twolayer_ext.training.progress import REFRESH_SECONDS

T = TypeVar("T")
Advance: TypeAlias = Callable[[float], None]
THREAD_NAMES = "twolayer-run"


class Stopped(Exception):  # noqa: N818 - no error, but the end of a run nobody waits for
    """The runs end before their time: this one's result is of no use."""


@dataclass(frozen=True)
class Task(Generic[T]):
    """One run.

    Attributes
    ----------
    run : function
        Does it and returns its result. It is given a function to be called often, with the share
        of the task that is done, 0 to 1; that raises `Stopped` when the run is to end, and fits
        `training.fit` as its `watch`.
    work : float, default 1
        How much there is to do, in any unit that compares with the other tasks'.
    """

    run: Callable[[Advance], T]
    work: float = 1.0


def run_side_by_side(
    tasks: Sequence[Task[T]],
    *,
    workers: int,
    finished: Callable[[int, T], None] | None = None,
    watch: Callable[[int, float], None] | None = None,
) -> list[T]:
    """Run all tasks, the longest first, and return their results, in the order of the tasks.

    An error in a task or in `finished`, or Ctrl-C, stops the other tasks where they next call the
    function they were given, and is raised when they have ended.

    Parameters
    ----------
    tasks : sequence of Task
    workers : int
        Tasks that run at a time.
    finished : function, optional
        Called with a task's index and its result, in the order in which the tasks come to an end,
        by the thread that has done it: no Ctrl-C interrupts that.
    watch : function, optional
        Called by this thread with the number of tasks that are done and the share of all work that
        is, when that number grows and ten times a second. `finished` is not called meanwhile.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C.
    Exception
        What a task or `finished` raised.
    """
    stop = threading.Event()
    shares = [0.0] * len(tasks)
    ended: queue.SimpleQueue[Future[T]] = queue.SimpleQueue()
    talking = threading.Lock()

    def do(index: int) -> T:
        def advance(share: float) -> None:
            if stop.is_set():
                raise Stopped
            shares[index] = share

        advance(0.0)
        result = tasks[index].run(advance)
        with talking:
            shares[index] = 1.0
            if finished is not None:
                finished(index, result)
        return result

    def tell(done: int) -> None:
        if watch is not None:
            with talking:
                parts = (task.work * share for task, share in zip(tasks, shares, strict=True))
                watch(done, sum(parts) / sum(task.work for task in tasks))

    if not tasks:
        return []
    futures: dict[int, Future[T]] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix=THREAD_NAMES) as pool:
        try:
            for index in sorted(range(len(tasks)), key=lambda i: -tasks[i].work):
                futures[index] = pool.submit(do, index)
                futures[index].add_done_callback(ended.put)
            for done in range(len(tasks)):
                tell(done)
                while (future := _next(ended)) is None:
                    tell(done)
                future.result()
            tell(len(tasks))
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [futures[index].result() for index in range(len(tasks))]


def _next(ended: queue.SimpleQueue[Future[T]]) -> Future[T] | None:
    try:
        return ended.get(timeout=REFRESH_SECONDS)
    except queue.Empty:
        return None
