"""The runs of a sweep on disk: a line of JSON for each, written when it is finished.

The first line tells which sweep the file belongs to. Only the last line can be torn, by a crash
while it was written; it is then dropped and its run done again.
"""

from __future__ import annotations

import json
import math
import os
import threading
from pathlib import Path
from typing import Any, TypeAlias

from twolayer_ext import scores
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.reading import open_regular
from twolayer_ext.files.writing import whole_file
from twolayer_ext.sweeping.result import Run
from twolayer_ext.sweeping.space import Config, key, plain

FORMAT = "twolayer-ext sweep 2"
_MEASURED = ("val_score", "val_loss", "score", "seconds")

Header: TypeAlias = dict[str, Any]


class Journal:
    """Finished runs by configuration; in a file, too, if there is one.

    A run is a function of its configuration and the data alone, so that those of an earlier sweep
    are right for any other over the same data.

    Parameters
    ----------
    path : Path or None
        The file; made if it is not there. None keeps runs in memory only.
    header : dict
        What must be the same to go on with an existing file.

    Raises
    ------
    ValueError
        The file belongs to another sweep; the message says what differs.
    FileFormatError
        The file is broken, or something else.
    OSError
        The file cannot be read or written.
    """

    def __init__(self, path: Path | None, header: Header) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._runs: dict[str, dict[str, Any]] = {}
        if path is None:
            return
        header = {"format": FORMAT, **plain(header)}
        if not path.exists():
            with whole_file(path) as stream:
                stream.write(_line(header))
            return
        with open_regular(path) as file:
            content = file.read()
        whole = content.rfind(b"\n") + 1
        first, *rest = content[:whole].splitlines() or [b""]
        _compare(path, _parse(path, 1, first), header)
        for number, line in enumerate(rest, start=2):
            entry = _run_entry(path, number, line)
            try:
                self._runs[key(entry["config"])] = entry
            except RecursionError:
                raise FileFormatError(f"{path}: line {number} is nested too deep") from None
        if whole < len(content):
            os.truncate(path, whole)

    def find(self, number: int, config: Config) -> Run | None:
        """Return the run of a configuration, if it was done, under this number."""
        entry = self._runs.get(key(config))
        if entry is None:
            return None
        measured = {name: math.nan if entry[name] is None else entry[name] for name in _MEASURED}
        return Run(
            number=number,
            config=config,
            score_name=entry["score_name"],
            epochs=entry["epochs"],
            **measured,
        )

    def add(self, run: Run) -> None:
        """Keep a finished run; called by any thread. On return it is on the disk."""
        entry = plain(vars(run))
        for name in _MEASURED:
            if math.isnan(entry[name]):
                entry[name] = None  # JSON knows no nan
        with self._lock:
            if self._path is not None:
                with self._path.open("ab") as stream:
                    stream.write(_line(entry))
                    stream.flush()
                    os.fsync(stream.fileno())
            self._runs[key(entry["config"])] = entry


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, allow_nan=False).encode() + b"\n"


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict):
        raise FileFormatError(f"{path}: line {number} is not an object in JSON")
    return entry


def _run_entry(path: Path, number: int, line: bytes) -> dict[str, Any]:
    entry = _parse(path, number, line)
    right = (
        isinstance(entry.get("config"), dict)
        and type(entry.get("epochs")) is int
        and entry.get("score_name") in (*scores.LABELS, "")
        and all(
            name in entry
            and (entry[name] is None or (type(entry[name]) is float and math.isfinite(entry[name])))
            for name in _MEASURED
        )
    )
    if not right:
        raise FileFormatError(f"{path}: line {number} is not a run of a sweep")
    return entry


def _compare(path: Path, found: Header, asked: Header) -> None:
    if found.get("format") != FORMAT:
        raise FileFormatError(f"{path}: is not a sweep this version can go on with")
    differences = _differences("", found, asked)
    if differences:
        raise ValueError(
            f"out: {path.parent} holds another sweep: {'; '.join(differences)}; "
            "must be another folder, or the same arguments"
        )


def _differences(name: str, found: Any, asked: Any) -> list[str]:
    if isinstance(found, dict) and isinstance(asked, dict):
        names = [*found, *(part for part in asked if part not in found)]
        return [
            text
            for part in names
            for text in _differences(
                f"{name} {part}".strip(), found.get(part, "absent"), asked.get(part, "absent")
            )
        ]
    return [] if found == asked else [f"{name} was {found}, is {asked}"]
