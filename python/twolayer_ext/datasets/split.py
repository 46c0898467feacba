"""One data set in three parts: to train on, to choose by, to report."""

from __future__ import annotations

from dataclasses import dataclass

from twolayer_ext.datasets.dataset import Dataset


@dataclass(frozen=True)
class Split:
    """The parts of a data set, as views of the loaded arrays."""

    training: Dataset
    validation: Dataset
    test: Dataset

    @classmethod
    def at(cls, training: Dataset, test: Dataset, row: int) -> Split:
        """Validate on the training rows from `row` on."""
        return cls(training.part(0, row), training.part(row, None), test)
