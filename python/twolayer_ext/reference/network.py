"""The twin's network: weights, biases, normalisation, and the passes over them.

Formulas (1), (2) and (4) are the study's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array
from twolayer_ext.engine import Gradients, Rows
from twolayer_ext.reference.bfloat16 import Operands
from twolayer_ext.reference.chance import dropout_mask, mirrored
from twolayer_ext.reference.layers import Between


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


EXACT = Operands()


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
        self, x: Array, between: list[Between] | None = None, operands: Operands = EXACT
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
        operands: Operands = EXACT,
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
