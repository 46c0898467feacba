"""The command ``twolayer train``."""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from twolayer_ext import checks, losses, plots, recipes, scores
from twolayer_ext.checks import Array
from twolayer_ext.cli.options import given_options, one_of_each
from twolayer_ext.cli.sources import SPLIT_HELP, Sources, load_sources
from twolayer_ext.errors import CheckpointError, MissingExtraError, TrainingInterrupted
from twolayer_ext.files.writing import check_writable, whole_file
from twolayer_ext.network import Network, load
from twolayer_ext.tables import Table
from twolayer_ext.training import (
    DEFAULTS,
    EpochEvent,
    TrainOptions,
    TrainResult,
    checkpoint,
    fit,
)
from twolayer_ext.training.defaults import default

RECIPES: dict[str, Callable[[], TrainOptions]] = {
    "study-sgd-tuned": lambda: recipes.study_sgd("tuned"),
    "study-sgd-baseline": lambda: recipes.study_sgd("baseline"),
    "study-adam": recipes.study_adam,
    "best-10": lambda: recipes.best(10),
    "best-60": lambda: recipes.best(60),
    "best-300": lambda: recipes.best(300),
}
DEFAULTS_HELP = f"""\
defaults:
  Those of twolayer_ext.train(): what no default stands for above follows from the data and the
  optimizer. With --recipe, those of the recipe; --epochs then lets the recipe's number of steps
  go, --schedule its learning-rate decay, and --learning-rate-decay its schedule.

{SPLIT_HELP}"""
EVALUATED_TRAINING_ROWS = 10_000
NETWORK_OPTIONS = frozenset({"hidden_sizes", "activation", "init", "normalize", "dtype"})
NETWORK_FILE, HISTORY_FILE, PICTURE_FILE = "network.npz", "history.json", "training.png"


def run(arguments: argparse.Namespace) -> int:
    """Train, print the table of epochs, save, evaluate; return the exit status."""
    resumed = getattr(arguments, "resume", None)
    saved = None if resumed is None else checkpoint.read(resumed)
    fraction = getattr(arguments, "validation_fraction", None)
    if saved is not None and fraction is None and not arguments.validation_data:
        fraction = saved.origin.options.get("validation_fraction")
    sources = load_sources(
        arguments.data, arguments.validation_data, arguments.test_data, fraction, arguments.limit
    )
    options = _train_options(arguments)
    network = None if arguments.network is None else load(arguments.network)
    classes = None
    if saved is not None:
        sources.check(saved.network.task, saved.network.layer_sizes[0], saved.network.dtype)
    elif network is None:
        training, loss = sources.training, options["loss"]
        classes = _classes(sources, loss)
        task, _ = losses.read(
            training.y, rows=len(training), loss=loss, classes=classes, name="y of --data"
        )
        dtype = checks.dtype_name(default("dtype", options["dtype"]))
        sources.check(task, training.x.shape[1], dtype)
    else:
        sources.check(network.task, network.layer_sizes[0], network.dtype)
    options["network"] = network
    options["validation_fraction"] = sources.validation_fraction
    if sources.validation is not None:
        options["validation_data"] = (sources.validation.x, sources.validation.y)
    table = _EpochTable()
    options["callbacks"] = (table.row,)

    if arguments.no_save:
        return _train_and_save(sources, options, classes, None)
    with _output_folder(Path(arguments.out)) as folder:
        return _train_and_save(sources, options, classes, folder)


def _classes(sources: Sources, loss: object) -> Array | None:
    """Return the labels that the data set knows, also those that no training row is of.

    None where the loss is one of numbers, or `train` has to say what is wrong with y.
    """
    classes = sources.training.classes
    of_numbers = isinstance(loss, losses.Loss) and loss.takes not in ("labels", "indicators")
    return None if classes is None or len(classes) < 2 or of_numbers else classes


def _train_options(arguments: argparse.Namespace) -> TrainOptions:
    """Arguments of `train`: its defaults, those of the recipe, what was given."""
    given = given_options(arguments)
    chosen: dict[str, Any] = {}
    if arguments.recipe is not None:
        chosen = one_of_each(RECIPES[arguments.recipe](), given)
    if arguments.network is not None:  # it has these; given ones are compared with its own
        chosen = {name: value for name, value in chosen.items() if name not in NETWORK_OPTIONS}
    return cast(TrainOptions, {**DEFAULTS, **chosen, **given})


