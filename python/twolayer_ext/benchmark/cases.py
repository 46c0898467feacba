"""What is measured: nets, batch sizes, optimizers, and the data they train on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twolayer_ext import datasets
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import RowNumbers
from twolayer_ext.network import initializers, normalization
from twolayer_ext.optimizers import Adam, Optimizer, Sgd
from twolayer_ext.streams import Purpose, generator

BETAS = (0.9, 0.999)
EPSILON = 1e-8
_PIXELS = 3 * 32 * 32
_CLASSES = 10
_TABLE_ROWS = 20_000
_TRAINING_IMAGES = 49_000  # the study's; the other 1000 validate
_TEST_IMAGES = 10_000
_BLOCK = 1000  # images made at once


@dataclass(frozen=True)
class Case:
    """One piece of work that every contender does.

    Attributes
    ----------
    name : str
        For the command line.
    layer_sizes : tuple of int
        (D, H1, ..., C); ReLU between layers.
    batch_size : int
        Samples a step; for "predict" the samples of one pass.
    optimizer : {"sgd", "adam"}
        Plain SGD, or Adam with its usual betas and epsilon.
    learning_rate : float
        Constant; such that 20 steps change the loss far beyond rounding.
    task : {"train", "predict"}
        An epoch of training, or the classes of all images.
    data : {"cifar10", "digits", "table"}
        uint8 rows, standardised on their way into the net. A table is made up, of the net's
        features and classes.
    """

    name: str
    layer_sizes: tuple[int, ...]
    batch_size: int
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 1e-2
    task: Literal["train", "predict"] = "train"
    data: Literal["cifar10", "digits", "table"] = "cifar10"

    @property
    def own_optimizer(self) -> Optimizer:
        """The optimizer as this package and its twin know it."""
        return Sgd() if self.optimizer == "sgd" else Adam(betas=BETAS, epsilon=EPSILON)

    @property
    def weights(self) -> int:
        """Number of weights; biases are left out here and in `flops_per_sample`."""
        return sum(a * b for a, b in pairwise(self.layer_sizes))

    @property
    def flops_per_sample(self) -> int:
        """Useful operations, two a multiply-add.

        Training takes three products a layer (output, weights' gradient, input's gradient) but
        for the first layer, whose input needs no gradient. Prediction takes one.
        """
        if self.task == "predict":
            return 2 * self.weights
        return 2 * (3 * self.weights - self.layer_sizes[0] * self.layer_sizes[1])

    @property
    def flops_of_step(self) -> int:
        """Useful operations of a step, or of one pass over the rows to predict."""
        return self.batch_size * self.flops_per_sample

    @property
    def title(self) -> str:
        """One line that says all, but for the data."""
        net = "-".join(map(str, self.layer_sizes))
        if self.task == "predict":
            rows = "1 row" if self.batch_size == 1 else f"{self.batch_size:,} rows"
            return f"predict {rows}, {net}"
        return f"train {net}, batch {self.batch_size}, {self.optimizer}"


CASES = (
    Case("tuned", (_PIXELS, 512, _CLASSES), 350),
    Case("baseline", (_PIXELS, 50, _CLASSES), 200),
    Case("adam", (_PIXELS, 128, 256, _CLASSES), 200, "adam", 1e-4),
    Case("wide", (_PIXELS, 2048, 2048, _CLASSES), 512, "adam", 1e-4),
    Case("digits", (64, 32, _CLASSES), 32, data="digits"),
    Case("table", (30, 100, 2), 200, "adam", 1e-4, data="table"),
    Case("narrow", (8, 64, 64, 4), 64, "adam", 1e-4, data="table"),
    Case("broad", (100, 256, 128, _CLASSES), 256, "adam", 1e-4, data="table"),
    Case("predict", (_PIXELS, 512, _CLASSES), _TEST_IMAGES, task="predict"),
    Case("row", (30, 100, 2), 1, task="predict", data="table"),
    Case("rows", (30, 100, 2), 1000, task="predict", data="table"),
)


@dataclass(frozen=True)
class Images:
    """Rows of uint8 and their labels, to train on and to predict; and where they come from."""

    x: Array
    y: NDArray[np.int64]
    test: Array
    source: str


@dataclass(frozen=True)
class Workload:
    """A case with all that a contender starts from: the same for everyone.

    Attributes
    ----------
    x : ndarray of uint8, shape (N, D)
    y : ndarray of int64, shape (N,)
    order : ndarray of int64
        The rows of one epoch, shuffled, whole batches only; for "predict" all rows in order.
    shift, scale : ndarray of float64, shape (D,)
        The net reads (x - shift) / scale.
    parameters : list of (W, b)
        float64, to start from.
    """

    case: Case
    x: Array
    y: NDArray[np.int64]
    order: RowNumbers
    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    parameters: Parameters
    source: str

    @cached_property
    def floats(self) -> NDArray[np.float32]:
        """The data set as a float32 copy, already normalised: for peers that are faster so."""
        return normalised(self.x, self.shift, self.scale)


def normalised(
    x: Array, shift: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return (x - shift) / scale of rows of uint8, in float32."""
    result = np.empty(x.shape, np.float32)
    shift, scale = shift.astype(np.float32), scale.astype(np.float32)
    for start in range(0, len(x), _BLOCK):
        part = slice(start, start + _BLOCK)
        np.subtract(x[part], shift, out=result[part])
        result[part] /= scale
    return result


