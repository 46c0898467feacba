"""Other libraries as contenders (extra ``peers``), each used the way its documentation shows.

They are imported only when they take part. Data are tensors in memory; batches are taken by index.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from twolayer_ext.benchmark.cases import BETAS, EPSILON, Case, Workload
from twolayer_ext.benchmark.contenders import (
    CHUNK,
    Contender,
    Session,
    Variant,
    blas_threads,
    limited_blas,
)
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import RowNumbers

COMPILE_SECONDS = 90  # how long torch.compile may take for one line before it counts as unusable
# Of operations: compiled steps below are given one thread, others all, where each would cost a
# compilation.
SMALL_STEP = 2e7
_COMPILE_TEST = "import torch; torch.compile(lambda x: x.sin() + 1)(torch.ones(8))"


class Torch(Contender):
    """PyTorch: eager, compiled, or with bfloat16 autocast."""

    peer = "torch"

    def __init__(self, *, compiled: bool = False, autocast: bool = False) -> None:
        self.compiled = compiled
        self.autocast = autocast
        self.dtype = "bfloat16" if autocast else "float32"
        self.name = "PyTorch" + " compile" * compiled + " bf16 autocast" * autocast

    def unavailable(self) -> str | None:
        """Not installed, or does not compile here."""
        return super().unavailable() or (_compile_trouble() if self.compiled else None)

    def variants(self, case: Case, threads: int) -> list[Variant]:
        """Try raw and converted data, one thread and all, the ways to update or to predict."""
        if case.task == "predict":
            details = ["", f"{CHUNK} rows at once"]
        else:
            details = ["fused", "foreach"] if case.optimizer == "adam" else ["fused"]
        data = ["uint8", "float32"] + ["bfloat16"] * self.autocast
        if self.compiled:  # every variant costs a compilation
            details, data = details[:1], ["float32"]
        counts = sorted({1, threads})
        if self.compiled:
            counts = counts[-1:] if case.flops_of_step > SMALL_STEP else counts[:1]
        return [Variant(*v) for v in itertools.product(counts, data, details)]

    def start(self, workload: Workload, variant: Variant) -> Session:
        """Make a session."""
        return TorchSession(workload, variant, compiled=self.compiled, autocast=self.autocast)


class TorchSession(Session):
    """See `Torch`."""

    def __init__(
        self, workload: Workload, variant: Variant, *, compiled: bool, autocast: bool
    ) -> None:
        super().__init__(workload, variant)
        self.torch = importlib.import_module("torch")
        self.raw = variant.data == "uint8"
        torch = self.torch
        # A read-only array would draw a warning; nothing here writes to the data.
        x = workload.x if self.raw else workload.floats
        self.x = torch.from_numpy(x if x.flags.writeable else x.copy())
        if variant.data == "bfloat16":
            self.x = self.x.to(torch.bfloat16)
        self.y = torch.from_numpy(workload.y)
        self.shift = torch.from_numpy(workload.shift.astype(np.float32))
        self.inverse_scale = torch.from_numpy((1 / workload.scale).astype(np.float32))
        sizes = self.case.layer_sizes
        modules: list[Any] = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            modules += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*modules[:-1])
        self.linears = modules[::2]
        self.precision = functools.partial(
            torch.autocast, "cpu", dtype=torch.bfloat16, enabled=autocast
        )
        if compiled:
            torch.compiler.reset()  # else earlier sessions count towards its recompilations
        self.loss = torch.compile(self._loss) if compiled else self._loss
        self.logits = torch.compile(self.model) if compiled else self.model
        self.reset()

    def ready(self) -> AbstractContextManager[Any]:
        """Set PyTorch's threads."""
        self.torch.set_num_threads(self.variant.threads)
        return nullcontext()

    def reset(self) -> None:
        """Set the parameters; make a new optimizer."""
        torch = self.torch
        with torch.no_grad():
            for linear, (w, b) in zip(self.linears, self.workload.parameters, strict=True):
                linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(w.T)))
                linear.bias.copy_(torch.from_numpy(b))
        how = {"fused": self.variant.detail == "fused", "foreach": self.variant.detail == "foreach"}
        parameters = self.model.parameters()
        if self.case.optimizer == "adam":
            self.optimizer = torch.optim.Adam(
                parameters, lr=self.case.learning_rate, betas=BETAS, eps=EPSILON, **how
            )
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=self.case.learning_rate, **how)

    def parameters(self) -> Parameters:
        """Return copies."""
        return [
            (linear.weight.detach().numpy().T.copy(), linear.bias.detach().numpy().copy())
            for linear in self.linears
        ]

    def train(self, rows: RowNumbers, passes: int) -> None:
        """Run the usual loop."""
        indices = self.torch.from_numpy(rows)
        for _ in range(passes):
            for batch in self.batches(indices):
                x = self._input(self.x[batch])
                self.optimizer.zero_grad(set_to_none=True)
                self.loss(x, self.y[batch]).backward()
                self.optimizer.step()

    def predict(self) -> Array:
        """Return the largest logit's class."""
        size = CHUNK if self.variant.detail else len(self.x)
        with self.torch.inference_mode(), self.precision():
            parts = [
                self.logits(self._input(self.x[i : i + size])).argmax(dim=1)
                for i in range(0, len(self.x), size)
            ]
            classes: Array = self.torch.cat(parts).numpy()
        return classes

    def _input(self, x: Any) -> Any:
        return x.float().sub_(self.shift).mul_(self.inverse_scale) if self.raw else x

    def _loss(self, x: Any, y: Any) -> Any:
        with self.precision():
            return self.torch.nn.functional.cross_entropy(self.model(x), y)


