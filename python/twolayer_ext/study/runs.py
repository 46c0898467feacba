"""The study's runs: what is trained, side by side, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import checks, recipes
from twolayer_ext.checks import Array
from twolayer_ext.datasets import Dataset
from twolayer_ext.network import NetworkBase
from twolayer_ext.side_by_side import Advance, Task, run_side_by_side
from twolayer_ext.study import protocol
from twolayer_ext.study.protocol import Row, Scale
from twolayer_ext.training import EpochEvent, History, TrainOptions, train

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """The study's split, as views: 49,000 training images, 1000 to validate on, the test images.

    Where there are not 50,000, as in tests, the last fiftieth validates.
    """

    train_x: Array
    train_y: Labels
    val_x: Array
    val_y: Labels
    test_x: Array
    test_y: Labels
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...] | None

    @classmethod
    def of(cls, training: Dataset, test: Dataset) -> Data:
        """Split what `datasets.load_cifar10` returned."""
        cut = len(training) * 49 // 50
        return cls(
            train_x=training.x[:cut],
            train_y=training.y[:cut],
            val_x=training.x[cut:],
            val_y=training.y[cut:],
            test_x=test.x,
            test_y=test.y,
            class_names=training.class_names,
            image_shape=training.image_shape,
        )


@dataclass(frozen=True)
class Plan:
    """One training run.

    Attributes
    ----------
    name : str
        For people.
    options : dict
        Of `train`.
    seed : int
    snapshots : tuple of int
        The epochs after which the test images are predicted, ascending.
    """

    name: str
    options: TrainOptions
    seed: int
    snapshots: tuple[int, ...]

    def work(self, features: int, classes: int, training_rows: int) -> float:
        """Operations of the run, about."""
        steps = self.options.get("max_steps")
        samples = self.snapshots[-1] * training_rows
        if steps is not None:
            samples = steps * self.options["batch_size"]
        sizes = (features, *self.options["hidden_sizes"], classes)
        weights = sum(a * b for a, b in pairwise(sizes))
        return 2.0 * samples * (3 * weights - sizes[0] * sizes[1])


@dataclass(frozen=True)
class Snapshot:
    """A net after some epochs of its training.

    Attributes
    ----------
    seconds : float
        Of training up to there, validation not counted, other runs beside it.
    validation : float
        Accuracy.
    predictions : ndarray of int64
        Of all test images.
    right : ndarray of bool
        Which of them are right.
    training : float or None
        Accuracy on all training images; only of a run's last snapshot.
    """

    seconds: float
    validation: float
    predictions: Labels
    right: NDArray[np.bool_]
    training: float | None

    @property
    def test(self) -> float:
        """Accuracy on all test images."""
        return float(self.right.mean())


@dataclass(frozen=True)
class Run:
    """What is kept of a training run: snapshots by epoch."""

    plan: Plan
    network: NetworkBase
    history: History
    snapshots: dict[int, Snapshot]

    @property
    def last(self) -> Snapshot:
        """The snapshot at the end."""
        return self.snapshots[max(self.snapshots)]


@dataclass(frozen=True)
class Study:
    """All runs of the study.

    Attributes
    ----------
    sgd : dict of str to Run
        The first part, by name.
    adam : dict of (hidden sizes, learning rate) to list of Run
        The second part, one run a seed. Its runs of 30 epochs are at their tenth exactly what
        runs of 10 epochs are at their end, so they stand for both.
    cured : Run
        The dead net with He's initialisation.
    seconds, cpu_seconds : float
        All runs together, on the clock and of processors.
    """

    scale: Scale
    workers: int
    sgd: dict[str, Run]
    adam: dict[tuple[tuple[int, ...], float], list[Run]]
    cured: Run
    seconds: float
    cpu_seconds: float

    def snapshots(self, row: Row) -> list[Snapshot]:
        """Return those of a row of the study's table, one a seed."""
        epochs = self.scale.epochs[row.epochs]
        return [run.snapshots[epochs] for run in self.adam[row.hidden, row.learning_rate]]

    def dead(self) -> list[Run]:
        """Return the runs of the net that the study found dead."""
        return self.adam[protocol.DEAD, protocol.DEAD_LEARNING_RATE]


