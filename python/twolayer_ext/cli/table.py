"""Tables on standard output, printed row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINIMUM_WIDTH = 8


def percent(fraction: float) -> str:
    """Format a fraction of 1 as per cent; a dash for NaN."""
    return "-" if math.isnan(fraction) else f"{fraction:.2%}"


class Table:
    """Prints an empty line, a heading, and rows as they come; widths are fixed beforehand.

    Parameters
    ----------
    headings : sequence of str
        Printed with the first row.
    widths : sequence of int, optional
        Of each column; by default the width of its heading, at least `MINIMUM_WIDTH`. A negative
        width aligns to the left.
    """

    def __init__(self, headings: Sequence[str], widths: Sequence[int] | None = None) -> None:
        self._headings = headings
        self._widths = widths or [max(len(heading), MINIMUM_WIDTH) for heading in headings]
        self._started = False

    def row(self, cells: Sequence[str]) -> None:
        """Print one row, and the heading before the first."""
        if not self._started:
            self._started = True
            print()
            self._print(self._headings)
            self._print(["-" * abs(width) for width in self._widths])
        self._print(cells)

    def _print(self, cells: Sequence[str]) -> None:
        aligned = [
            cell.ljust(-width) if width < 0 else cell.rjust(width)
            for cell, width in zip(cells, self._widths, strict=True)
        ]
        # Flushed, so that a pipe shows training as it goes.
        print("  ".join(aligned).rstrip(), flush=True)
