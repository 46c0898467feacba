"""Whether data are those of a checkpoint: shapes, types, and a checksum that costs little."""

from __future__ import annotations

from typing import Any

import numpy as np

from twolayer_ext.rows import Rows, bytes_of, digest, take
from twolayer_ext.training.plan import Data

_READ = 2**22  # bytes of x
_FEWEST_ROWS = 64


def fingerprint(data: Data) -> dict[str, Any]:
    """Return what tells data apart, as JSON holds it.

    Of targets and weights all is read, of rows about 4 MB of them, the first and the last and
    others at equal distances: data sets may be larger than memory.
    """
    parts = {"x": _of_rows(data.x), "y": digest(data.targets)}
    if data.weights is not None:
        parts["weights of the rows"] = digest(data.weights)
    if data.validation is not None and data.validation[2] is None:
        parts["validation_data[0]"] = _of_rows(data.validation[0])
        parts["validation_data[1]"] = digest(data.validation[1])
    return parts


def check_same(found: dict[str, Any], saved: dict[str, Any]) -> None:
    """Raise ValueError if data are not those of a checkpoint."""
    for name in {**saved, **found}:
        if name not in found:
            raise ValueError(f"{name}: not given; must be given again, as to the saved training")
        if name not in saved:
            raise ValueError(f"{name}: given; must be left out, as in the saved training")
        if found[name] == saved[name]:
            continue
        was, what = [
            f"{part.get('dtype')} of shape {part.get('shape')}"
            for part in (found[name], saved[name])
        ]
        other = "other values" if was == what else what
        raise ValueError(f"{name}: {was}; the saved training has {other}, must be the same data")


def _of_rows(rows: Rows) -> dict[str, Any]:
    count = len(rows)
    affordable = _READ // max(1, bytes_of(rows) // count)
    chosen = np.linspace(0, count - 1, min(count, max(_FEWEST_ROWS, affordable)))
    sample = digest(take(rows, np.unique(chosen.astype(np.int64))))
    return {**sample, "shape": list(rows.shape)}
