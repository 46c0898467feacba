"""A process that runs one version: told what to do by lines of JSON, it answers likewise.

The answer to ``{"case": name, "dtype": ..., "threads": ..., "data": path or null, "rows": limit or
null}`` is ``{"rate": samples a second, "most": steps of an epoch, "batch": samples a step,
"bits": checksum of the result}``, or ``{"unfit": why}``; that to ``{"steps": n, "passes": m}`` is
``{"seconds": ...}``. Saved versions answer to those that come later, so these names stay.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from twolayer_ext.benchmark.accuracy import Judge
from twolayer_ext.benchmark.cases import Images, cases_named, load_images, make_workload
from twolayer_ext.benchmark.contenders import Session, Twolayer
from twolayer_ext.benchmark.run import (
    Settings,
    UnfitError,
    data_of,
    prepare,
    steps_of_epoch,
    time_once,
)

_TRIAL = 0.1  # seconds


def main() -> None:
    """Answer until there are no more lines."""
    # Answers go where they are read; what a library prints does not get among them.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    session: Session | None = None
    for line in sys.stdin:
        order = json.loads(line)
        if "case" in order:
            session, answer = _prepared(order)
        else:
            assert session is not None
            answer = {"seconds": time_once(session, order["steps"], order["passes"])}
        print(json.dumps(answer), file=answers, flush=True)


def _prepared(order: dict[str, Any]) -> tuple[Session | None, dict[str, Any]]:
    (case,) = cases_named([order["case"]])
    images = _images(order["data"]) if case.data == "cifar10" else None
    workload = make_workload(case, data_of(case, images), order["rows"])
    settings = replace(Settings(), threads=order["threads"], trial=_TRIAL)
    judge = Judge(workload)
    try:
        entry = prepare(Twolayer(order["dtype"], order["threads"]), judge, settings)
    except UnfitError as error:
        return None, {"unfit": str(error)}
    session = entry.session
    return session, {
        "rate": entry.rate,
        "most": steps_of_epoch(workload),
        "batch": case.batch_size,
        "bits": _bits(session, judge),
    }


@functools.cache
def _images(data: str | None) -> Images:
    return load_images(data)


def _bits(session: Session, judge: Judge) -> str:
    """Return a checksum of what some steps, or a prediction, come to."""
    session.reset()
    digest = hashlib.sha256()
    if session.case.task == "predict":
        digest.update(np.ascontiguousarray(session.predict()).tobytes())
    else:
        session.train(judge.rows, 1)
        for arrays in session.parameters():
            for array in arrays:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
