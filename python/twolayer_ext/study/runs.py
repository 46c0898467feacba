"""The study's runs: what is trained, side by side, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import checks, recipes
from twolayer_ext.datasets import Dataset
from twolayer_ext.datasets.split import Split
from twolayer_ext.network import Network, NetworkBase, scoring
from twolayer_ext.study import protocol
from twolayer_ext.study.protocol import Row, Scale
from twolayer_ext.sweeping.side_by_side import Advance, Task, run_side_by_side
from twolayer_ext.training import DEFAULTS, EpochEvent, History, TrainOptions, fit
from twolayer_ext.training.progress import RunsProgress

Labels = NDArray[np.int64]


def study_split(training: Dataset, test: Dataset) -> Split:
    """Return the study's split: 49,000 images to train on, 1000 to validate on, the test images.

    Where there are not 50,000, as in tests, the last fiftieth validates.
    """
    return Split.at(training, test, len(training) * 49 // 50)


@dataclass(frozen=True)
class PlannedNet:
    """One training run.

    Attributes
    ----------
    part : {"sgd", "adam", "he", "cured"}
        Of the study: the first, the second, and what brings the dead net to life.
    name : str
        For people.
    options : dict
        Of `train`.
    seed : int
    snapshots : tuple of int
        The epochs after which the test images are predicted, ascending.
    training_accuracy : bool
        Whether the finished net is evaluated on all training images, which takes as long as half
        an epoch.
    """

    part: str
    name: str
    options: TrainOptions
    seed: int
    snapshots: tuple[int, ...]
    training_accuracy: bool

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Of the net."""
        return tuple(cast(Sequence[int], self.options["hidden_sizes"]))

    @property
    def learning_rate(self) -> float:
        """At the start."""
        return cast(float, self.options["learning_rate"])

    def work(self, features: int, classes: int, training_rows: int) -> float:
        """Operations of the run, about."""
        steps = self.options.get("max_steps")
        samples = self.snapshots[-1] * training_rows
        if steps is not None:
            samples = steps * cast(int, self.options["batch_size"])
        sizes = (features, *self.hidden_sizes, classes)
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
        Accuracy on all training images; only of a run's last snapshot, if planned.
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
class TrainedNet:
    """What is kept of a training run: snapshots by epoch."""

    plan: PlannedNet
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
    sgd : dict of str to TrainedNet
        The first part, by name.
    adam : dict of (hidden sizes, learning rate) to list of TrainedNet
        The second part, one run a seed. Its runs of 30 epochs are at their tenth exactly what
        runs of 10 epochs are at their end, so they stand for both.
    he : TrainedNet
        The dead net with He's initialisation.
    cured : list of TrainedNet
        The dead net as `recipes.study_cured` trains it, one run a seed.
    compute_dtype : str
        Of all runs, as for `train`.
    seconds, cpu_seconds : float
        All runs together, on the clock and of processors.
    """

    scale: Scale
    workers: int
    sgd: dict[str, TrainedNet]
    adam: dict[tuple[tuple[int, ...], float], list[TrainedNet]]
    he: TrainedNet
    cured: list[TrainedNet]
    compute_dtype: str
    seconds: float
    cpu_seconds: float

    def snapshots(self, row: Row) -> list[Snapshot]:
        """Return those of a row of the study's table, one a seed."""
        epochs = self.scale.epochs[row.epochs]
        return [run.snapshots[epochs] for run in self.adam[row.hidden, row.learning_rate]]

    @property
    def runs(self) -> list[TrainedNet]:
        """All of them."""
        part_two = [run for runs in self.adam.values() for run in runs]
        return [*self.sgd.values(), *part_two, self.he, *self.cured]

    def dead(self) -> list[TrainedNet]:
        """Return the runs of the net that the study found dead."""
        return self.adam[protocol.DEAD, protocol.DEAD_LEARNING_RATE]


