"""Tables as text: everything that pads cells to columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

MINIMUM_WIDTH = 8


def percent(fraction: float) -> str:
    """Format a fraction of 1 as per cent; a dash for NaN."""
    return "-" if math.isnan(fraction) else f"{fraction:.2%}"


def described(lines: Mapping[str, str]) -> str:
    """Return names and what they stand for, a line each."""
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines.items())


def plain(
    headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int]
) -> list[str]:
    """Return the lines of a table; columns number `left` are aligned to the left."""
    widths = _widths([headings, *rows])
    rule = ["-" * width for width in widths]
    return ["  ".join(_padded(row, widths, left)).rstrip() for row in (headings, rule, *rows)]


def markdown(
    headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = ()
) -> str:
    """Return a table in Markdown; columns number `left` are aligned to the left."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (headings, *rows)]
    widths = [max(3, width) for width in _widths(cells)]
    rule = [
        ":" + "-" * (width - 1) if i in left else "-" * (width - 1) + ":"
        for i, width in enumerate(widths)
    ]
    lines = [_padded(cells[0], widths, left), rule]
    lines += [_padded(row, widths, left) for row in cells[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _padded(row: Sequence[str], widths: Sequence[int], left: Collection[int]) -> list[str]:
    return [
        cell.ljust(width) if i in left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


class Table:
    """Prints an empty line, a heading, and rows as they come, to standard output.

    Widths are fixed beforehand.

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
        signed = widths or [max(len(heading), MINIMUM_WIDTH) for heading in headings]
        self._widths = list(map(abs, signed))
        self._left = {i for i, width in enumerate(signed) if width < 0}
        self._started = False

    def row(self, cells: Sequence[str]) -> None:
        """Print one row, and the heading before the first."""
        if not self._started:
            self._started = True
            print()
            self._print(self._headings)
            self._print(["-" * width for width in self._widths])
        self._print(cells)

    def _print(self, cells: Sequence[str]) -> None:
        # Flushed, so that a pipe shows training as it goes.
        print("  ".join(_padded(cells, self._widths, self._left)).rstrip(), flush=True)
