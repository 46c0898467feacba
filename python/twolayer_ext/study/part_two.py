"""The report's chapter on the study's second part: deeper nets, Adam."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twolayer_ext.datasets.split import Split
from twolayer_ext.study import figures
from twolayer_ext.study.document import Block, Heading, Items, Paragraph, Picture, Table
from twolayer_ext.study.part_one import NOTHING
from twolayer_ext.study.protocol import ROWS, Row
from twolayer_ext.study.runs import Study
from twolayer_ext.study.statistics import (
    TWO_ERRORS,
    Comparison,
    binomial_error,
    mean_of,
    spread,
)

# Below this a net has not begun to learn, be it ours or PyTorch's.
ASLEEP = 0.15


@dataclass(frozen=True)
class ComparedRow:
    """A row of the study's table beside PyTorch's figures on the same images."""

    row: Row
    validation: Comparison
    test: Comparison
    seconds: float

    @property
    def settled(self) -> bool:
        """Whether all its nets, ours and PyTorch's, have begun to learn."""
        return all(accuracy > ASLEEP for accuracy in self._accuracies)

    @property
    def comparable(self) -> bool:
        """Whether all its nets have begun to learn, or none has.

        Otherwise the accuracies lie in two heaps, and no mean or spread tells them apart.
        """
        return self.settled or all(accuracy <= ASLEEP for accuracy in self._accuracies)

    @property
    def _accuracies(self) -> tuple[float, ...]:
        return *self.test.ours, self.test.theirs


def compare(study: Study, data: Split) -> list[ComparedRow]:
    """Compare all rows."""
    result = []
    for row in ROWS:
        snapshots = study.snapshots(row)
        validation = tuple(s.validation for s in snapshots)
        test = tuple(s.test for s in snapshots)
        result.append(
            ComparedRow(
                row,
                Comparison(validation, row.torch_validation / 100, len(data.validation)),
                Comparison(test, row.torch_test / 100, len(data.test)),
                float(np.mean([s.seconds for s in snapshots])),
            )
        )
    return result


def strict_errors(rows: list[ComparedRow], of: str) -> list[float]:
    """Distance from PyTorch in standard errors by seeds alone; nan for rows that are not settled.

    The spread of three seeds is hardly known, so it is pooled over the settled rows of the same
    learning rate. `of` is "validation" or "test".
    """
    distances = []
    for compared in rows:
        comparison: Comparison = getattr(compared, of)
        alike = [
            spread(getattr(other, of).ours)
            for other in rows
            if other.settled and other.row.learning_rate == compared.row.learning_rate
        ]
        pooled = math.sqrt(np.mean(np.square(alike))) if alike else math.nan
        error = pooled * math.sqrt(1 / len(comparison.ours) + 1)
        distances.append(comparison.difference / error if compared.settled and error else math.nan)
    return distances


def part_two(study: Study, data: Split, rows: list[ComparedRow]) -> list[Block]:
    """Return the chapter."""
    seeds, quick = len(study.scale.seeds), study.scale.quick
    blocks: list[Block] = [
        Heading("Part two: deeper nets, Adam"),
        Paragraph(
            "Pixels scaled to [−1, 1], all weights N(0, 10⁻³) by standard deviation, biases 0, "
            "Adam with a weight decay of 10⁻³ added to the gradient, batches of 200, the learning "
            f"rate times 0.95 after every epoch. {seeds} seed{'s' * (seeds > 1)} a row; PyTorch's "
            "figures are of one. A net's 10 epochs are the first 10 of its 30: the schedule does "
            "not know how long it will be, so a run of its own would give the same bits."
        ),
        Paragraph(
            "PyTorch's figures, and NumPy's above, were measured on images that had been through "
            "JPEG. With the original files ours may come out about a point higher."
        ),
        Picture(
            "rows",
            figures.png(figures.table_of_rows(study, (len(data.validation), len(data.test)))),
            "All rows. A bar of two standard errors is what the choice of "
            f"{len(data.validation):,} or {len(data.test):,} images may move; both sides saw the "
            "same images, which moves both the same way for the greater part.",
        ),
        Heading("Validation images", 3),
        _table(rows, "validation", quick),
        Heading("Test images", 3),
        _table(rows, "test", quick),
    ]
    if not quick:
        blocks += [_reading(seeds), Items(list(_findings(rows)))]
    return blocks


