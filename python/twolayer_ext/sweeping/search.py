"""The search itself: every configuration checked, then rounds of runs over the same data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from twolayer_ext import checks, losses, scores
from twolayer_ext.checks import Array
from twolayer_ext.losses import labels
from twolayer_ext.network import Network, normalization
from twolayer_ext.rows import Rows, Sparse, as_rows
from twolayer_ext.sweeping.journal import Journal
from twolayer_ext.sweeping.result import Run, SweepResult, ranked
from twolayer_ext.sweeping.side_by_side import Task, run_side_by_side
from twolayer_ext.sweeping.space import Config, key
from twolayer_ext.sweeping.trial import Trial
from twolayer_ext.training import DEFAULTS, TrainOptions, defaults, prepare
from twolayer_ext.training.progress import RunsProgress
from twolayer_ext.unset import UNSET


class SharedData(NamedTuple):
    """What all runs read: x as the engine does, nothing is converted twice; y as the user has it.

    What y becomes depends on the loss, which a sweep may vary.
    """

    x: Rows
    y: Array
    validation: tuple[Rows, Array]
    validation_as_given: tuple[ArrayLike, ArrayLike]


class Round(NamedTuple):
    """How many of the best configurations are run, and for how many epochs.

    None stands for what each configuration says.
    """

    configurations: int
    epochs: int | None


def check_all(
    candidates: Mapping[int, Config],
    x: ArrayLike,
    y: ArrayLike,
    validation_data: tuple[ArrayLike, ArrayLike],
) -> SharedData:
    """Check all configurations as `train` does, and the data; return the data."""
    first = next(iter(candidates.values()))
    checked, _ = prepare(Network, x, y, _options(first, validation_data))
    assert checked.validation is not None
    validation_y = labels.values(validation_data[1], "validation_data[1]")
    validation = checked.validation[0], validation_y
    data = SharedData(checked.x, labels.values(y, "y"), validation, validation_data)
    stand_in, validation_stand_in = _stand_in(data.x), _stand_in(data.validation[0])
    dtypes = set()
    for number, config in candidates.items():
        options = _options(config, (validation_stand_in, validation_y))
        try:
            prepare(Network, stand_in, data.y, options)
        except (ValueError, TypeError) as error:
            error.add_note(f"in configuration {number} of the sweep: {config}")
            raise
        dtypes.add(_dtype(options))
    for dtype in sorted(dtypes):  # what is finite in the first one's may be infinite in another's
        as_rows(data.x, features=None, dtype=dtype)
        as_rows(data.validation[0], features=None, dtype=dtype, name="validation_data[0]")
    _check_comparable(candidates.values(), data.y)
    return data


def _stand_in(rows: Rows) -> Any:
    """Return rows of the same shape without values to look at, for each configuration's check."""
    if isinstance(rows, Sparse):
        starts = np.zeros(len(rows) + 1, np.int64)
        return Sparse(np.zeros(0, np.uint8), np.zeros(0, np.int32), starts, rows.shape)
    return np.broadcast_to(np.zeros((1, rows.shape[1]), np.uint8), rows.shape)


def _check_comparable(candidates: Iterable[Config], y: Array) -> None:
    """Raise ValueError where losses are varied whose results do not compare."""
    chosen = {key({"loss": config.get("loss")}): config.get("loss") for config in candidates}
    if len(chosen) == 1:
        return
    found = [losses.read(y, rows=len(y), loss=loss)[0].loss for loss in chosen.values()]
    judged = {loss.score_name: loss for loss in found}
    if len(judged) > 1 or "" in judged:
        known = [
            f"{loss.name!r} is judged by {scores.label(name) or 'its own values'}"
            for name, loss in judged.items()
        ]
        raise ValueError(
            f"loss: {', '.join(known)}; those of one sweep must all be judged by accuracy, or all "
            "by R²"
        )


def _dtype(options: TrainOptions) -> str:
    return checks.dtype_name(defaults.default("dtype", options["dtype"]))


def _options(
    config: Config, validation_data: tuple[ArrayLike, ArrayLike], threads: int = 1
) -> TrainOptions:
    """Return every argument of `train` for one configuration."""
    own = TrainOptions(validation_data=validation_data, threads=threads, progress=False)
    return cast(TrainOptions, {**DEFAULTS, **config, **own})


class Search:
    """One sweep over checked data; `run` is called once.

    Parameters
    ----------
    data : SharedData
    workers : int
        How many runs at once.
    progress : bool or None
        As for `train`.
    journal : Journal
        Holds the runs of earlier calls, and takes the new ones.
    """

    def __init__(
        self, data: SharedData, workers: int, progress: bool | None, journal: Journal
    ) -> None:
        self._data = data
        self._workers = workers
        self._progress = progress
        self._journal = journal
        self._finished: list[Run] = []  # appended to by the workers, one at a time
        self._pairs: dict[tuple[str, str], tuple[ArrayLike, ArrayLike]] = {}

    def result(self) -> SweepResult:
        """Return what is finished."""
        return SweepResult(tuple(ranked(self._finished)), self._data.validation_as_given)

    def run(self, candidates: Mapping[int, Config], rounds: Sequence[Round]) -> SweepResult:
        """Run all rounds; each takes the best of the one before, and none that diverged."""
        chosen = list(candidates)
        for number, (configurations, epochs) in enumerate(rounds, start=1):
            title = "run " if len(rounds) == 1 else f"round {number} of {len(rounds)}, run "
            configs = {i: candidates[i] for i in chosen[:configurations]}
            if epochs is not None:
                configs = {i: {**config, "epochs": epochs} for i, config in configs.items()}
            runs = self._round(title, configs)
            chosen = [run.number for run in ranked(runs) if not run.diverged]
        return self.result()

    def _round(self, title: str, configs: Mapping[int, Config]) -> list[Run]:
        """Return a run of each configuration: an earlier one where there is one."""
        found = {i: self._journal.find(i, config) for i, config in configs.items()}
        runs = [run for run in found.values() if run is not None]
        self._finished += runs
        missing = {i: config for i, config in configs.items() if found[i] is None}
        if not missing:
            return runs
        threads = max(1, self._workers // len(missing))
        # All of the same work, as far as the pool knows: they start in the order of their numbers.
        tasks = [Task(self._trial(i, config, threads).run) for i, config in missing.items()]

        def finished(_: int, run: Run) -> None:
            self._journal.add(run)
            runs.append(run)
            self._finished.append(run)

        with RunsProgress(self._progress, title, len(configs), len(runs)) as progress:
            run_side_by_side(
                tasks,
                workers=self._workers,
                finished=finished,
                watch=lambda done, share: progress.update(done, share, _best(self._finished)),
            )
        return runs

    def _trial(self, number: int, config: Config, threads: int) -> Trial:
        """Return a run to be done; what each would compute from all data is computed once."""
        validation = cast(tuple[ArrayLike, ArrayLike], self._data.validation)
        options = _options(config, validation, threads)
        normalize = options["normalize"]
        if normalize is UNSET:
            normalize = defaults.normalize(isinstance(self._data.x, Sparse))
        if isinstance(normalize, str):
            which = normalize, _dtype(options)
            if which not in self._pairs:
                self._pairs[which] = normalization.from_data(which[0], self._data.x, None, which[1])
            options["normalize"] = self._pairs[which]
        return Trial(number, config, self._data.x, self._data.y, options)


def _best(runs: Iterable[Run]) -> str:
    best = max((run for run in runs if not run.diverged), key=lambda r: r.quality, default=None)
    return "" if best is None else f"best {best.quality_text}"