@functools.cache
def _compile_trouble() -> str | None:
    try:
        subprocess.run(
            [sys.executable, "-c", _COMPILE_TEST],
            check=True,
            capture_output=True,
            timeout=COMPILE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"did not compile a line within {COMPILE_SECONDS} s"
    except subprocess.CalledProcessError:
        return "does not compile here (it needs a C++ compiler)"
    return None


class Jax(Contender):
    """JAX, the step jitted with donated buffers; steps one by one or all within `lax.scan`.

    Its threads are made when it starts and cannot be changed afterwards.
    """

    name = "JAX jit"
    dtype = "float32"
    peer = "jax"

    def variants(self, case: Case, threads: int) -> list[Variant]:
        """Try raw and converted data, and the ways to loop over steps or rows."""
        details = ["scan", "step by step"]
        if case.task == "predict":
            details = ["", f"{CHUNK} rows at once"]
        return [Variant(None, d, t) for d in ("uint8", "float32") for t in details]

    def start(self, workload: Workload, variant: Variant) -> Session:
        """Make a session."""
        return JaxSession(workload, variant)


class JaxSession(Session):
    """See `Jax`."""

    def __init__(self, workload: Workload, variant: Variant) -> None:
        super().__init__(workload, variant)
        self.jax = importlib.import_module("jax")
        self.jnp = importlib.import_module("jax.numpy")
        jnp = self.jnp
        self.raw = variant.data == "uint8"
        self.x = jnp.asarray(workload.x if self.raw else workload.floats)
        self.y = jnp.asarray(workload.y.astype(np.int32))
        self.shift = jnp.asarray(workload.shift.astype(np.float32))
        self.inverse_scale = jnp.asarray((1 / workload.scale).astype(np.float32))
        self.step = self.jax.jit(self._step, donate_argnums=0)
        self.scan = self.jax.jit(self._scan, donate_argnums=0)
        self.classes = self.jax.jit(lambda p, x: self._logits(p, x).argmax(axis=1))
        self.reset()

    def reset(self) -> None:
        """Make the state: parameters, both moments (used by Adam only), steps done."""
        jax, jnp = self.jax, self.jnp
        parameters = [
            (jnp.asarray(w, jnp.float32), jnp.asarray(b, jnp.float32))
            for w, b in self.workload.parameters
        ]
        moments: tuple[Any, ...] = ()
        if self.case.optimizer == "adam":
            moments = tuple(jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
        self.state = (parameters, moments, jnp.zeros((), jnp.float32))

    def parameters(self) -> Parameters:
        """Return copies."""
        return [(np.array(w), np.array(b)) for w, b in self.state[0]]

    def train(self, rows: RowNumbers, passes: int) -> None:
        """Train; waits for the last result."""
        indices = rows.reshape(-1, self.case.batch_size).astype(np.int32)
        for _ in range(passes):
            if self.variant.detail == "scan":
                self.state = self.scan(self.state, self.x, self.y, indices)
            else:
                for batch in indices:
                    self.state = self.step(self.state, self.x, self.y, batch)
        self.jax.block_until_ready(self.state)

    def predict(self) -> Array:
        """Return the largest logit's class."""
        size = CHUNK if self.variant.detail else len(self.x)
        parts = [
            self.classes(self.state[0], self.x[i : i + size]) for i in range(0, len(self.x), size)
        ]
        return np.concatenate([np.asarray(part) for part in parts])

    def _logits(self, parameters: Any, x: Any) -> Any:
        if self.raw:
            x = (x.astype(self.jnp.float32) - self.shift) * self.inverse_scale
        for w, b in parameters[:-1]:
            x = self.jax.nn.relu(x @ w + b)
        w, b = parameters[-1]
        return x @ w + b

    def _loss(self, parameters: Any, x: Any, y: Any) -> Any:
        log_p = self.jax.nn.log_softmax(self._logits(parameters, x))
        return -self.jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

    def _step(self, state: Any, x: Any, y: Any, batch: Any) -> Any:
        parameters, moments, steps = state
        jnp, rate = self.jnp, self.case.learning_rate
        gradients = self.jax.grad(self._loss)(parameters, x[batch], y[batch])
        tree_map: Callable[..., Any] = self.jax.tree.map
        steps = steps + 1
        if not moments:
            return tree_map(lambda p, g: p - rate * g, parameters, gradients), (), steps
        beta1, beta2 = BETAS
        first = tree_map(lambda m, g: beta1 * m + (1 - beta1) * g, moments[0], gradients)
        second = tree_map(lambda v, g: beta2 * v + (1 - beta2) * g * g, moments[1], gradients)
        size = rate / (1 - beta1**steps)
        root = jnp.sqrt(1 - beta2**steps)
        parameters = tree_map(
            lambda p, m, v: p - size * m / (jnp.sqrt(v) / root + EPSILON), parameters, first, second
        )
        return parameters, (first, second), steps

    def _scan(self, state: Any, x: Any, y: Any, indices: Any) -> Any:
        def body(carry: Any, batch: Any) -> tuple[Any, None]:
            return self._step(carry, x, y, batch), None

        return self.jax.lax.scan(body, state, indices)[0]


class ScikitLearn(Contender):
    """scikit-learn's MLPClassifier, fed through `partial_fit`."""

    name = "scikit-learn"
    dtype = "float32"
    peer = "sklearn"

    def variants(self, case: Case, threads: int) -> list[Variant]:
        """Try one batch a call, or ten, which it cuts itself; to predict, all rows or chunks.

        Its net for two classes has one output, and so is another one.
        """
        if case.layer_sizes[-1] == 2:
            return []
        details = ["1 batch a call", "10 batches a call"]
        if case.task == "predict":
            details = ["", f"{CHUNK} rows at once"]
        return [Variant(n, "float32", t) for n in blas_threads(threads) for t in details]

    def start(self, workload: Workload, variant: Variant) -> Session:
        """Make a session."""
        return ScikitLearnSession(workload, variant)


class ScikitLearnSession(Session):
    """See `ScikitLearn`."""

    def __init__(self, workload: Workload, variant: Variant) -> None:
        super().__init__(workload, variant)
        self.classifier_class = importlib.import_module("sklearn.neural_network").MLPClassifier
        self.x = workload.floats
        self.chunk = self.case.batch_size * (10 if variant.detail.startswith("10") else 1)
        self.reset()

    def ready(self) -> AbstractContextManager[Any]:
        """Bind BLAS to the variant's threads."""
        return limited_blas(self.variant.threads)

    def reset(self) -> None:
        """Let a first call make all attributes; then set the parameters and drop its optimizer."""
        classes = np.arange(self.case.layer_sizes[-1])
        self.classifier = self.classifier_class(
            self.case.layer_sizes[1:-1],
            solver=self.case.optimizer,
            alpha=0.0,
            batch_size=min(self.case.batch_size, len(self.x)),
            learning_rate_init=self.case.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
            beta_1=BETAS[0],
            beta_2=BETAS[1],
            epsilon=EPSILON,
            shuffle=False,
            random_state=0,
        )
        few = self.x[: self.classifier.batch_size]
        labels = np.arange(len(few)) % len(classes)
        self.classifier.partial_fit(few, labels, classes=classes)
        for i, (w, b) in enumerate(self.workload.parameters):
            self.classifier.coefs_[i][...] = w
            self.classifier.intercepts_[i][...] = b
        del self.classifier._optimizer

    def parameters(self) -> Parameters:
        """Return copies."""
        pairs = zip(self.classifier.coefs_, self.classifier.intercepts_, strict=True)
        return [(w.copy(), b.copy()) for w, b in pairs]

    def train(self, rows: RowNumbers, passes: int) -> None:
        """Call `partial_fit` with one or more batches at a time."""
        for _ in range(passes):
            for start in range(0, len(rows), self.chunk):
                part = rows[start : start + self.chunk]
                self.classifier.partial_fit(self.x[part], self.workload.y[part])

    def predict(self) -> Array:
        """Return its classes."""
        size = CHUNK if self.variant.detail else len(self.x)
        parts = [self.classifier.predict(self.x[i : i + size]) for i in range(0, len(self.x), size)]
        return np.concatenate(parts)


def peer_contenders() -> list[Contender]:
    """Return all of them, installed or not."""
    return [Torch(), Torch(compiled=True), Torch(autocast=True), Jax(), ScikitLearn()]
