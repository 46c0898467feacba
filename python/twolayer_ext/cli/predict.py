"""The command ``twolayer predict``."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twolayer_ext import scores
from twolayer_ext.checks import Array
from twolayer_ext.cli.sources import load_rows
from twolayer_ext.datasets import Dataset
from twolayer_ext.files.writing import check_writable, whole_file
from twolayer_ext.losses import CustomLoss, Quantile
from twolayer_ext.network import Network, load
from twolayer_ext.rows import as_rows

ROWS_AT_ONCE = 4096


def run(arguments: argparse.Namespace) -> int:
    """Predict, write the predictions, tell the score if there are targets."""
    out = None if arguments.out is None else Path(arguments.out)
    if out is not None and out.suffix not in (".npy", ".csv"):
        raise ValueError(f"--out: was {arguments.out!r}; it should end in .npy or .csv")
    if out is not None:
        check_writable(out)
    network = load(arguments.model)
    x, data = load_rows(arguments.data)
    of_data = " ".join(arguments.data)
    as_rows(x, features=network.layer_sizes[0], dtype=network.dtype, name=f"x of {of_data}")
    if data is not None:
        network.task.encode(data.y, rows=len(x), name=f"y of {of_data}")

    predictions = network.predict(x)
    if out is None:
        for line in predictions.reshape(len(x), -1):
            print(",".join(map(str, line)))
    elif out.suffix == ".npy":
        with whole_file(out) as stream:
            np.save(stream, predictions, allow_pickle=False)
    else:
        _write_csv(out, network, x, predictions, data)
    if data is not None:
        _tell_score(network, data)
    if out is not None:
        print(f"saved {len(x):,} predictions in {out}", file=sys.stderr)
    return 0


def _tell_score(network: Network, data: Dataset) -> None:
    name = network.score_name
    if not name or isinstance(network.loss, CustomLoss):  # no file holds the function
        return
    _, score = network.evaluate(data.x, data.y)
    rows = f"{len(data):,} rows"
    if name == "accuracy":
        rows = f"{round(score * len(data)):,} of {rows}"
    print(f"{scores.label(name)} {scores.text(name, score, decimals=2)} ({rows})", file=sys.stderr)


def _write_csv(
    path: Path, network: Network, x: Array, predictions: Array, data: Dataset | None
) -> None:
    """Write row, class, name and probability; or row and the numbers, or labels, of each column."""
    names = _class_names(network, data)
    with whole_file(path) as stream:
        text = io.TextIOWrapper(stream, "utf-8", "backslashreplace", newline="")
        writer = csv.writer(text)
        likely = ["probability"] if network.loss.has_probabilities else []
        if network.classes is None:
            columns = _columns(network)
            likely = [f"{column}_probability" for column in columns] if likely else []
        else:
            columns = ["class", "name"]
        writer.writerow(["row", *columns, *likely])
        for start in range(0, len(x), ROWS_AT_ONCE):
            block = predictions[start : start + ROWS_AT_ONCE]
            cells = [list(row) for row in block.reshape(len(block), -1)]
            if names is not None:
                cells = [[label, names[label]] for (label,) in cells]
            if likely:
                probabilities = network.predict_proba(x[start : start + len(block)])
                if names is not None:
                    probabilities = probabilities.max(axis=1, keepdims=True)
                for i, row in enumerate(probabilities):
                    cells[i] += [f"{probability:.6f}" for probability in row]
            writer.writerows([start + i, *row] for i, row in enumerate(cells))
        text.detach()  # flushes, and leaves the stream open for whole_file to finish


def _class_names(network: Network, data: Dataset | None) -> dict[object, str] | None:
    """Return a name for each label: the data's where it speaks of the same labels."""
    if network.classes is None:
        return None
    known = network.classes.tolist()
    names: Sequence[str] = [str(label) for label in known]
    if data is not None and data.classes is not None and data.classes.tolist() == known:
        names = data.class_names
    return dict(zip(known, names, strict=True))


def _columns(network: Network) -> list[str]:
    """Return the names of the columns of predictions that are no classes."""
    task = network.task
    word = "label" if task.loss.takes == "indicators" else "value"
    count = task.columns if task.loss.outputs_per_target > 1 else task.outputs
    names = [word] if count == 1 else [f"{word}_{i}" for i in range(count)]
    if isinstance(task.loss, Quantile):
        names = [f"{name}_{level:g}" for name in names for level in task.loss.levels]
    return names
