"""What a sweep gives: its runs, best first, and their table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twolayer_ext import scores, tables
from twolayer_ext.sweeping.space import Config, key

_WIDEST = 40


@dataclass(frozen=True)
class Run:
    """One configuration, trained.

    Attributes
    ----------
    number : int
        Of the configuration: which draw it was, from 0.
    config : dict
        Keyword arguments of `train`.
    score_name : {"accuracy", "r2", ""}
        What the scores are; "" where the loss knows none.
    val_score, val_loss : float
        Of the network that `train` returns: after the last epoch, with early stopping after the
        best; nan for a run that diverged.
    score : float
        In that epoch, as in `TrainResult.history`; nan for a run that diverged.
    epochs : int
        That were begun.
    seconds : float
        They took, validation not counted, on one of the sweep's threads.
    """

    number: int
    config: Config
    score_name: str
    val_score: float
    val_loss: float
    score: float
    epochs: int
    seconds: float

    @property
    def diverged(self) -> bool:
        """Whether there is nothing to compare, since the loss stopped being finite."""
        return math.isnan(self.val_loss)

    @property
    def quality(self) -> float:
        """What runs are ranked by, larger is better: the score, without one minus the loss."""
        return -self.val_loss if math.isnan(self.val_score) else self.val_score

    @property
    def quality_text(self) -> str:
        """The same for people, such as "val accuracy 97.1%"."""
        if math.isnan(self.val_score):
            return f"val loss {self.val_loss:.5g}"
        return f"val {scores.label(self.score_name)} {scores.text(self.score_name, self.val_score)}"


def ranked(runs: list[Run]) -> list[Run]:
    """Sort by `Run.quality`; ties go to the lower loss, then to the earlier draw."""

    def rank(run: Run) -> tuple[Any, ...]:
        if run.diverged:
            return True, 0.0, 0.0, run.number, run.epochs
        return False, -run.quality, run.val_loss, run.number, run.epochs

    return sorted(runs, key=rank)


@dataclass(frozen=True)
class SweepResult:
    """What a sweep gives.

    Attributes
    ----------
    runs : tuple of Run
        Best validation score first (where there is none, smallest validation loss), those that
        diverged last. With method "halving" a configuration has one run for each number of epochs
        it was given.
    validation_data : (x, y) or None
        As the sweep was given it.
    """

    runs: tuple[Run, ...]
    validation_data: tuple[ArrayLike, ArrayLike] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def score_name(self) -> str:
        """What the runs' scores are: "accuracy", "r2", or "" where there are none."""
        return self.runs[0].score_name if self.runs else ""

    @property
    def best(self) -> Config:
        """The best run's keyword arguments: ``train(x, y, **result.best)`` repeats that run.

        With ``early_stopping``, which asks them when to stop, the validation data are among them.

        Raises
        ------
        ValueError
            No run has ended with a finite loss.
        """
        if not self.runs or self.runs[0].diverged:
            raise ValueError(
                f"best: none of {len(self.runs)} runs has ended with a finite loss; "
                "try smaller learning rates"
            )
        best = dict(self.runs[0].config)
        if best.get("early_stopping") is not None:
            best["validation_data"] = self.validation_data
        return best

    @property
    def swept(self) -> tuple[str, ...]:
        """Names of the arguments in which the runs differ, without ``epochs``."""
        names = sorted({name for run in self.runs for name in run.config} - {"epochs"})
        return tuple(
            name
            for name in names
            if len({key({name: run.config.get(name)}) for run in self.runs}) > 1
        )

    def table(self) -> str:
        """Return all runs as a table in Markdown.

        It is the same for the same arguments, whatever the number of workers.
        """
        names, score = self.swept, self.score_name
        label = scores.label(score)
        measured = [f"val {label}", "val loss", label] if score else ["val loss"]
        headings = [*measured, "epochs", *names, "configuration"]
        rows = []
        for run in self.runs:
            values = [value_text(run.config[name]) if name in run.config else "" for name in names]
            results = ["diverged", *[""] * (len(measured) - 1)]
            if not run.diverged:
                results = [f"{run.val_loss:.5g}"]
                if score:
                    val, training = (scores.text(score, s, 2) for s in (run.val_score, run.score))
                    results = [val, *results, training]
            rows.append([*results, str(run.epochs), *values, str(run.number)])
        return tables.markdown(headings, rows) + "\n"


def value_text(value: object) -> str:
    """Return an argument's value in a few characters."""
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}"
    text = " ".join(str(value).split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
