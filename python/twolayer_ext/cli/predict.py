"""The command ``twolayer predict``."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import as_rows
from twolayer_ext.cli.sources import load_rows
from twolayer_ext.files.writing import check_writable, whole_file
from twolayer_ext.network import Network, load

ROWS_AT_ONCE = 4096


def run(arguments: argparse.Namespace) -> int:
    """Predict, write the predictions, tell the accuracy if there are labels."""
    out = None if arguments.out is None else Path(arguments.out)
    if out is not None and out.suffix not in (".npy", ".csv"):
        raise ValueError(f"--out: was {arguments.out!r}; it should end in .npy or .csv")
    if out is not None:
        check_writable(out)
    network = load(arguments.model)
    x, y, class_names = load_rows(arguments.data)
    name = f"x of {' '.join(arguments.data)}"
    x = as_rows(x, features=network.layer_sizes[0], dtype=network.dtype, name=name)

    if out is None:
        classes = network.predict(x)
        print("\n".join(map(str, classes)))
    elif out.suffix == ".npy":
        classes = network.predict(x)
        with whole_file(out) as stream:
            np.save(stream, classes, allow_pickle=False)
    else:
        classes = _write_csv(out, network, x, class_names)
    if y is not None:
        right = int((classes == y).sum())
        print(f"accuracy {right / len(y):.2%} ({right:,} of {len(y):,} rows)", file=sys.stderr)
    if out is not None:
        print(f"saved {len(classes):,} predictions in {out}", file=sys.stderr)
    return 0


def _write_csv(
    path: Path, network: Network, x: NDArray[Any], class_names: Sequence[str]
) -> NDArray[np.int64]:
    """Write row, class, name, probability; return the classes."""
    if len(class_names) != network.layer_sizes[-1]:
        class_names = [str(index) for index in range(network.layer_sizes[-1])]
    classes = np.empty(len(x), dtype=np.int64)
    with whole_file(path) as stream:
        text = io.TextIOWrapper(stream, "utf-8", "backslashreplace", newline="")
        writer = csv.writer(text)
        writer.writerow(["row", "class", "name", "probability"])
        for start in range(0, len(x), ROWS_AT_ONCE):
            probabilities = network.predict_proba(x[start : start + ROWS_AT_ONCE])
            part = probabilities.argmax(axis=1)
            classes[start : start + len(part)] = part
            for offset, index in enumerate(part):
                probability = f"{probabilities[offset, index]:.6f}"
                writer.writerow([start + offset, index, class_names[index], probability])
        text.detach()  # flushes, and leaves the stream open for whole_file to finish
    return classes
