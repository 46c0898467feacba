"""What the study did and published, and what PyTorch finds with the same settings.

S. Sofianos and N. Zavadskaya, 2020, after an exercise of F. Galasso's course Advanced Machine
Learning (Sapienza), itself after Stanford's CS231n. Accuracies are in per cent.
"""

from __future__ import annotations

from dataclasses import dataclass

PUBLISHED_TEST_IMAGES = 1000  # the study's test images are the first of the 10,000
BEST_PUBLISHED_TEST = 56.2  # of [128, 256] after 30 epochs
# Weights of 1e-3 leave this net dead at a learning rate of 1e-3; He's do not.
DEAD = (256, 128, 64, 64)
DEAD_LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Row:
    """One row of the study's second table; PyTorch's figures are of one seed each.

    Attributes
    ----------
    epochs, learning_rate, hidden
        The settings.
    published : float
        Accuracy on the 1000 validation images.
    torch_validation, torch_test : float
        PyTorch 2.13 on 1000 validation and all 10,000 test images.
    torch_default : (float, float)
        The same with PyTorch's own initialisation.
    """

    epochs: int
    learning_rate: float
    hidden: tuple[int, ...]
    published: float
    torch_validation: float
    torch_test: float
    torch_default: tuple[float, float]

    @property
    def layers(self) -> int:
        """Number of layers with weights."""
        return len(self.hidden) + 1


ROWS = (
    Row(10, 1e-3, (64,), 52.3, 50.3, 50.4, (53.0, 50.6)),
    Row(10, 1e-3, (128,), 52.0, 53.7, 51.4, (53.1, 52.4)),
    Row(30, 1e-3, (64,), 56.3, 52.9, 51.7, (53.8, 51.9)),
    Row(30, 1e-3, (128,), 56.3, 54.9, 53.5, (56.3, 53.7)),
    Row(10, 1e-3, (128, 64), 51.0, 55.8, 52.7, (53.1, 52.6)),
    Row(10, 1e-3, (128, 256), 54.3, 55.4, 53.4, (55.4, 54.4)),
    Row(30, 1e-3, (128, 64), 53.9, 54.5, 53.5, (54.7, 54.3)),
    Row(30, 1e-3, (128, 256), 56.6, 55.9, 55.3, (55.6, 54.0)),
    Row(10, 1e-3, (128, 128, 256), 54.1, 53.0, 51.5, (53.9, 52.9)),
    Row(10, 1e-2, (128, 128, 64), 44.5, 44.6, 43.5, (42.2, 43.4)),
    Row(30, 1e-2, (128, 128, 64), 53.0, 49.4, 48.6, (47.7, 48.4)),
    Row(30, 1e-3, (128, 128, 256), 54.3, 54.1, 53.9, (57.3, 54.5)),
    Row(10, 1e-2, (256, 128, 64, 64), 44.2, 10.2, 10.0, (43.3, 42.0)),
    Row(30, 1e-2, (256, 128, 64, 64), 52.0, 46.7, 46.0, (49.4, 47.7)),
    Row(10, 1e-3, (256, 128, 64, 64), 7.8, 7.9, 10.0, (53.8, 54.0)),
)


@dataclass(frozen=True)
class SgdRun:
    """One run of the study's first part: SGD on two layers, 1000 steps.

    Attributes
    ----------
    name : str
        As `recipes.study_sgd` knows it.
    published : dict of str to float
        Accuracy on the training, validation and first 1000 test images, as far as published.
    numpy : dict of str to (float, float)
        Lowest and highest of three seeds of the same arithmetic in NumPy.
    """

    name: str
    published: dict[str, float]
    numpy: dict[str, tuple[float, float]]


SGD_RUNS = (
    SgdRun(
        "baseline",
        {"validation": 29.0},
        {"training": (28.2, 29.5), "validation": (27.3, 28.5), "test": (27.5, 28.3)},
    ),
    SgdRun(
        "tuned",
        {"training": 53.4, "validation": 51.4, "test": 50.9},
        {"training": (53.9, 54.5), "validation": (48.6, 50.1), "test": (50.1, 51.2)},
    ),
)


@dataclass(frozen=True)
class Scale:
    """How much of the study is done.

    Attributes
    ----------
    quick : bool
        Whether it is a mere look, whose figures compare with nothing.
    seeds : tuple of int
        Of the second part; the first part and the cure of the dead net take the first alone.
    steps : int
        Of the first part.
    epochs : dict of int to int
        What stands for the study's 10 and 30 epochs.
    """

    quick: bool
    seeds: tuple[int, ...]
    steps: int
    epochs: dict[int, int]


FULL = Scale(quick=False, seeds=(0, 1, 2), steps=1000, epochs={10: 10, 30: 30})
QUICK = Scale(quick=True, seeds=(0,), steps=100, epochs={10: 1, 30: 2})