def load_images(path: str | None) -> Images:
    """Return CIFAR-10 from `path` or TWOLAYER_CIFAR10, else made-up images of the same shape."""
    path = path or os.environ.get("TWOLAYER_CIFAR10")
    if path is None:
        x, y = synthetic_rows(_TRAINING_IMAGES + _TEST_IMAGES, _PIXELS, _CLASSES)
        return Images(
            x[:_TRAINING_IMAGES],
            y[:_TRAINING_IMAGES],
            x[_TRAINING_IMAGES:],
            "made-up uint8 images of CIFAR-10's shape",
        )
    train, test = datasets.load_cifar10(path)
    return Images(train.x[:_TRAINING_IMAGES], train.y[:_TRAINING_IMAGES], test.x, "CIFAR-10")


def load_digits() -> Images:
    """Return the digits that come with the package."""
    digits = datasets.load_digits()
    return Images(digits.x, digits.y, digits.x, "the package's handwritten digits")


def made_up_table(case: Case) -> Images:
    """Return rows of the features and classes of a case."""
    features, classes = case.layer_sizes[0], case.layer_sizes[-1]
    x, y = synthetic_rows(_TABLE_ROWS, features, classes)
    return Images(x, y, x, "a made-up table of uint8")


def synthetic_rows(count: int, features: int, classes: int) -> tuple[Array, NDArray[np.int64]]:
    """Make noise around one picture a class, so that there is something to learn."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, count)
    pictures = rng.integers(0, 32, (classes, features), dtype=np.uint8)
    x = rng.integers(0, 224, (count, features), dtype=np.uint8)
    for start in range(0, count, _BLOCK):
        part = slice(start, start + _BLOCK)
        x[part] += pictures[y[part]]
    return x, y


def make_workload(case: Case, images: Images, limit: int | None = None) -> Workload:
    """Bring a case and its data together; `limit` bounds the rows of training."""
    if case.task == "predict":
        x = images.test[: case.batch_size]
        y = np.zeros(len(x), np.int64)  # nobody looks at them
        order = np.arange(len(x))
    else:
        x, y = images.x[:limit], images.y[:limit]
        order = generator(0, Purpose.SHUFFLE, 0).permutation(len(x))
        order = order[: len(x) // case.batch_size * case.batch_size]
    if len(order) == 0 or x.shape[1] != case.layer_sizes[0]:
        raise ValueError(
            f"case {case.name}: the data have {len(x)} rows of {x.shape[1]} features; must be at "
            f"least one batch of {case.batch_size} rows of {case.layer_sizes[0]}"
        )
    shift, scale = normalization.from_data("standard", x, None, "float32")
    parameters = initializers.parameters(case.layer_sizes, init="he", activation="relu", seed=0)
    return Workload(case, x, y, order, shift, scale, parameters, images.source)


def cases_named(names: Sequence[str] | None) -> list[Case]:
    """Return the cases of these names, all of them for None, in the usual order."""
    known = [case.name for case in CASES]
    for name in names or ():
        if name not in known:
            raise ValueError(f"cases: {name!r}; must be of {', '.join(known)}")
    return [case for case in CASES if names is None or case.name in names]
