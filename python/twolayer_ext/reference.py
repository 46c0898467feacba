"""The NumPy twin: what is right, in readable arithmetic, without C++.

`Network` and `train` are used as those of the package, and follow the same protocol: the same
random streams, the same batches, the same history, by the same code. The mathematics below is a
second, independent writing of the compiled core's; formulas (1), (2) and (4) are the study's.
"""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import training
from twolayer_ext.bfloat16 import Bfloat16Operands, Operands
from twolayer_ext.chance import augmented, dropout_mask, mirrored
from twolayer_ext.checks import Array
from twolayer_ext.engine import AugmentOptions, Engine, Gradients, Rows
from twolayer_ext.gradients import GradientReport, check_gradients
from twolayer_ext.network import NetworkBase
from twolayer_ext.options import DefaultText, TrainOptions
from twolayer_ext.reference_layers import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    Between,
)
from twolayer_ext.training import TrainResult

__all__ = ["GradientReport", "Network", "TrainResult", "check_gradients", "load", "train"]


def softmax_cross_entropy(
    logits: Array, y: NDArray[np.int64], smoothing: float = 0.0
) -> tuple[Array, Array]:
    """Return the probabilities (N, C) and -log p[i, y_i] (N,) of logits (N, C).

    The largest logit of a row is subtracted first, so that exp never overflows; the loss is
    log Σ exp(z) - z_y, which stays exact where p underflows. With label smoothing (Szegedy et al.
    2016) the loss is the mean of -log p over targets: the label with 1 - `smoothing`, and all
    classes evenly with the rest.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    target = shifted[np.arange(len(y)), y]
    if smoothing:
        target = (1 - smoothing) * target + smoothing * shifted.mean(axis=1)
    return e / total, np.log(total[:, 0]) - target


def loss_gradient(
    probabilities: Array, y: NDArray[np.int64], smoothing: float = 0.0, weights: Array | None = None
) -> Array:
    """Return the gradient of the mean loss with respect to the logits (N, C): form (2).

    `weights` (N,) of the samples, where given, make that mean a weighted one.
    """
    count, classes = probabilities.shape
    delta = probabilities - smoothing / classes if smoothing else probabilities.copy()
    delta[np.arange(count), y] -= 1 - smoothing
    if weights is None:
        return np.asarray(delta / count)
    total = weights.sum()
    return np.asarray(delta * (weights / total)[:, np.newaxis] if total > 0 else delta * 0)


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

    def between(
        self,
        samples: int = 0,
        *,
        dropout: Sequence[float] = (),
        gammas: Sequence[Array] | None = None,
        seed: int = 0,
        step: int = 0,
    ) -> list[Between]:
        """Return what stands between the layers, at one step of training or without techniques."""
        result = []
        for i, bias in enumerate(self.biases[:-1]):
            mask = None
            if dropout and dropout[i] > 0:
                mask = dropout_mask(dropout[i], seed, step, i, (samples, len(bias)))
                mask = mask.astype(self.dtype)
            if gammas is None:
                result.append(Between(self.activation, mask=mask))
            else:
                result.append(Between(self.activation, mask=mask, gamma=gammas[i], beta=bias))
        return result

    def forward(
        self, x: Array, between: list[Between] | None = None, operands: Operands = _EXACT
    ) -> list[Array]:
        """Return the input of every layer, (N, D), (N, H1), ..., and at the end the logits."""
        hidden = self.between() if between is None else between
        outputs = [x]
        for i, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = operands.input(i, outputs[-1]) @ operands.weights(i, weights)
            if i == len(hidden):
                outputs.append(z + bias)
            else:
                # A normalised layer's bias is added after the normalisation.
                outputs.append(hidden[i].forward(z + bias if hidden[i].gamma is None else z))
        return outputs

    def loss(self, data_losses: Array, reg: float, sample_weights: Array | None = None) -> float:
        """Form (4): J + λ Σ ‖W‖², of the losses of all samples."""
        if sample_weights is None:
            loss = float(data_losses.mean())
        else:
            total = float(sample_weights.sum())
            loss = float((sample_weights * data_losses).sum()) / total if total > 0 else 0.0
        if reg:
            loss += reg * sum(float(np.sum(w * w)) for w in self.weights)
        return loss

    def gradients(
        self,
        outputs: list[Array],
        between: list[Between],
        delta: Array,
        reg: float,
        operands: Operands = _EXACT,
    ) -> Gradients:
        """Backpropagate form (4) from `delta`, the loss's gradient with respect to the logits.

        `outputs` and `between` are those of `forward`.
        """
        result: Gradients = []
        for i in reversed(range(len(self.weights))):
            right = operands.gradient(delta)
            d_weights = operands.input(i, outputs[i]).T @ right + 2 * reg * self.weights[i]
            if i < len(between) and between[i].gamma is not None:
                result.append((d_weights, between[i].dbeta, between[i].dgamma))
            else:
                result.append((d_weights, delta.sum(axis=0)))
            if i > 0:
                delta = between[i - 1].backward(right @ operands.weights(i, self.weights[i]).T)
        return result[::-1]

    def probabilities(
        self,
        x: Array,
        rows: Rows | None,
        threads: int,
        mirrored_as: tuple[int, int, int] | None = None,
    ) -> Array:
        """Return the class probabilities of x[rows]."""
        if mirrored_as is not None:
            x = mirrored(x, mirrored_as)
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
        self,
        x: Array,
        y: NDArray[np.int64],
        reg: float,
        threads: int,
        *,
        dropout: Sequence[float] = (),
        gammas: Sequence[Array] | None = None,
        label_smoothing: float = 0.0,
        weights: NDArray[np.float64] | None = None,
        seed: int = 0,
    ) -> tuple[float, Gradients]:
        """Return form (4) and its gradients, as at a step of training with these techniques."""
        with np.errstate(over="ignore", invalid="ignore"):
            between = self.between(len(x), dropout=dropout, gammas=gammas, seed=seed)
            outputs = self.forward(self.normalized(x, None), between)
            probabilities, losses = softmax_cross_entropy(outputs[-1], y, label_smoothing)
            delta = loss_gradient(probabilities, y, label_smoothing, weights).astype(self.dtype)
            loss = self.loss(losses, reg, weights)
            return loss, self.gradients(outputs, between, delta, reg)


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
        dropout: Sequence[float] = (),
        batch_norm: bool = False,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        augment: AugmentOptions | None = None,
        seed: int = 0,
    ) -> None:
        self.published = network
        if batch_norm:
            network = copy.deepcopy(network)
        self.network = network
        hidden = network.biases[:-1] if batch_norm else []
        self.gammas = [np.ones_like(b) for b in hidden]
        self.running = [(np.zeros_like(b), np.ones_like(b)) for b in hidden]  # mean, variance
        self.compute_dtype = compute_dtype
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.label_smoothing = label_smoothing
        self.clip_norm = clip_norm
        self.augment = augment
        self.seed = seed
        self.optimizer = optimizer
        self.momentum = momentum
        self.nesterov = nesterov
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.weight_decay = weight_decay
        self.reg = reg
        self.batch_size = batch_size
        self.steps = 0
        self.parameters = [*network.weights, *network.biases, *self.gammas]
        self.first = [np.zeros_like(p) for p in self.parameters]  # momentum, or Adam's m
        self.second = [np.zeros_like(p) for p in self.parameters]  # Adam's v

    def run(
        self,
        x: Array,
        y: NDArray[np.int64],
        rows: Rows,
        learning_rates: NDArray[np.float64],
        losses: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
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
                of_batch = None if weights is None else weights[batch]
                between = self.network.between(
                    len(batch),
                    dropout=self.dropout,
                    gammas=self.gammas if self.batch_norm else None,
                    seed=self.seed,
                    step=self.steps,
                )
                images = self.network.normalized(self.images(x[batch]), None)
                outputs = self.network.forward(images, between, operands)
                probabilities, data_losses = softmax_cross_entropy(
                    outputs[-1], labels, self.label_smoothing
                )
                losses[step] = self.network.loss(data_losses, self.reg, of_batch)
                correct += int((outputs[-1].argmax(axis=1) == labels).sum())
                if not np.isfinite(losses[step]):
                    return step + 1, correct
                delta = loss_gradient(probabilities, labels, self.label_smoothing, of_batch)
                delta = delta.astype(self.network.dtype)
                gradients = self.network.gradients(outputs, between, delta, self.reg, operands)
                self.follow_statistics(between, len(batch))
                self.update(gradients, float(learning_rates[step]))
        return len(losses), correct

    def images(self, x: Array) -> Array:
        """Return rows of images, changed at random where that is wanted."""
        if self.augment is None:
            return x
        image_shape, flip, shift, cutout = self.augment
        blank = self.network.shift
        if x.dtype == np.uint8:
            blank = np.floor(np.clip(blank, 0, 255) + 0.5)
        return augmented(
            x,
            image_shape,
            flip=flip,
            shift=shift,
            cutout=cutout,
            blank=blank.astype(x.dtype),
            seed=self.seed,
            step=self.steps,
        )

    def follow_statistics(self, between: list[Between], samples: int) -> None:
        """Move the running statistics towards a batch's, whose variance is unbiased there.

        One sample says nothing of the variance.
        """
        if samples == 1:
            return
        for layer, (mean, variance) in zip(between, self.running, strict=False):
            unbiased = layer.variance * (samples / (samples - 1))
            mean += BATCH_NORM_MOMENTUM * (layer.mean - mean)
            variance += BATCH_NORM_MOMENTUM * (unbiased - variance)

    def publish(self) -> None:
        """Fold batch normalisation, by the running statistics, into the network's parameters."""
        if not self.batch_norm:
            return
        for i, (weights, bias) in enumerate(
            zip(self.network.weights, self.network.biases, strict=True)
        ):
            if i == len(self.gammas):
                self.published.set_layer(i, weights, bias)
                continue
            mean, variance = self.running[i]
            with np.errstate(over="ignore", invalid="ignore"):
                factor = self.gammas[i] / np.sqrt(variance + BATCH_NORM_EPSILON)
                self.published.set_layer(i, weights * factor, bias - mean * factor)

    def clipped(self, gradients: list[Array]) -> list[Array]:
        """Scale all gradients so that their common norm is at most `clip_norm`.

        Pascanu, Mikolov and Bengio 2013; the small number is PyTorch's.
        """
        norm = float(np.sqrt(sum(float(np.sum(np.square(g, dtype=float))) for g in gradients)))
        scale = min(1.0, self.clip_norm / (norm + 1e-6))
        return [g * np.asarray(scale, g.dtype) for g in gradients]

    def update(self, gradients: Gradients, learning_rate: float) -> None:
        """Do one step of the optimizer, in place."""
        self.steps += 1
        flat = [g[0] for g in gradients] + [g[1] for g in gradients]
        flat += [g[2] for g in gradients if len(g) == 3]
        if self.clip_norm:
            flat = self.clipped(flat)
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
