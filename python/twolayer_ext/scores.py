"""How scores are called and written where people read them: accuracy in per cent, R² as it is."""

from __future__ import annotations

import math

LABELS = {"accuracy": "accuracy", "r2": "R²"}


def label(name: str) -> str:
    """Return what a score ("accuracy" or "r2") is called; of none ("") nothing."""
    return LABELS.get(name, "")


def text(name: str, value: float, decimals: int = 1) -> str:
    """Return a score as text, to so many decimals of a per cent; a dash for NaN."""
    if math.isnan(value):
        return "-"
    return f"{value:.{decimals}%}" if name == "accuracy" else f"{value:.{decimals + 1}f}"
