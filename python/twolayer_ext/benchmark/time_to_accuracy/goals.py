"""What is to be reached and with what: goals, recipes, and the grid each contender is tuned on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product, starmap
from typing import Literal

from twolayer_ext import schedules


@dataclass(frozen=True)
class Recipe:
    """How a net is trained, by every contender alike: standardised input, He's weights, ReLU.

    Attributes
    ----------
    hidden_sizes, optimizer, batch_size, learning_rate, batch_norm, label_smoothing
        As `twolayer_ext.train` has them; no momentum, no weight decay.
    epochs : int
        At most; a schedule that depends on the number of steps ends here.
    decay : float
        Multiplies the learning rate after every epoch.
    peak_at : float, optional
        Of `schedules.one_cycle`, instead of the decay.
    flip : bool
        Mirror every other image, on average, left to right.
    """

    hidden_sizes: tuple[int, ...]
    optimizer: Literal["sgd", "adamw"]
    batch_size: int
    learning_rate: float
    epochs: int
    decay: float = 1.0
    peak_at: float | None = None
    batch_norm: bool = False
    label_smoothing: float = 0.0
    flip: bool = False

    def factor(self, step: int, steps: int) -> float:
        """Return what multiplies the learning rate in a step of so many; see `schedules`."""
        if self.peak_at is None:
            return self.decay ** (step * self.epochs // steps)
        return schedules.one_cycle(self.peak_at)(step, steps)

    def __str__(self) -> str:
        parts = [
            "-".join(map(str, self.hidden_sizes)),
            f"{self.optimizer} {self.learning_rate:g}",
            f"batch {self.batch_size}",
            f"decay {self.decay:g}" if self.peak_at is None else f"one cycle of {self.epochs}",
            "batch norm" * self.batch_norm,
            "flips" * self.flip,
            f"smoothing {self.label_smoothing:g}" * (self.label_smoothing > 0),
        ]
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Goal:
    """An accuracy to reach.

    Attributes
    ----------
    name : str
        For the command line.
    accuracy : float
        On the validation images.
    what : str
        What is allowed.
    grid : tuple of Recipe
        What every contender tries when it is tuned.
    tuned : mapping of str to Recipe
        What each contender, by name, takes unless it is tuned anew.
    """

    name: str
    accuracy: float
    what: str
    grid: tuple[Recipe, ...]
    tuned: Mapping[str, Recipe]


def _sgd(batch_size: int, rate_of_32: float, decay: float) -> Recipe:
    # The study's family; rates grow with the batch (Goyal et al., 2017).
    rate = rate_of_32 * batch_size / 32
    return Recipe((512,), "sgd", batch_size, rate, epochs=12, decay=decay)


def _anything(batch_size: int, learning_rate: float, epochs: int) -> Recipe:
    return Recipe(
        (256, 256),
        "adamw",
        batch_size,
        learning_rate,
        epochs,
        peak_at=0.2,
        batch_norm=True,
        label_smoothing=0.1,
        flip=True,
    )


GOALS = (
    Goal(
        "sgd",
        0.514,
        "the study's recipe: one hidden layer of 512, SGD with any batch, rate and decay",
        grid=tuple(starmap(_sgd, product((32, 64, 128, 256), (0.015, 0.02), (0.5, 0.2)))),
        tuned={
            "twolayer float32": _sgd(128, 0.02, 0.5),
            "twolayer bfloat16": _sgd(128, 0.02, 0.5),
            "PyTorch float32": _sgd(128, 0.02, 0.5),
            "PyTorch bf16 autocast": _sgd(128, 0.02, 0.5),
        },
    ),
    Goal(
        "anything",
        0.566,
        "AdamW, batch normalisation, one cycle, flips, label smoothing",
        grid=tuple(starmap(_anything, product((64, 128, 256), (2e-3, 4e-3), (4, 5, 6)))),
        tuned={
            "twolayer float32": _anything(256, 4e-3, 6),
            "twolayer bfloat16": _anything(256, 4e-3, 6),
            "PyTorch float32": _anything(256, 4e-3, 6),
            "PyTorch bf16 autocast": _anything(256, 4e-3, 6),
        },
    ),
)


def goals_named(names: Sequence[str]) -> list[Goal]:
    """Return the goals of these names, all of them where none is given, in the usual order."""
    known = [goal.name for goal in GOALS]
    for name in names:
        if name not in known:
            raise ValueError(f"--time-to-accuracy: {name!r}; must be of {', '.join(known)}")
    return [goal for goal in GOALS if not names or goal.name in names]
