"""The command ``twolayer train``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twolayer_ext import plots, recipes
from twolayer_ext.cli.schedule import parse_schedule
from twolayer_ext.cli.sources import SPLIT_HELP, Split, is_digits, load_split
from twolayer_ext.cli.table import Table, percent
from twolayer_ext.errors import MissingExtraError, TrainingInterrupted
from twolayer_ext.network import load
from twolayer_ext.serialization import whole_file
from twolayer_ext.training import EpochEvent, TrainOptions, TrainResult, train

RECIPES: dict[str, Callable[[], TrainOptions]] = {
    "study-sgd-tuned": lambda: recipes.study_sgd("tuned"),
    "study-sgd-baseline": lambda: recipes.study_sgd("baseline"),
    "study-adam": recipes.study_adam,
}
DEFAULTS: TrainOptions = {"optimizer": "adam", "learning_rate": 1e-3, "epochs": 20}
# Weights that start small and are held back show the strokes of the pen in the picture.
DIGITS_DEFAULTS: TrainOptions = {
    **DEFAULTS,
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


def run(arguments: argparse.Namespace) -> int:
    """Train, print the table of epochs, evaluate, save; return the exit status."""
    split = load_split(
        arguments.data,
        arguments.validation_data,
        arguments.test_data,
        getattr(arguments, "validation_fraction", None),
        arguments.limit,
    )
    options = _train_options(arguments)
    options["validation_fraction"] = split.validation_fraction
    if split.validation is not None:
        options["validation_data"] = (split.validation.x, split.validation.y)
    folder = None if arguments.no_save else Path(arguments.out)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)  # before training: its result has to go there

    table = _epoch_table()
    options["callbacks"] = (lambda event: _print_epoch(table, event),)
    print(_describe(split), flush=True)
    try:
        result = train(split.training.x, split.training.y, **options)
    except TrainingInterrupted as interruption:
        steps = len(interruption.result.history["step_loss"])
        print(f"twolayer train: interrupted after {steps} steps", file=sys.stderr)
        if folder is not None:
            _save(folder, interruption.result, split)
        return 130
    _evaluate(result, split)
    if folder is not None:
        _save(folder, result, split)
    return 0


def _train_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments for `train`: the defaults or the recipe, then what was given."""
    given = {name: value for name, value in vars(arguments).items() if name in TRAIN_OPTIONS}
    if "schedule" in given:
        given["schedule"] = parse_schedule(given["schedule"])
    options: dict[str, Any]
    if arguments.recipe is not None:
        options = {**RECIPES[arguments.recipe]()}
        if "epochs" in given:
            options.pop("max_steps", None)
        if "schedule" in given:
            options.pop("learning_rate_decay", None)
    elif is_digits(arguments.data) and arguments.network is None:
        options = {**DIGITS_DEFAULTS}
        if "hidden_sizes" in given:  # small weights would leave a deeper net dead
            del options["init"]
    else:
        options = {**DEFAULTS}
    options.update(given)
    if arguments.network is not None:
        options["network"] = load(arguments.network)
    return options


def _describe(split: Split) -> str:
    training = split.training
    parts = [f"{training.name}: {len(training):,} training images"]
    if training.image_shape is None:
        parts = [f"{training.name}: {len(training):,} training rows"]
    if split.validation is not None:
        parts.append(f"{len(split.validation):,} for validation")
    elif split.validation_fraction:
        parts.append(f"{split.validation_fraction:.0%} of them for validation")
    if split.test is not None:
        parts.append(f"{len(split.test):,} for the test")
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


def _evaluate(result: TrainResult, split: Split) -> None:
    network, history = result.network, result.history
    table = Table(["set", "rows", "loss", "accuracy"])
    if split.validation_fraction == 0.0:  # else only train() knows which rows it trained on
        x, y = split.training.x, split.training.y
        rows = min(len(x), EVALUATED_TRAINING_ROWS)
        name = "training" if rows == len(x) else "training, first"
        loss, accuracy = network.evaluate(x[:rows], y[:rows])
        table.row([name, f"{rows:,}", f"{loss:.4f}", percent(accuracy)])
    if split.validation is not None:
        loss, accuracy = network.evaluate(split.validation.x, split.validation.y)
        table.row(["validation", f"{len(split.validation):,}", f"{loss:.4f}", percent(accuracy)])
    elif split.validation_fraction:
        kept = -1 if result.best_epoch is None else result.best_epoch - 1
        loss, accuracy = history["val_loss"][kept], history["val_accuracy"][kept]
        table.row(["validation", "", f"{loss:.4f}", percent(accuracy)])
    if split.test is not None:
        loss, accuracy = network.evaluate(split.test.x, split.test.y)
        table.row(["test", f"{len(split.test):,}", f"{loss:.4f}", percent(accuracy)])


def _save(folder: Path, result: TrainResult, split: Split) -> None:
    """Write the three files, each whole or not at all, and say which were written."""
    result.network.save(folder / "network.npz")
    history = {name: [_json_number(v) for v in values] for name, values in result.history.items()}
    with whole_file(folder / "history.json") as stream:
        stream.write(json.dumps(history).encode())
    written = ["network.npz", "history.json"]
    try:
        shape = split.training.image_shape
        figure = plots.plot_training(
            result.history, result.network, shape if plots.can_draw(shape) else None
        )
    except MissingExtraError as error:
        print(f"twolayer train: no picture: {error}", file=sys.stderr)
    else:
        plots.save_figure(figure, folder / "training.png")
        written.append("training.png")
    print(f"\nsaved in {folder}: {', '.join(written)}")


def _json_number(value: float) -> float | None:
    """Numbers as JSON has them: it knows no NaN, which stands for "not measured" here."""
    return float(value) if math.isfinite(value) else None
