"""The whole report, and its files: HTML, Markdown with pictures, JSON."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import twolayer_ext as tl
from twolayer_ext.datasets.split import Split
from twolayer_ext.files.writing import whole_file
from twolayer_ext.study.conclusions import conclusions
from twolayer_ext.study.dead_net import dead_net
from twolayer_ext.study.derivation import checks, derivation
from twolayer_ext.study.document import (
    Block,
    Heading,
    Paragraph,
    Picture,
    as_html,
    as_markdown,
)
from twolayer_ext.study.part_one import part_one
from twolayer_ext.study.part_two import ComparedRow, compare, part_two, strict_errors
from twolayer_ext.study.runs import Study, TrainedNet

TITLE = "Fully connected nets on CIFAR-10: a study done again"
FIGURES = "figures"


def build_report(study: Study, data: Split) -> list[Block]:
    """Return the report's blocks; draws all pictures."""
    return [
        Heading(TITLE, 1),
        Paragraph(
            "In April 2020 S. Sofianos and N. Zavadskaya published a study of fully connected nets "
            "on CIFAR-10, after an exercise of F. Galasso's course Advanced Machine Learning "
            "(Sapienza), itself after Stanford's CS231n. Here its experiments are done again on "
            "this machine, each figure beside the published one."
        ),
        *_warning(study),
        Paragraph(_circumstances(study, data)),
        *derivation(),
        *checks(),
        *part_one(study, data),
        *part_two(study, data, compare(study, data)),
        *dead_net(study, data),
        *conclusions(study, data),
    ]


def write_report(study: Study, data: Split, folder: Path) -> list[str]:
    """Write all files into the folder, each whole or not at all; return their names.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    blocks = build_report(study, data)
    files = {
        f"{FIGURES}/{block.name}.png": block.png for block in blocks if isinstance(block, Picture)
    }
    files["report.html"] = as_html(TITLE, blocks).encode()
    files["report.md"] = as_markdown(blocks, FIGURES).encode()
    text = json.dumps(as_json(study, data), indent=1, allow_nan=False)
    files["results.json"] = f"{text}\n".encode()
    (folder / FIGURES).mkdir(exist_ok=True)
    for name, content in files.items():
        with whole_file(folder / name) as stream:
            stream.write(content)
    return list(files)


def _warning(study: Study) -> list[Block]:
    if not study.scale.quick:
        return []
    text = (
        f"A quick look: {study.scale.steps} steps instead of 1000, "
        f"{study.scale.epochs[10]} and {study.scale.epochs[30]} epochs instead of 10 and 30, one "
        "seed. Nothing here compares with the published figures."
    )
    return [Paragraph(text, warning=True)]


def _circumstances(study: Study, data: Split) -> str:
    build = tl.build_info()
    numbers = study.compute_dtype
    if numbers == "bfloat16":
        numbers += " (products of numbers rounded to 8 significant bits; their sums, parameters, "
        numbers += "optimizer, loss and evaluation in float32)"
    return (
        f"CIFAR-10: {len(data.training):,} training, {len(data.validation):,} validation and "
        f"{len(data.test):,} test images. {len(study.runs)} training runs in "
        f"{numbers}, {study.workers} at a time: {_duration(study.seconds)} "
        f"({_duration(study.cpu_seconds)} of processor time). twolayer-ext {tl.__version__}, "
        f"{build['isa']}, "
        f"{platform.machine()}, Python {platform.python_version()}."
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def as_json(study: Study, data: Split) -> dict[str, Any]:
    """Return settings, figures and comparisons as plain values; fractions, not per cent."""
    rows = compare(study, data)
    strict = {of: strict_errors(rows, of) for of in ("validation", "test")}
    return {
        "version": tl.__version__,
        "build": tl.build_info(),
        "compute_dtype": study.compute_dtype,
        "quick": study.scale.quick,
        "seeds": list(study.scale.seeds),
        "images": {
            "training": len(data.training),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        "seconds": study.seconds,
        "cpu_seconds": study.cpu_seconds,
        "workers": study.workers,
        "part_one": [_run_json(run) for run in study.sgd.values()],
        "part_two": [
            _row_json(row, *(strict[of][i] for of in ("validation", "test")))
            for i, row in enumerate(rows)
        ],
        "part_two_runs": [_run_json(run) for runs in study.adam.values() for run in runs],
        "he": _run_json(study.he),
        "cured": [_run_json(run) for run in study.cured],
    }


def _row_json(compared: ComparedRow, *strict: float) -> dict[str, Any]:
    row = compared.row
    comparisons = zip(
        ("validation", "test"), (compared.validation, compared.test), strict, strict=True
    )
    return {
        "hidden_sizes": list(row.hidden),
        "learning_rate": row.learning_rate,
        "epochs": row.epochs,
        "published_validation": row.published / 100,
        "seconds": compared.seconds,
        **{
            name: {
                "ours": list(comparison.ours),
                "pytorch": comparison.theirs,
                "difference": comparison.difference,
                "standard_error": _number(comparison.error),
                "within_two_standard_errors": comparison.within if compared.comparable else None,
                "standard_errors_by_seeds_alone": _number(distance),
            }
            for name, comparison, distance in comparisons
        },
    }


def _run_json(run: TrainedNet) -> dict[str, Any]:
    options = run.plan.options
    return {
        "name": run.plan.name,
        "seed": run.plan.seed,
        "hidden_sizes": list(run.plan.hidden_sizes),
        "learning_rate": options["learning_rate"],
        "init": options["init"],
        "snapshots": {
            str(epochs): {
                "seconds": snapshot.seconds,
                "training": snapshot.training,
                "validation": snapshot.validation,
                "test": snapshot.test,
            }
            for epochs, snapshot in run.snapshots.items()
        },
        "history": {
            name: _numbers(values) for name, values in run.history.items() if name != "step_loss"
        },
    }


def _numbers(values: Sequence[float]) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float) -> float | None:
    """JSON has no nan."""
    return value if math.isfinite(value) else None
