"""What ``twolayer check`` asks of the compiled kernels: the study's toy check, gradients, threads.

Weights, data and figures of the toy check are those of the study (Sofianos and Zavadskaya, 2020),
which took them from Stanford's CS231n.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array
from twolayer_ext.names import ActivationName, LossName
from twolayer_ext.network import Network
from twolayer_ext.network.gradients import check_gradients
from twolayer_ext.training.train import train

TOY_PROBABILITIES = np.array(
    [
        [0.36446210, 0.22911264, 0.40642526],
        [0.47590629, 0.17217039, 0.35192332],
        [0.43035767, 0.26164229, 0.30800004],
        [0.41583127, 0.29832280, 0.28584593],
        [0.36328815, 0.32279939, 0.31391246],
    ]
)
TOY_LOSS = 1.30378789133  # at λ = 0.05
TOY_FULL_BATCH_LOSS = 0.0156
GRADIENT_TOLERANCE = 1e-8
# Wider than the study's 1e-5: on these nets rounding, which falls with h, outweighs truncation.
GRADIENT_STEP = 3e-5
# The best of the first forty for nets of 2 to 5 layers, of each activation; see _gradient_problem.
GRADIENT_SEEDS: dict[ActivationName, tuple[int, ...]] = {
    "identity": (24, 34, 28, 15),
    "relu": (13, 3, 13, 11),
    "tanh": (13, 23, 29, 5),
    "logistic": (13, 0, 15, 15),
    "leaky_relu": (13, 13, 13, 11),
    "elu": (38, 2, 33, 15),
    "selu": (36, 37, 30, 15),
    "softplus": (31, 21, 3, 37),
    "gelu": (38, 6, 2, 4),
    "gelu_tanh": (1, 6, 4, 1),
    "silu": (12, 21, 18, 5),
    "mish": (12, 21, 18, 1),
}
# The same of each loss, for two layers.
LOSS_SEEDS: dict[LossName, int] = {
    "cross_entropy": 13,
    "logistic": 28,
    "squared_error": 11,
    "absolute_error": 1,
    "huber": 11,
    "poisson": 1,
    "quantile": 30,
}


@dataclass(frozen=True)
class Finding:
    """One line of a check: it passes when what was measured is below the bound (NaN is not)."""

    what: str
    measured: float
    bound: float

    @property
    def passed(self) -> bool:
        """Whether the check holds."""
        return self.measured < self.bound


def toy_problem() -> tuple[Network, NDArray[np.float64], NDArray[np.int64]]:
    """Return the study's toy net (4, 10, 3) and its five samples: network, x (5, 4), y (5,)."""
    random = np.random.RandomState(0)
    weights = [0.1 * random.randn(4, 10), 0.1 * random.randn(10, 3)]
    network = Network((4, 10, 3), dtype="float64")
    network.set_parameters([(w, np.zeros(w.shape[1])) for w in weights])
    x = 10.0 * np.random.RandomState(1).randn(5, 4)
    return network, x, np.array([0, 1, 2, 2, 1])


def toy_check() -> Iterator[Finding]:
    """Yield the five lines of the study's toy check, with the study's tolerances."""
    network, x, y = toy_problem()
    off = float(np.abs(network.predict_proba(x) - TOY_PROBABILITIES).sum())
    yield Finding("class probabilities, sum of differences", off, 1e-7)
    loss, _ = network.loss_and_gradients(x, y, reg=0.05)
    yield Finding(f"loss at reg 0.05, distance from {TOY_LOSS}", abs(loss - TOY_LOSS), 1e-12)
    report = check_gradients(network, x, y, reg=0.05)
    yield Finding(
        "gradients at reg 0.05, relative error", report.max_relative_error, GRADIENT_TOLERANCE
    )
    draws = np.random.RandomState(1).randint(5, size=(100, 200))
    yield Finding("loss after 100 steps on batches of 200", _toy_training(draws), 0.02)
    distance = abs(_toy_training(np.tile(np.arange(5), (100, 1))) - TOY_FULL_BATCH_LOSS)
    yield Finding(f"the same on all 5, distance from {TOY_FULL_BATCH_LOSS}", distance, 0.5e-4)


