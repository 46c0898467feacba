"""The contenders' common interface; this package and NumPy as contenders. Others: peers.py."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import twolayer_ext as tl
from twolayer_ext.benchmark.cases import BETAS, EPSILON, Case, Workload
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import Engine, RowNumbers, Techniques
from twolayer_ext.training.loop import Loop
from twolayer_ext.training.plan import Data, Plan

# Largest relative deviation of the loss from the float64 twin's after 20 steps. Adam divides each
# gradient by its own size: where that is near zero, rounding decides which way a weight goes.
TOLERANCES = {
    "float64": {"sgd": 1e-9, "adam": 1e-9},
    "float32": {"sgd": 1e-4, "adam": 1e-3},
    "bfloat16": {"sgd": 3e-2, "adam": 3e-2},
}
# A prediction needs no batches; some libraries are faster if they take this many rows at once.
CHUNK = 1000


@dataclass(frozen=True)
class Variant:
    """One of the ways a contender can do its work; the fastest is measured.

    Attributes
    ----------
    threads : int or None
        None: the library's own choice, which cannot be changed.
    data : {"uint8", "float32", "bfloat16"}
        What it holds in memory: the raw rows, or a converted and normalised copy.
    detail : str
        What else there is to choose.
    """

    threads: int | None
    data: str = "uint8"
    detail: str = ""

    def __str__(self) -> str:
        threads = "its own threads" if self.threads is None else f"threads {self.threads}"
        return ", ".join(filter(None, (threads, f"{self.data} data", self.detail)))


class Session(ABC):
    """A contender at work on one workload, in one variant."""

    def __init__(self, workload: Workload, variant: Variant) -> None:
        self.workload = workload
        self.case = workload.case
        self.variant = variant

    def ready(self) -> AbstractContextManager[Any]:
        """Enter this before work is timed: sets the number of threads."""
        return nullcontext()

    @abstractmethod
    def reset(self) -> None:
        """Go back to the workload's parameters and a fresh optimizer."""

    @abstractmethod
    def train(self, rows: RowNumbers, passes: int) -> None:
        """Train `passes` times on consecutive batches of `rows`, whole batches all."""

    @abstractmethod
    def predict(self) -> Array:
        """Return the class of every row of the workload's x."""

    @abstractmethod
    def parameters(self) -> Parameters:
        """Return [(W, b), ...] as they are now, of shapes (D, H) and (H,)."""

    def batches(self, rows: RowNumbers) -> Iterator[RowNumbers]:
        """Cut `rows` into batches."""
        for start in range(0, len(rows), self.case.batch_size):
            yield rows[start : start + self.case.batch_size]


class Contender(ABC):
    """A library with a way to use it; `peer` names the package it needs, if it needs one."""

    name: str
    dtype: str  # of its products
    peer: str | None = None

    @abstractmethod
    def variants(self, case: Case, threads: int) -> list[Variant]:
        """Return what to try with at most `threads` threads; nothing if it cannot do this case."""

    @abstractmethod
    def start(self, workload: Workload, variant: Variant) -> Session:
        """Make a session, reset."""

    def tolerance(self, case: Case) -> float:
        """Return the largest relative deviation of its loss from the float64 twin's."""
        return TOLERANCES[self.dtype][case.optimizer]

    def unavailable(self) -> str | None:
        """Say why it cannot run here; None if it can."""
        if self.peer is not None and importlib.util.find_spec(self.peer) is None:
            return "not installed"
        return None


class Twolayer(Contender):
    """Our own: this package, through the loop that `train` runs."""

    def __init__(self, dtype: str, threads: int) -> None:
        self.dtype = dtype
        self.threads = threads
        self.name = f"twolayer {dtype}, {threads} thread" + "s" * (threads > 1)

    def variants(self, case: Case, threads: int) -> list[Variant]:
        """Return the one that was asked for."""
        return [Variant(self.threads)]

    def start(self, workload: Workload, variant: Variant) -> Session:
        """Make a session."""
        return TwolayerSession(workload, variant, self.dtype)


class TwolayerSession(Session):
    """See `Twolayer`."""

    def __init__(self, workload: Workload, variant: Variant, dtype: str) -> None:
        super().__init__(workload, variant)
        assert variant.threads is not None
        self.threads = variant.threads
        self.compute_dtype = dtype
        self.network = tl.Network(
            self.case.layer_sizes,
            dtype="float64" if dtype == "float64" else "float32",
            normalize=(workload.shift, workload.scale),
        )
        self.reset()

    def reset(self) -> None:
        """Set the parameters; make a new trainer."""
        self.network.set_parameters(self.workload.parameters)
        engine: Engine = self.network.engine
        self.trainer = engine.trainer(
            self.network.core,
            optimizer=self.case.own_optimizer,
            loss=engine.loss(self.network.loss, self.case.layer_sizes[-1], None),
            techniques=Techniques(),
            reg=0.0,
            batch_size=self.case.batch_size,
            threads=self.threads,
            compute_dtype=self.compute_dtype,
        )

    def train(self, rows: RowNumbers, passes: int) -> None:
        """Run the loop of `twolayer_ext.train` on the given rows in the given order."""
        plan = Plan(
            batch_size=self.case.batch_size,
            epochs=passes,
            max_steps=None,
            learning_rate=self.case.learning_rate,
            learning_rate_decay=1.0,
            shuffle=False,
            seed=0,
            threads=self.threads,
            progress=False,
            callbacks=(),
        )
        data = Data(self.workload.x, self.workload.y, rows, None)
        Loop(self.network, self.trainer, self.network.loss, data, plan).run()

    def predict(self) -> Array:
        """Return `Network.predict` of the raw rows."""
        dtype: Literal["bfloat16"] | None = None
        if self.compute_dtype == "bfloat16":
            dtype = "bfloat16"
        return self.network.predict(self.workload.x, threads=self.threads, compute_dtype=dtype)

    def parameters(self) -> Parameters:
        """Return the network's."""
        return self.network.parameters