def plans(scale: Scale, batches_an_epoch: Callable[[int], int]) -> list[PlannedNet]:
    """Return all training runs: the first part, the second, the cures.

    `batches_an_epoch` tells how many there are of a size.
    """
    result = []
    for sgd in protocol.SGD_RUNS:
        options = recipes.study_sgd(sgd.name)
        options["max_steps"] = scale.steps
        epochs = -(-scale.steps // batches_an_epoch(cast(int, options["batch_size"])))
        result.append(PlannedNet("sgd", sgd.name, options, scale.seeds[0], (epochs,), True))
    nets: dict[tuple[tuple[int, ...], float], set[int]] = {}
    for row in protocol.ROWS:
        nets.setdefault((row.hidden, row.learning_rate), set()).add(scale.epochs[row.epochs])
    epochs = scale.epochs[10]
    dead = _net_name(protocol.DEAD, protocol.DEAD_LEARNING_RATE)
    he = recipes.study_adam(protocol.DEAD, epochs, protocol.DEAD_LEARNING_RATE, init="he")
    cured = recipes.study_cured()
    cured["epochs"] = epochs
    result.append(PlannedNet("he", f"{dead}, He", he, scale.seeds[0], (epochs,), False))
    for seed in scale.seeds:
        for (hidden, rate), ends in nets.items():
            options = recipes.study_adam(hidden, max(ends), rate)
            snapshots, name = tuple(sorted(ends)), _net_name(hidden, rate)
            longest = scale.epochs[30] in ends
            result.append(PlannedNet("adam", name, options, seed, snapshots, longest))
        result.append(PlannedNet("cured", f"{dead}, cured", cured, seed, (epochs,), False))
    return result


def _net_name(hidden: tuple[int, ...], learning_rate: float) -> str:
    return f"{list(hidden)} at {learning_rate:g}"


def run_study(
    data: Split,
    scale: Scale,
    *,
    compute_dtype: str | None = None,
    finished: Callable[[TrainedNet], None] | None = None,
    progress: bool | None = None,
) -> Study:
    """Train all nets of the study.

    Parameters
    ----------
    data : Split
    scale : Scale
        `protocol.FULL` or `protocol.QUICK`.
    compute_dtype : {None, "float32", "bfloat16"}
        As for `train`.
    finished : function, optional
        Called with every run as it ends.
    progress : bool, optional
        As for `train`.

    Raises
    ------
    ValueError
        A wrong `compute_dtype`.
    KeyboardInterrupt
        Ctrl-C; nothing is kept.
    """
    compute_dtype = checks.compute_dtype_name(compute_dtype, "float32")
    rows = len(data.training)
    everything = plans(scale, lambda size: -(-rows // min(size, rows)))
    features, classes = data.training.x.shape[1], len(data.training.class_names)
    tasks = [
        Task(_Training(plan, data, compute_dtype), plan.work(features, classes, rows))
        for plan in everything
    ]
    workers = checks.thread_count(None)
    started, cpu = time.perf_counter(), time.process_time()
    with RunsProgress(progress, "run ", len(tasks)) as display:

        def tell(_: int, run: TrainedNet) -> None:
            display.clear()
            if finished is not None:
                finished(run)

        def watch(done: int, share: float) -> None:
            running = min(workers, len(tasks) - done)
            seconds = time.perf_counter() - started
            display.update(done, share, f"{running} running, {seconds:.0f} s")

        runs = run_side_by_side(tasks, workers=workers, finished=tell, watch=watch)
    parts: dict[str, list[TrainedNet]] = {}
    for run in runs:
        parts.setdefault(run.plan.part, []).append(run)
    nets: dict[tuple[tuple[int, ...], float], list[TrainedNet]] = {}
    for run in parts["adam"]:
        nets.setdefault((run.plan.hidden_sizes, run.plan.learning_rate), []).append(run)
    return Study(
        scale=scale,
        workers=workers,
        sgd={run.plan.name: run for run in parts["sgd"]},
        adam=nets,
        he=parts["he"][0],
        cured=parts["cured"],
        compute_dtype=compute_dtype,
        seconds=time.perf_counter() - started,
        cpu_seconds=time.process_time() - cpu,
    )


@dataclass(frozen=True)
class _Training:
    """Carries out a plan, on one thread."""

    plan: PlannedNet
    data: Split
    compute_dtype: str

    def __call__(self, advance: Advance) -> TrainedNet:
        plan, data = self.plan, self.data
        snapshots: dict[int, Snapshot] = {}

        def after_epoch(event: EpochEvent) -> None:
            if event.epoch in plan.snapshots:
                snapshots[event.epoch] = self.snapshot(event, advance)

        options = cast(
            TrainOptions,
            {
                **DEFAULTS,
                **plan.options,
                "compute_dtype": self.compute_dtype,
                "validation_data": (data.validation.x, data.validation.y),
                "seed": plan.seed,
                "threads": 1,
                "progress": False,
                "callbacks": [after_epoch],
            },
        )
        result = fit(
            Network,
            data.training.x,
            data.training.y,
            options,
            classes=len(data.training.class_names),
            watch=advance,
        )
        return TrainedNet(plan, result.network, result.history, snapshots)

    def snapshot(self, event: EpochEvent, advance: Advance) -> Snapshot:
        """Take a snapshot after the event's epoch."""
        data, network = self.data, event.network
        predictions = network.predict(data.test.x, threads=1)
        training = None
        if event.epoch == self.plan.snapshots[-1] and self.plan.training_accuracy:
            _, training = scoring.evaluate(
                network, data.training.x, data.training.y, None, 1, lambda: advance(1.0)
            )
        return Snapshot(
            seconds=sum(event.history["seconds"]),
            validation=event.history["val_accuracy"][-1],
            predictions=predictions,
            right=predictions == data.test.y,
            training=training,
        )
