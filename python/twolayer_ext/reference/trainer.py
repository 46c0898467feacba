"""The twin's trainer: batches, updates, and what the techniques of training do in a step."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array
from twolayer_ext.engine import AugmentOptions, Gradients, Rows
from twolayer_ext.reference.bfloat16 import Bfloat16Operands
from twolayer_ext.reference.chance import augmented
from twolayer_ext.reference.layers import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, Between
from twolayer_ext.reference.network import (
    EXACT,
    NumpyNetwork,
    loss_gradient,
    softmax_cross_entropy,
)


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
        operands = EXACT
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