class Numpy(Contender):
    """NumPy as a practised user writes it: BLAS products, everything else in place."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.name = f"NumPy {dtype}"

    def variants(self, case: Case, threads: int) -> list[Variant]:
        """Try BLAS' threads; to predict, all rows at once or chunks of them."""
        details = [""] if case.task == "train" else ["", f"{CHUNK} rows at once"]
        return [Variant(n, detail=text) for n in blas_threads(threads) for text in details]

    def start(self, workload: Workload, variant: Variant) -> Session:
        """Make a session."""
        return NumpySession(workload, variant, self.dtype)


class NumpySession(Session):
    """See `Numpy`. Written for speed; what is right says the readable twin, in reference/."""

    def __init__(self, workload: Workload, variant: Variant, dtype: str) -> None:
        super().__init__(workload, variant)
        self.dtype = np.dtype(dtype)
        self.shift = workload.shift.astype(dtype)
        self.inverse_scale = (1 / workload.scale).astype(dtype)
        self.reset()

    def ready(self) -> AbstractContextManager[Any]:
        """Bind BLAS to the variant's threads."""
        return limited_blas(self.variant.threads)

    def reset(self) -> None:
        """Copy the parameters; zero the moments."""
        self.weights = [w.astype(self.dtype) for w, _ in self.workload.parameters]
        self.biases = [b.astype(self.dtype) for _, b in self.workload.parameters]
        if self.case.optimizer == "adam":
            self.first = [np.zeros_like(p) for p in [*self.weights, *self.biases]]
            self.second = [np.zeros_like(p) for p in self.first]
        self.steps = 0

    def parameters(self) -> Parameters:
        """Return them."""
        return list(zip(self.weights, self.biases, strict=True))

    def train(self, rows: RowNumbers, passes: int) -> None:
        """Gather, forward, backward, update."""
        for _ in range(passes):
            for batch in self.batches(rows):
                self._step(self.workload.x[batch], self.workload.y[batch])

    def predict(self) -> Array:
        """Return the largest logit's class."""
        x = self.workload.x
        size = CHUNK if self.variant.detail else len(x)
        parts = [self._forward(x[i : i + size])[-1].argmax(axis=1) for i in range(0, len(x), size)]
        return np.concatenate(parts)

    def _forward(self, x: Array) -> list[Array]:
        """Return the input of every layer, and the logits."""
        a = x.astype(self.dtype)
        a -= self.shift
        a *= self.inverse_scale
        outputs = [a]
        for i, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = outputs[-1] @ weights
            z += bias
            if i < len(self.weights) - 1:
                np.maximum(z, 0, out=z)
            outputs.append(z)
        return outputs

    def _step(self, x: Array, y: Array) -> None:
        outputs = self._forward(x)
        delta = outputs.pop()
        samples = np.arange(len(y))
        delta -= delta.max(axis=1, keepdims=True)
        np.exp(delta, out=delta)
        delta /= delta.sum(axis=1, keepdims=True)
        self.loss = -float(np.log(delta[samples, y]).mean())
        delta[samples, y] -= 1
        delta /= len(y)
        d_weights: list[Array] = []
        d_biases: list[Array] = []
        for i in reversed(range(len(self.weights))):
            d_weights.append(outputs[i].T @ delta)
            d_biases.append(delta.sum(axis=0))
            if i > 0:
                delta = delta @ self.weights[i].T
                delta *= outputs[i] > 0
        self._update([*d_weights[::-1], *d_biases[::-1]])

    def _update(self, gradients: list[Array]) -> None:
        parameters = [*self.weights, *self.biases]
        rate = self.case.learning_rate
        if self.case.optimizer == "sgd":
            for p, g in zip(parameters, gradients, strict=True):
                g *= rate
                p -= g
            return
        self.steps += 1
        beta1, beta2 = BETAS
        step_size = rate / (1 - beta1**self.steps)
        correction = (1 - beta2**self.steps) ** -0.5
        for p, g, m, v in zip(parameters, gradients, self.first, self.second, strict=True):
            m *= beta1
            m += (1 - beta1) * g
            v *= beta2
            g *= g
            g *= 1 - beta2
            v += g
            np.sqrt(v, out=g)
            g *= correction
            g += EPSILON
            np.divide(m, g, out=g)
            g *= step_size
            p -= g


def blas_threads(threads: int) -> Sequence[int | None]:
    """Return the numbers of threads to try; NumPy's BLAS is told through threadpoolctl."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return (None,)
    return sorted({1, threads})


def limited_blas(threads: int | None) -> AbstractContextManager[Any]:
    """Bind every BLAS in the process to this many threads."""
    if threads is None:
        return nullcontext()
    controller = importlib.import_module("threadpoolctl")
    limits: AbstractContextManager[Any] = controller.threadpool_limits(threads, user_api="blas")
    return limits


def own_contenders(threads: int, dtypes: Sequence[str] = ("float32",)) -> list[Contender]:
    """Return this package with one and with all threads, and NumPy in both precisions."""
    ours = [Twolayer(dtype, n) for dtype in dtypes for n in sorted({1, threads})]
    return [*ours, Numpy("float32"), Numpy("float64")]