def _table(rows: list[ComparedRow], of: str, quick: bool) -> Table:
    first = rows[0].validation if of == "validation" else rows[0].test
    headings = ["layers", "hidden", "learning\nrate", "epochs"]
    headings += ["published"] if of == "validation" else []
    headings += ["PyTorch", "ours,\nmean", "spread", "standard\nerror"]
    headings += ["ours −\nPyTorch", "its stand.\nerror", "within\ntwo", "by seeds\nalone"]
    headings += ["PyTorch,\nown init", "seconds"] if of == "test" else []
    lines = []
    for compared, strict in zip(rows, strict_errors(rows, of), strict=True):
        row = compared.row
        comparison: Comparison = getattr(compared, of)
        line = [str(row.layers), _sizes(row), f"{row.learning_rate:g}", str(row.epochs)]
        line += [f"{row.published:.1f}"] if of == "validation" else []
        line += [
            f"{100 * comparison.theirs:.1f}",
            f"{100 * comparison.mean:.1f}",
            _number(100 * spread(comparison.ours)),
            f"{100 * binomial_error(comparison.mean, comparison.images):.1f}",
            _signed(100 * comparison.difference),
        ]
        if quick:
            line += [NOTHING] * 3
        else:
            line += [
                f"{100 * comparison.error:.1f}",
                _verdict(compared, comparison),
                _signed(strict),
            ]
        if of == "test":
            line += [f"{row.torch_default[1]:.1f}", f"{compared.seconds:.1f}"]
        lines.append(line)
    caption = f"Accuracy in per cent on {first.images:,} images."
    if of == "test":
        caption += " Seconds are those of training, mean of the seeds, on one core with other runs "
        caption += "on the others."
    return Table(headings, lines, left=(1,), caption=caption)


def _reading(seeds: int) -> Paragraph:
    return Paragraph(
        f"How to read this. *Spread* is the standard deviation of our {seeds} seeds, *standard "
        "error* that of one accuracy by the choice of images. The standard error of the "
        "difference takes in the images' part of both sides and the seeds' part s √(1/"
        f"{seeds} + 1), with s our spread, for PyTorch's single run varies as one of ours does. "
        "Since both sides see the same images this counts what cancels, and is rather too large. "
        "So *by seeds alone* gives the difference in units of the seeds' part only, with s pooled "
        "over the rows of the same learning rate (a spread of three is hardly known): that is "
        "the strict measure, and of 20 equal pairs one should still lie beyond ±2. Rows of which "
        "a net has not begun to learn have none."
    )


def _findings(rows: list[ComparedRow]) -> Iterator[str]:
    for of in ("validation", "test"):
        comparisons = [getattr(compared, of) for compared in rows if compared.comparable]
        within = sum(comparison.within for comparison in comparisons)
        yield (
            f"On the {of} images {within} of {len(comparisons)} rows that can be compared lie "
            "within two standard errors of PyTorch's."
        )
        strict = strict_errors(rows, of)
        awake = sum(compared.settled for compared in rows)
        beyond = [
            f"{_sizes(compared.row)} after {compared.row.epochs} epochs ({_signed(value)})"
            for compared, value in zip(rows, strict, strict=True)
            if abs(value) > TWO_ERRORS
        ]
        if awake:
            yield (
                f"By seeds alone, {len(beyond)} of the {awake} rows whose nets have all begun to "
                "learn lie beyond two" + (f": {'; '.join(beyond)}." if beyond else ".")
            )
    settled = [compared.test.difference for compared in rows if compared.settled]
    if len(settled) > 1:
        yield (
            f"On average over those {len(settled)} rows, our test accuracy minus PyTorch's is "
            f"{mean_of(settled)} points."
        )
    yield (
        "PyTorch's figures are single draws, too: 128, 128, 256 after 10 epochs, 51.5% on the test "
        "images in its run above, came to 52.7% and 53.3% with two other seeds."
    )
    for compared in rows:
        if not compared.comparable:
            seeds = ", ".join(f"{100 * value:.1f}" for value in compared.test.ours)
            yield (
                f"{_sizes(compared.row)}, learning rate {compared.row.learning_rate:g}, "
                f"{compared.row.epochs} epochs: cannot be compared, for some nets have begun to "
                f"learn and others not (test accuracy of our seeds {seeds}; PyTorch's "
                f"{compared.row.torch_test}). When this net begins is chance; see below."
            )


def _verdict(compared: ComparedRow, comparison: Comparison) -> str:
    if not compared.comparable:
        return "asleep"
    return "yes" if comparison.within else "NO"


def _sizes(row: Row) -> str:
    return ", ".join(map(str, row.hidden))


def _number(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.1f}"


def _signed(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:+.1f}".replace("-", "−")
