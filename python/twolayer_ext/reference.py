"""The NumPy twin: what is right, in readable arithmetic, without C++.

`Network` and `train` are used as those of the package, and follow the same protocol: the same
random streams, the same batches, the same history, by the same code. The mathematics below is a
second, independent writing of the compiled core's; formulas (1), (2) and (4) are the study's.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import training
from twolayer_ext.bfloat16 import Bfloat16Operands, Operands
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import Engine, Rows
from twolayer_ext.network import NetworkBase
from twolayer_ext.options import DefaultText, TrainOptions
from twolayer_ext.training import TrainResult


def activate(name: str, z: Array) -> Array:
    """Apply the activation `name` to z (N, H)."""
    if name == "relu":
        return np.maximum(z, 0)
    if name == "tanh":
        return np.asarray(np.tanh(z))
    if name == "logistic":
        e = np.exp(-np.abs(z))  # never overflows
        return np.asarray(np.where(z >= 0, 1, e) / (1 + e))
    return z


def derivative(name: str, a: Array) -> Array:
    """Return da/dz where a = activation(z), written in terms of a (N, H)."""
    if name == "relu":
        return (a > 0).astype(a.dtype)
    if name == "tanh":
        return 1 - a * a
    if name == "logistic":
        return np.asarray(a * (1 - a))
    return np.ones_like(a)


def softmax_cross_entropy(logits: Array, y: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the probabilities (N, C) and -log p[i, y_i] (N,) of logits (N, C).

    The largest logit of a row is subtracted first, so that exp never overflows; the loss is
    log Σ exp(z) - z_y, which stays exact where p underflows.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    return e / total, np.log(total[:, 0]) - shifted[np.arange(len(y)), y]


_EXACT = Operands()


class NumpyNetwork:
    """The engine's network: weights, biases, normalisation, and the passes over them."""

    def __init__(self, layer_sizes: Sequence[int], activation: str, dtype: str) -> None:
        self.activation = activation
        self.dtype = np.dtype(dtype)
        shapes = list(pairwise(layer_sizes))
        self.weights = [np.zeros(shape, self.dtype) for shape in shapes]
        self.biases = [np.zeros(shape[1], self.dtype) for shape in shapes]
        self.shift = np.zeros(layer_sizes[0], self.dtype)
        self.scale = np.ones(layer_sizes[0], self.dtype)

    def set_normalization(self, shift: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
        """Let the first layer read (x - shift) / scale."""
        self.shift = shift.astype(self.dtype)
        self.scale = scale.astype(self.dtype)

    def layer(self, index: int) -> tuple[Array, Array]:
        """Return copies of W (D, H) and b (H,)."""
        return self.weights[index].copy(), self.biases[index].copy()

    def set_layer(self, index: int, weights: Array, bias: Array) -> None:
        """Replace W and b; their values are copied."""
        self.weights[index][:] = weights
        self.biases[index][:] = bias

    def normalized(self, x: Array, rows: Rows | None) -> Array:
        """Return (x[rows] - shift) / scale in the network's dtype."""
        batch = x if rows is None else x[rows]
        return (batch.astype(self.dtype) - self.shift) / self.scale

    def forward(self, x: Array, operands: Operands = _EXACT) -> list[Array]:
        """Return the input of every layer, (N, D), (N, H1), ..., and at the end the logits."""
        outputs = [x]
        last = len(self.weights) - 1
        for i, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = operands.input(i, outputs[-1]) @ operands.weights(i, weights) + bias
            outputs.append(activate(self.activation, z) if i < last else z)
        return outputs

    def loss(self, data_losses: Array, reg: float) -> float:
        """Form (4): J + λ Σ ‖W‖², of the losses of all samples."""
        loss = float(data_losses.mean())
        if reg:
            loss += reg * sum(float(np.sum(w * w)) for w in self.weights)
        return loss

    def gradients(
        self,
        outputs: list[Array],
        probabilities: Array,
        y: NDArray[np.int64],
        reg: float,
        operands: Operands = _EXACT,
    ) -> Parameters:
        """Backpropagate form (4); `outputs` are those of `forward`."""
        count = len(y)
        delta = probabilities.copy()
        delta[np.arange(count), y] -= 1
        delta /= count  # form (2)
        result: Parameters = []
        for i in reversed(range(len(self.weights))):
            right = operands.gradient(delta)
            product = operands.input(i, outputs[i]).T @ right
            result.append((product + 2 * reg * self.weights[i], delta.sum(axis=0)))
            if i > 0:
                delta = right @ operands.weights(i, self.weights[i]).T
                delta *= derivative(self.activation, outputs[i])
        return result[::-1]

    def probabilities(self, x: Array, rows: Rows | None, threads: int) -> Array:
        """Return the class probabilities of x[rows]."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.forward(self.normalized(x, rows))[-1]
            return softmax_cross_entropy(logits, np.zeros(len(logits), np.int64))[0]

    def evaluate(
        self, x: Array, y: NDArray[np.int64], rows: Rows | None, threads: int
    ) -> tuple[float, int]:
        """Return the mean loss, form (1), and the number of right predictions."""
        labels = y if rows is None else y[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.forward(self.normalized(x, rows))[-1]
            losses = softmax_cross_entropy(logits, labels)[1]
            return float(losses.mean()), int((logits.argmax(axis=1) == labels).sum())

    def loss_and_gradients(
        self, x: Array, y: NDArray[np.int64], reg: float, threads: int
    ) -> tuple[float, Parameters]:
        """Return form (4) and its gradients."""
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = self.forward(self.normalized(x, None))
            probabilities, losses = softmax_cross_entropy(outputs[-1], y)
            return self.loss(losses, reg), self.gradients(outputs, probabilities, y, reg)


class NumpyTrainer:
    """The engine's trainer: SGD, Adam and AdamW as PyTorch documents them.

    Weight decay covers weights and biases. Every array of parameters has its own state.
    """

    def __init__(
        self,
        network: NumpyNetwork,
        *,
        optimizer: str,
        momentum: float,
        nesterov: bool,
        beta1: float,
        beta2: float,
        epsilon: float,
        weight_decay: float,
        reg: float,
        batch_size: int,
        threads: int,
        compute_dtype: str | None = None,
    ) -> None:
        self.network = network
        self.compute_dtype = compute_dtype
        self.optimizer = optimizer
        self.momentum = momentum
        self.nesterov = nesterov
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.weight_decay = weight_decay
        self.reg = reg
        self.batch_size = batch_size
        self.steps = 0
        self.parameters = [*network.weights, *network.biases]
        self.first = [np.zeros_like(p) for p in self.parameters]  # momentum, or Adam's m
        self.second = [np.zeros_like(p) for p in self.parameters]  # Adam's v

    def run(
        self,
        x: Array,
        y: NDArray[np.int64],
        rows: Rows,
        learning_rates: NDArray[np.float64],
        losses: NDArray[np.float64],
    ) -> tuple[int, int]:
        """Train on consecutive batches of `rows`; return steps done and right predictions."""
        correct = 0
        operands = _EXACT
        if self.compute_dtype == "bfloat16":
            operands = Bfloat16Operands.reading(x, self.network.scale)
        with np.errstate(over="ignore", invalid="ignore"):
            for step in range(len(losses)):
                batch = rows[step * self.batch_size : (step + 1) * self.batch_size]
                labels = y[batch]
                outputs = self.network.forward(self.network.normalized(x, batch), operands)
                probabilities, data_losses = softmax_cross_entropy(outputs[-1], labels)
                losses[step] = self.network.loss(data_losses, self.reg)
                correct += int((outputs[-1].argmax(axis=1) == labels).sum())
                if not np.isfinite(losses[step]):
                    return step + 1, correct
                gradients = self.network.gradients(
                    outputs, probabilities, labels, self.reg, operands
                )
                self.update(gradients, float(learning_rates[step]))
        return len(losses), correct

    def update(self, gradients: Parameters, learning_rate: float) -> None:
        """Do one step of the optimizer, in place."""
        self.steps += 1
        flat = [dw for dw, _ in gradients] + [db for _, db in gradients]
        for i, (p, g) in enumerate(zip(self.parameters, flat, strict=True)):
            if self.optimizer == "sgd":
                p -= learning_rate * self.sgd_direction(i, g + self.weight_decay * p)
                continue
            if self.optimizer == "adamw":
                p *= 1 - learning_rate * self.weight_decay
                p -= learning_rate * self.adam_direction(i, g)
            else:
                p -= learning_rate * self.adam_direction(i, g + self.weight_decay * p)

    def sgd_direction(self, i: int, g: Array) -> Array:
        """g, or the momentum buffer after it took g, or Nesterov's look ahead of that."""
        if self.momentum == 0:
            return g
        self.first[i] = g if self.steps == 1 else self.momentum * self.first[i] + g
        return g + self.momentum * self.first[i] if self.nesterov else self.first[i]

    def adam_direction(self, i: int, g: Array) -> Array:
        """Adam's m̂ / (sqrt(v̂) + ε), both moments with their bias corrected."""
        self.first[i] = self.beta1 * self.first[i] + (1 - self.beta1) * g
        self.second[i] = self.beta2 * self.second[i] + (1 - self.beta2) * g * g
        m = self.first[i] / (1 - self.beta1**self.steps)
        v = self.second[i] / (1 - self.beta2**self.steps)
        return m / (np.sqrt(v) + self.epsilon)


class Network(NetworkBase):
    """The twin of `twolayer_ext.Network`: same arguments and methods, float64 by default.

    `threads` is checked and then left to NumPy's own products.
    """

    engine = Engine(NumpyNetwork, NumpyTrainer)

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: str = "relu",
        init: str | float = "auto",
        dtype: str = "float64",
        seed: int = 0,
        normalize: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        super().__init__(
            layer_sizes,
            activation=activation,
            init=init,
            dtype=dtype,
            seed=seed,
            normalize=normalize,
        )


_DEFAULTS: TrainOptions = {**training.DEFAULTS, "dtype": DefaultText("float64")}


def train(x: ArrayLike, y: ArrayLike, **options: Unpack[TrainOptions]) -> TrainResult:
    """Train as `twolayer_ext.train` does, with the same arguments; `dtype` is float64 by default.

    The same seed gives the same initial weights and the same batches as there.
    """
    if unknown := options.keys() - _DEFAULTS.keys():
        raise TypeError(f"train() got an unexpected keyword argument {min(unknown)!r}")
    return training.fit(Network, x, y, {**_DEFAULTS, **options})


def load(path: str | os.PathLike[str]) -> Network:
    """Read a file that either `Network.save` wrote; see `twolayer_ext.load`."""
    return Network.load(path)


_signature = inspect.signature(training.train)
train.__signature__ = _signature.replace(  # type: ignore[attr-defined]
    parameters=[
        p.replace(default=_DEFAULTS["dtype"]) if p.name == "dtype" else p
        for p in _signature.parameters.values()
    ]
)
