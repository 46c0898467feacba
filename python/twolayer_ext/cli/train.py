"""The command ``twolayer train``."""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from twolayer_ext import checks, plots, recipes
from twolayer_ext.cli.augment import parse_augment
from twolayer_ext.cli.schedule import parse_schedule
from twolayer_ext.cli.sources import SPLIT_HELP, Sources, is_digits, load_sources
from twolayer_ext.errors import MissingExtraError, TrainingInterrupted
from twolayer_ext.files.writing import check_writable, whole_file
from twolayer_ext.network import Network, load
from twolayer_ext.tables import Table, percent
from twolayer_ext.training import DEFAULTS, EpochEvent, TrainOptions, TrainResult, fit

RECIPES: dict[str, Callable[[], TrainOptions]] = {
    "study-sgd-tuned": lambda: recipes.study_sgd("tuned"),
    "study-sgd-baseline": lambda: recipes.study_sgd("baseline"),
    "study-adam": recipes.study_adam,
    "best-10": lambda: recipes.best(10),
    "best-60": lambda: recipes.best(60),
    "best-300": lambda: recipes.best(300),
}
COMMAND_DEFAULTS: TrainOptions = {"optimizer": "adam", "learning_rate": 1e-3, "epochs": 20}
# Weights that start small and are held back show the strokes of the pen in the picture.
DIGITS_DEFAULTS: TrainOptions = {
    **COMMAND_DEFAULTS,
    "hidden_sizes": (128,),
    "init": 0.01,
    "normalize": "center",
    "reg": 1e-3,
    "batch_size": 32,
    "epochs": 30,
}
DEFAULTS_HELP = f"""\
defaults:
  With --recipe, those of the recipe; --epochs then lets the recipe's number of steps go,
  --schedule its learning-rate decay.
  Without, --optimizer adam --learning-rate 0.001 --epochs 20; for the digits besides
  --hidden 128 --init 0.01 --normalize center --reg 0.001 --batch-size 32 --epochs 30
  (--init only while --hidden is not given).
  All others are those of twolayer_ext.train().

{SPLIT_HELP}"""
EVALUATED_TRAINING_ROWS = 10_000
# Options that reach train() as they are; those of data and network are paths here.
TRAIN_OPTIONS = frozenset(TrainOptions.__annotations__) - {"validation_data", "network"}
NETWORK_OPTIONS = frozenset({"hidden_sizes", "activation", "init", "normalize", "dtype"})
NETWORK_FILE, HISTORY_FILE, PICTURE_FILE = "network.npz", "history.json", "training.png"


def run(arguments: argparse.Namespace) -> int:
    """Train, print the table of epochs, save, evaluate; return the exit status."""
    sources = load_sources(
        arguments.data,
        arguments.validation_data,
        arguments.test_data,
        getattr(arguments, "validation_fraction", None),
        arguments.limit,
    )
    options = _train_options(arguments)
    network = None if arguments.network is None else load(arguments.network)
    if network is None:
        classes = len(sources.training.class_names)
        if classes < 2:
            raise ValueError(f"--data: {classes} class; it should hold at least 2")
        sources = sources.checked(
            sources.training.x.shape[1], classes, checks.dtype_name(options["dtype"])
        )
    else:
        classes = network.layer_sizes[-1]
        sources = sources.checked(network.layer_sizes[0], classes, network.dtype)
    options["network"] = network
    options["validation_fraction"] = sources.validation_fraction
    if sources.validation is not None:
        options["validation_data"] = (sources.validation.x, sources.validation.y)
    table = _epoch_table()
    options["callbacks"] = (lambda event: _print_epoch(table, event),)

    if arguments.no_save:
        return _train_and_save(sources, options, classes, None)
    with _output_folder(Path(arguments.out)) as folder:
        return _train_and_save(sources, options, classes, folder)


def _train_options(arguments: argparse.Namespace) -> TrainOptions:
    """Arguments of `train`: its defaults, those of the command or the recipe, what was given."""
    given = {name: value for name, value in vars(arguments).items() if name in TRAIN_OPTIONS}
    if "schedule" in given:
        given["schedule"] = parse_schedule(given["schedule"])
    if "augment" in given:
        given["augment"] = parse_augment(given["augment"])
    if len(given.get("dropout", ())) == 1:  # for all layers
        given["dropout"] = given["dropout"][0]
    if "class_weight" in given:
        given["class_weight"] = _class_weight(given["class_weight"])
    chosen: dict[str, Any]
    if arguments.recipe is not None:
        chosen = {**RECIPES[arguments.recipe]()}
        if "epochs" in given:
            chosen.pop("max_steps", None)
        if "schedule" in given:
            chosen.pop("learning_rate_decay", None)
    elif is_digits(arguments.data) and arguments.network is None:
        chosen = {**DIGITS_DEFAULTS}
        if "hidden_sizes" in given:  # small weights would leave a deeper net dead
            del chosen["init"]
    else:
        chosen = {**COMMAND_DEFAULTS}
    if arguments.network is not None:  # it has these; given ones are compared with its own
        chosen = {name: value for name, value in chosen.items() if name not in NETWORK_OPTIONS}
    return cast(TrainOptions, {**DEFAULTS, **chosen, **given})


def _class_weight(words: list[str]) -> str | list[float]:
    if len(words) == 1:
        return words[0]
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise ValueError(f"--class-weight: {error}; must be numbers, or balanced") from None


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
    sources: Sources, options: TrainOptions, classes: int, folder: Path | None
) -> int:
    print(_describe(sources), flush=True)
    try:
        result = fit(Network, sources.training.x, sources.training.y, options, classes=classes)
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


def _epoch_table() -> Table:
    return Table(
        ["epoch", "loss", "accuracy", "val loss", "val accuracy", "learning rate", "seconds"]
    )


def _print_epoch(table: Table, event: EpochEvent) -> None:
    last = {name: values[-1] for name, values in event.history.items() if values}
    table.row(
        [
            str(event.epoch),
            f"{last['loss']:.4f}",
            percent(last["accuracy"]),
            "-" if math.isnan(last["val_loss"]) else f"{last['val_loss']:.4f}",
            percent(last["val_accuracy"]),
            f"{last['learning_rate']:.3g}",
            f"{last['seconds']:.2f}",
        ]
    )


def _evaluate(result: TrainResult[Network], sources: Sources) -> None:
    network, history = result.network, result.history
    table = Table(["set", "rows", "loss", "accuracy"])
    if sources.validation_fraction == 0.0:  # else only train() knows which rows it trained on
        x, y = sources.training.x, sources.training.y
        rows = min(len(x), EVALUATED_TRAINING_ROWS)
        name = "training" if rows == len(x) else "training, first"
        loss, accuracy = network.evaluate(x[:rows], y[:rows])
        table.row([name, f"{rows:,}", f"{loss:.4f}", percent(accuracy)])
    if sources.validation is not None:
        loss, accuracy = network.evaluate(sources.validation.x, sources.validation.y)
        table.row(["validation", f"{len(sources.validation):,}", f"{loss:.4f}", percent(accuracy)])
    elif sources.validation_fraction:
        chosen = -1 if result.best_epoch is None else result.best_epoch - 1
        loss, accuracy = history["val_loss"][chosen], history["val_accuracy"][chosen]
        table.row(["validation", "", f"{loss:.4f}", percent(accuracy)])
    if sources.test is not None:
        loss, accuracy = network.evaluate(sources.test.x, sources.test.y)
        table.row(["test", f"{len(sources.test):,}", f"{loss:.4f}", percent(accuracy)])


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