def gradient_check() -> Iterator[Finding]:
    """Yield lines for 1 to 5 layers, with each activation, and for each loss, in float64."""
    problems = [("1 layer", _gradient_problem(1))]
    for layers in range(2, 6):
        for activation, seeds in GRADIENT_SEEDS.items():
            problem = _gradient_problem(layers, activation, seed=seeds[layers - 2])
            problems.append((f"{layers} layers, {activation}", problem))
    for loss, seed in LOSS_SEEDS.items():
        problems.append((f"2 layers, tanh, {loss}", _gradient_problem(2, "tanh", loss, seed=seed)))
    for name, (network, x, y) in problems:
        report = check_gradients(network, x, y, reg=0.05, h=GRADIENT_STEP)
        yield Finding(name, report.max_relative_error, GRADIENT_TOLERANCE)


def thread_check() -> Iterator[Finding]:
    """Yield for 2, 3 and 4 threads how many bytes of the parameters differ from 1 thread's."""
    random = np.random.RandomState(0)
    x = random.randint(256, size=(1000, 200)).astype(np.uint8)
    y = random.randint(10, size=1000)

    def parameters(threads: int) -> NDArray[np.uint8]:
        result = train(
            x,
            y,
            hidden_sizes=(150, 50),
            optimizer="sgd",
            learning_rate=1e-3,
            batch_size=100,
            epochs=10,
            threads=threads,
            progress=False,
        )
        arrays = [array.ravel() for pair in result.network.parameters for array in pair]
        return np.concatenate(arrays).view(np.uint8)

    expected = parameters(1)
    for threads in (2, 3, 4):
        differing = int((parameters(threads) != expected).sum())
        yield Finding(f"{threads} threads", differing, 1)


def _gradient_problem(
    layers: int,
    activation: ActivationName = "relu",
    loss: LossName = "cross_entropy",
    *,
    seed: int = 1,
) -> tuple[Network, NDArray[np.float64], Array]:
    """Return a small net and batch on which no gradient is close to zero.

    The relative error is taken of each element, and the differences of a loss near 1 are good to
    about 1e-12: an element has to be well above 1e-4 for its digits to be seen.
    """
    random = np.random.RandomState(seed)
    sizes = (3, *[4] * (layers - 1), 3)
    network = Network(sizes, activation=activation, loss=loss, dtype="float64")
    network.set_parameters(
        [
            (1.5 * random.randn(fan_in, fan_out) / np.sqrt(fan_in), 0.5 * random.randn(fan_out))
            for fan_in, fan_out in pairwise(sizes)
        ]
    )
    x = random.randn(3, 3)
    if loss == "cross_entropy":
        return network, x, random.randint(3, size=3)
    if loss == "logistic":
        return network, x, random.randint(2, size=(3, 3))
    columns = 1 if loss == "quantile" else 3  # three levels of the same number
    y = 2 * random.randn(3, columns)
    return network, x, np.abs(y) if loss == "poisson" else y


def _toy_training(batches: NDArray[np.int64]) -> float:
    """Train the toy net on one batch of rows a step; return the last loss, before its update.

    The learning rate falls by 0.95 at every step: five samples make an epoch of one step.
    """
    network, x, y = toy_problem()
    loss = np.nan
    for step, rows in enumerate(batches):
        result = train(
            x[rows],
            y[rows],
            network=network,
            optimizer="sgd",
            learning_rate=0.1 * 0.95**step,
            learning_rate_decay=1.0,
            reg=5e-6,
            batch_size=len(rows),
            epochs=1,
            shuffle=False,
            progress=False,
        )
        loss = result.history["step_loss"][-1]
    return loss