def plans(scale: Scale, batches_an_epoch: Callable[[int], int]) -> list[Plan]:
    """Return all training runs: the first part, the second, the cure.

    `batches_an_epoch` tells how many there are of a size.
    """
    result = []
    for sgd in protocol.SGD_RUNS:
        options = recipes.study_sgd(sgd.name)
        options["max_steps"] = scale.steps
        epochs = -(-scale.steps // batches_an_epoch(options["batch_size"]))
        result.append(Plan(sgd.name, options, scale.seeds[0], (epochs,)))
    nets: dict[tuple[tuple[int, ...], float], set[int]] = {}
    for row in protocol.ROWS:
        nets.setdefault((row.hidden, row.learning_rate), set()).add(scale.epochs[row.epochs])
    for seed in scale.seeds:
        for (hidden, rate), ends in nets.items():
            options = recipes.study_adam(hidden, max(ends), rate)
            result.append(Plan(f"{list(hidden)} at {rate:g}", options, seed, tuple(sorted(ends))))
    epochs = scale.epochs[10]
    options = recipes.study_adam(protocol.DEAD, epochs, protocol.DEAD_LEARNING_RATE, init="he")
    name = f"{list(protocol.DEAD)} at {protocol.DEAD_LEARNING_RATE:g}, He"
    result.append(Plan(name, options, scale.seeds[0], (epochs,)))
    return result


def run_study(
    data: Data,
    scale: Scale,
    *,
    finished: Callable[[Run], None] | None = None,
    progress: bool | None = None,
) -> Study:
    """Train all nets of the study.

    Parameters
    ----------
    data : Data
    scale : Scale
        `protocol.FULL` or `protocol.QUICK`.
    finished : function, optional
        Called with every run as it ends.
    progress : bool, optional
        As for `train`.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C; nothing is kept.
    """
    rows = len(data.train_x)
    everything = plans(scale, lambda size: -(-rows // min(size, rows)))
    features, classes = data.train_x.shape[1], len(data.class_names)
    tasks = [Task(plan.work(features, classes, rows), _Training(plan, data)) for plan in everything]
    workers = checks.thread_count(None)
    started, cpu = time.perf_counter(), time.process_time()
    runs = run_side_by_side(
        tasks,
        workers=workers,
        finished=None if finished is None else lambda _, run: finished(run),
        progress=progress,
    )
    sgd, adam = runs[: len(protocol.SGD_RUNS)], runs[len(protocol.SGD_RUNS) : -1]
    nets: dict[tuple[tuple[int, ...], float], list[Run]] = {}
    for run in adam:
        options = run.plan.options
        key = tuple(options["hidden_sizes"]), options["learning_rate"]
        nets.setdefault(key, []).append(run)
    return Study(
        scale=scale,
        workers=workers,
        sgd={run.plan.name: run for run in sgd},
        adam=nets,
        cured=runs[-1],
        seconds=time.perf_counter() - started,
        cpu_seconds=time.process_time() - cpu,
    )


@dataclass(frozen=True)
class _Training:
    """Carries out a plan, on one thread."""

    plan: Plan
    data: Data

    def __call__(self, advance: Advance) -> Run:
        plan, data = self.plan, self.data
        snapshots: dict[int, Snapshot] = {}

        def after_epoch(event: EpochEvent) -> None:
            advance(event.epoch / plan.snapshots[-1])
            if event.epoch in plan.snapshots:
                snapshots[event.epoch] = self.snapshot(event)

        options: TrainOptions = {
            **plan.options,
            "validation_data": (data.val_x, data.val_y),
            "seed": plan.seed,
            "threads": 1,
            "progress": False,
            "callbacks": [after_epoch],
        }
        result = train(data.train_x, data.train_y, **options)
        return Run(plan, result.network, result.history, snapshots)

    def snapshot(self, event: EpochEvent) -> Snapshot:
        """Take a snapshot after the event's epoch."""
        data, network = self.data, event.network
        predictions = network.predict(data.test_x, threads=1)
        training = None
        if event.epoch == self.plan.snapshots[-1]:
            _, training = network.evaluate(data.train_x, data.train_y, threads=1)
        return Snapshot(
            seconds=sum(event.history["seconds"]),
            validation=event.history["val_accuracy"][-1],
            predictions=predictions,
            right=predictions == data.test_y,
            training=training,
        )
