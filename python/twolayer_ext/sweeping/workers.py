"""Many small trainings at once: threads of this process, which read the same data.

The compiled core releases the GIL while it computes, for about 20 ms a call, and Python has little
to do in between.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array
from twolayer_ext.engine import EngineTrainer, Rows
from twolayer_ext.errors import DivergenceError
from twolayer_ext.network import Network
from twolayer_ext.sweeping.result import Run
from twolayer_ext.sweeping.space import Config
from twolayer_ext.training import TrainOptions, prepare

_REDRAW_SECONDS = 0.5


class _StoppedError(Exception):
    """The sweep ends; its unfinished runs are of no use."""


@dataclass(frozen=True)
class _StoppableTrainer:
    """A trainer that stops between two calls of the engine."""

    trainer: EngineTrainer
    stop: threading.Event

    def run(
        self,
        x: Array,
        y: NDArray[np.int64],
        rows: Rows,
        learning_rates: NDArray[np.float64],
        losses: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[int, int]:
        """As `EngineTrainer.run`."""
        if self.stop.is_set():
            raise _StoppedError
        return self.trainer.run(x, y, rows, learning_rates, losses, weights)

    def publish(self) -> None:
        """As `EngineTrainer.publish`."""
        self.trainer.publish()


@dataclass(frozen=True)
class Task:
    """A run to be done: `options` are those of `config`, and all others of `train`."""

    number: int
    config: Config
    x: Array
    y: NDArray[np.int64]
    options: TrainOptions

    def run(self, stop: threading.Event) -> Run:
        """Train; a loss that stops being finite is a result as well."""
        if stop.is_set():
            raise _StoppedError
        _, begin = prepare(Network, self.x, self.y, self.options)
        loop = begin()
        loop.trainer = _StoppableTrainer(loop.trainer, stop)
        val_accuracy = val_loss = accuracy = math.nan
        try:
            history = loop.run().history
        except DivergenceError as error:
            history = error.result.history
        else:
            val_accuracy, val_loss = history["val_accuracy"][-1], history["val_loss"][-1]
            accuracy = history["accuracy"][-1]
        return Run(
            number=self.number,
            config=self.config,
            val_accuracy=val_accuracy,
            val_loss=val_loss,
            accuracy=accuracy,
            epochs=len(history["seconds"]),
            seconds=sum(history["seconds"]),
        )


def run_all(
    tasks: Sequence[Task], workers: int, finished: Callable[[Run], None], watch: Callable[[], None]
) -> None:
    """Do all tasks, `workers` at a time.

    An error, or Ctrl-C, stops the others within a moment and is raised.

    Parameters
    ----------
    tasks : sequence of Task
    workers : int
    finished : callable
        Called with each run, by the thread that has done it, which no Ctrl-C interrupts.
    watch : callable
        Called by this thread when a run was done, and twice a second.
    """
    stop = threading.Event()
    ended: queue.SimpleQueue[Future[None]] = queue.SimpleQueue()

    def do(task: Task) -> None:
        finished(task.run(stop))

    with ThreadPoolExecutor(workers, thread_name_prefix="twolayer-sweep") as pool:
        try:
            for task in tasks:
                pool.submit(do, task).add_done_callback(ended.put)
            left = len(tasks)
            while left:
                watch()
                try:
                    future = ended.get(timeout=_REDRAW_SECONDS)
                except queue.Empty:
                    continue
                future.result()
                left -= 1
            watch()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