@contextmanager
def _output_folder(folder: Path) -> Iterator[Path]:
    """Make the folder, see that the results can be written; take it away if nothing came of it."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        for name in (NETWORK_FILE, HISTORY_FILE, PICTURE_FILE):
            check_writable(folder / name)
        yield folder
    finally:
        for path in missing:
            with suppress(OSError):  # one that is not empty stays
                path.rmdir()


def _train_and_save(
    sources: Sources, options: TrainOptions, classes: Array | None, folder: Path | None
) -> int:
    print(_describe(sources), flush=True)
    try:
        with _warnings_in_a_line():
            result = fit(Network, sources.training.x, sources.training.y, options, classes=classes)
    except CheckpointError as error:
        if folder is not None:
            _save(folder, error.result, sources)
        raise
    except TrainingInterrupted as interruption:
        steps = len(interruption.result.history["step_loss"])
        print(f"twolayer train: interrupted after {steps} steps", file=sys.stderr)
        if folder is not None:
            _save(folder, interruption.result, sources)
        return 130
    if folder is not None:  # before anything else that can fail, or take time
        _save(folder, result, sources)
    _evaluate(result, sources)
    return 0


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Say what the training warns of without the place in the code, and each time."""

    def say(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        print(f"twolayer train: {message}", file=sys.stderr, flush=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", RuntimeWarning)
        warnings.showwarning = say
        yield


def _describe(sources: Sources) -> str:
    training = sources.training
    parts = [f"{training.name}: {len(training):,} training images"]
    if training.image_shape is None:
        parts = [f"{training.name}: {len(training):,} training rows"]
    if sources.validation is not None:
        parts.append(f"{len(sources.validation):,} for validation")
    elif sources.validation_fraction:
        parts.append(f"{sources.validation_fraction:.0%} of them for validation")
    if sources.test is not None:
        parts.append(f"{len(sources.test):,} for the test")
    return ", ".join(parts)


class _EpochTable:
    """Prints a line after each epoch, with the score that the network has."""

    def __init__(self) -> None:
        self._table: Table | None = None

    def row(self, event: EpochEvent) -> None:
        name = event.network.score_name
        last = {key: values[-1] for key, values in event.history.items() if values}
        cells = {
            "epoch": str(event.epoch),
            "loss": _loss(last["loss"]),
            scores.label(name): _score(name, last.get(name)),
            "val loss": _loss(last["val_loss"]),
            f"val {scores.label(name)}": _score(name, last.get(f"val_{name}")),
            "learning rate": f"{last['learning_rate']:.3g}",
            "seconds": f"{last['seconds']:.2f}",
        }
        cells = {heading: cell for heading, cell in cells.items() if cell}
        if self._table is None:
            self._table = Table(list(cells))
        self._table.row(list(cells.values()))


def _loss(value: float) -> str:
    """Return a loss as a table shows it: those of numbers are as large as the numbers squared."""
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if value < 1000 else f"{value:.5g}"


def _score(name: str, value: float | None) -> str:
    """Return a score as a table shows it, nothing where the loss has none."""
    return "" if value is None else scores.text(name, value, decimals=2)


def _evaluate(result: TrainResult[Network], sources: Sources) -> None:
    network, history = result.network, result.history
    name = network.score_name
    of_score = [scores.label(name)] if name else []
    table = Table(["set", "rows", "loss", *of_score])

    def row(part: str, rows: str, loss: float, score: float) -> None:
        shown = [scores.text(name, score, decimals=2)] if name else []
        table.row([part, rows, _loss(loss), *shown])

    if sources.validation_fraction == 0.0:  # else only train() knows which rows it trained on
        x, y = sources.training.x, sources.training.y
        rows = min(len(x), EVALUATED_TRAINING_ROWS)
        part = "training" if rows == len(x) else "training, first"
        row(part, f"{rows:,}", *network.evaluate(x[:rows], y[:rows]))
    if sources.validation is not None:
        x, y = sources.validation.x, sources.validation.y
        row("validation", f"{len(x):,}", *network.evaluate(x, y))
    elif sources.validation_fraction:
        chosen = -1 if result.best_epoch is None else result.best_epoch - 1
        score = history[f"val_{name}"][chosen] if name else math.nan
        row("validation", "", history["val_loss"][chosen], score)
    if sources.test is not None:
        x, y = sources.test.x, sources.test.y
        row("test", f"{len(x):,}", *network.evaluate(x, y))


def _save(folder: Path, result: TrainResult[Network], sources: Sources) -> None:
    """Write the three files, each whole or not at all, and say which were written."""
    result.network.save(folder / NETWORK_FILE)
    history = {name: [_json_number(v) for v in values] for name, values in result.history.items()}
    with whole_file(folder / HISTORY_FILE) as stream:
        stream.write(json.dumps(history).encode())
    written = [NETWORK_FILE, HISTORY_FILE]
    try:
        shape = sources.training.image_shape
        figure = plots.plot_training(
            result.history, result.network, shape if plots.can_draw(shape) else None
        )
        plots.save_figure(figure, folder / PICTURE_FILE)
        written.append(PICTURE_FILE)
    except MissingExtraError as error:
        print(f"twolayer train: no picture: {error}", file=sys.stderr)
    finally:  # after Ctrl-C, too
        print(f"\nsaved in {folder}: {', '.join(written)}", flush=True)


def _json_number(value: float) -> float | None:
    """Numbers as JSON has them: it knows no NaN, which stands for "not measured" here."""
    return float(value) if math.isfinite(value) else None
