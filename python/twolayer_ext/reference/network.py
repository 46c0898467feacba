"""The twin's network: weights, biases, normalisation, and the passes over them.

Formulas (1), (2) and (4) are the study's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.engine import Gradients, ImageShape, RowNumbers, Weights
from twolayer_ext.losses import Loss
from twolayer_ext.reference.bfloat16 import Bfloat16Operands, Operands
from twolayer_ext.reference.chance import dropout_mask, mirrored
from twolayer_ext.reference.layers import Between
from twolayer_ext.rows import Rows, dense, take


@dataclass(frozen=True)
class TwinLoss:
    """A loss, and what its score is multiplied by."""

    loss: Loss
    score_scale: Weights | None
    class_weights: Weights | None = None

    def value_and_gradient(
        self, outputs: Array, targets: Array, weights: Weights | None
    ) -> tuple[Array, Array]:
        """Return losses (N,) and gradients (N, K) of a batch whose samples weigh `weights` (N,).

        With class weights v, the loss of a label that is spread as q is Σ q_k v_k (-log a_k). Its
        mean is not over the samples' weights w alone but over w v_y, as in PyTorch; that comes as a
        factor.
        """
        if self.class_weights is None:
            return self.loss.value_and_gradient(outputs, targets)
        classes = outputs.shape[1]
        smoothing = getattr(self.loss, "label_smoothing", 0.0)
        q = np.full(outputs.shape, smoothing / classes, outputs.dtype)
        q[np.arange(len(q)), targets] += 1 - smoothing
        q *= self.class_weights
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        whole = q.sum(axis=1, keepdims=True)
        losses = (whole * np.log(total))[:, 0] - (q * shifted).sum(axis=1)
        gradient = whole * np.exp(shifted) / total - q
        own = np.ones(len(q)) if weights is None else weights
        divisor = float((own * self.class_weights[targets]).sum())
        factor = np.asarray(float(own.sum()) / divisor if divisor > 0 else 0.0, outputs.dtype)
        return losses * factor, gradient * factor

    def mean_gradient(self, gradient: Array, weights: Weights | None) -> Array:
        """Return the gradient of the batch's mean loss from those of its samples (N, K).

        `weights` (N,) of the samples, where given, make that mean a weighted one.
        """
        count = len(gradient)
        total = float(count) if weights is None else float(weights.sum())
        share = np.ones(count) if weights is None else weights
        share = share / total if total > 0 else 0 * share
        return np.asarray(gradient * share.astype(gradient.dtype)[:, np.newaxis])


EXACT = Operands()


class NumpyNetwork:
    """The engine's network: weights, biases, normalisation, and the passes over them."""

    def __init__(self, layer_sizes: Sequence[int], activation: str, dtype: str) -> None:
        self.activation = activation
        self.dtype = np.dtype(dtype)
        shapes = list(pairwise(layer_sizes))
        self.weights = [np.zeros(shape, self.dtype) for shape in shapes]
        self.biases = [np.zeros(shape[1], self.dtype) for shape in shapes]
        self.shift = np.zeros(layer_sizes[0])
        self.scale = np.ones(layer_sizes[0])
        self.output_shift = np.zeros(layer_sizes[-1], self.dtype)
        self.output_scale = np.ones(layer_sizes[-1], self.dtype)

    def set_normalization(self, shift: Weights, scale: Weights) -> None:
        """Let the first layer read (x - shift) / scale."""
        self.shift = shift.copy()
        self.scale = scale.copy()

    def set_output_scaling(self, shift: Weights, scale: Weights) -> None:
        """Let the outputs be scale * z + shift, with z of the last layer."""
        self.output_shift = shift.astype(self.dtype)
        self.output_scale = scale.astype(self.dtype)

    def layer(self, index: int) -> tuple[Array, Array]:
        """Return copies of W (D, H) and b (H,)."""
        return self.weights[index].copy(), self.biases[index].copy()

    def set_layer(self, index: int, weights: Array, bias: Array) -> None:
        """Replace W and b; their values are copied."""
        self.weights[index][:] = weights
        self.biases[index][:] = bias

    def normalized(self, x: Rows, rows: RowNumbers | None) -> Array:
        """Return (x[rows] - shift) / scale in the network's dtype; sparse rows become dense.

        float64 rows are rounded to it at the end, all others at the beginning.
        """
        batch = dense(x if rows is None else take(x, rows))
        wide = batch.dtype if batch.dtype == np.float64 else self.dtype
        shift, scale = self.shift.astype(wide), self.scale.astype(wide)
        return np.asarray((batch.astype(wide) - shift) / scale, self.dtype)

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

    def layers(
        self, x: Array, between: list[Between] | None = None, operands: Operands = EXACT
    ) -> list[Array]:
        """Return the input of every layer, (N, D), (N, H1), ..., and at the end z of the last."""
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

    def in_units(self, z: Array) -> Array:
        """Return the outputs (N, K) in the targets' units, of z of the last layer."""
        return z * self.output_scale + self.output_shift

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

    def backward(
        self,
        inputs: list[Array],
        between: list[Between],
        delta: Array,
        reg: float,
        operands: Operands = EXACT,
    ) -> Gradients:
        """Backpropagate form (4) from `delta`, the loss's gradient with respect to z of the last.

        `inputs` and `between` are those of `layers`.
        """
        result: Gradients = []
        for i in reversed(range(len(self.weights))):
            right = operands.gradient(delta)
            d_weights = operands.input(i, inputs[i]).T @ right + 2 * reg * self.weights[i]
            if i < len(between) and between[i].gamma is not None:
                result.append((d_weights, between[i].dbeta, between[i].dgamma))
            else:
                result.append((d_weights, delta.sum(axis=0)))
            if i > 0:
                delta = between[i - 1].backward(right @ operands.weights(i, self.weights[i]).T)
        return result[::-1]

    def outputs(
        self,
        x: Rows,
        rows: RowNumbers | None,
        mirrored_as: ImageShape | None = None,
        compute_dtype: str | None = None,
    ) -> Array:
        """Return the outputs (N, K) of x[rows] in the targets' units."""
        if mirrored_as is not None:
            x = mirrored(dense(x), mirrored_as)
        operands = EXACT
        if compute_dtype == "bfloat16":
            operands = Bfloat16Operands.reading(dense(x), self.scale)
        return self.in_units(self.layers(self.normalized(x, rows), operands=operands)[-1])

    def forward(
        self,
        x: Rows,
        rows: RowNumbers | None,
        threads: int,
        mirrored_as: ImageShape | None = None,
        compute_dtype: str | None = None,
    ) -> Array:
        """Return the outputs (N, K) of x[rows]."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.outputs(x, rows, mirrored_as, compute_dtype)

    def predictions(
        self,
        x: Rows,
        rows: RowNumbers | None,
        loss: TwinLoss,
        threads: int,
        mirrored_as: ImageShape | None = None,
        compute_dtype: str | None = None,
    ) -> Array:
        """Return what the loss takes the outputs for (N, K)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return loss.loss.prediction(self.outputs(x, rows, mirrored_as, compute_dtype))

    def infer(
        self, x: Array, loss: Any, largest: bool, threads: int, compute_dtype: str | None = None
    ) -> Array | None:
        """Have no quick way."""
        return None

    def evaluate(
        self, x: Rows, targets: Array, rows: RowNumbers | None, loss: TwinLoss, threads: int
    ) -> tuple[float, float]:
        """Return the means of loss and score."""
        judged = targets if rows is None else targets[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = self.outputs(x, rows)
            losses, _ = loss.loss.value_and_gradient(outputs, judged)
            scores = loss.loss.score(outputs, judged, loss.score_scale)
            return float(losses.mean()), float(scores.mean(dtype=np.float64))

    def loss_and_gradients(
        self,
        x: Rows,
        targets: Array,
        loss: TwinLoss,
        reg: float,
        threads: int,
        *,
        dropout: Sequence[float] = (),
        gammas: Sequence[Array] | None = None,
        weights: Weights | None = None,
        seed: int = 0,
    ) -> tuple[float, Gradients]:
        """Return form (4) and its gradients, as at a step of training with these techniques."""
        with np.errstate(over="ignore", invalid="ignore"):
            between = self.between(len(x), dropout=dropout, gammas=gammas, seed=seed)
            inputs = self.layers(self.normalized(x, None), between)
            losses, gradient = loss.loss.value_and_gradient(self.in_units(inputs[-1]), targets)
            delta = loss.mean_gradient(gradient * self.output_scale, weights)
            value = self.loss(losses, reg, weights)
            return value, self.backward(inputs, between, delta, reg)

    def gradients(self, x: Rows, doutputs: Array, threads: int) -> Gradients:
        """Return the gradients of Σ doutputs * outputs."""
        between = self.between()
        inputs = self.layers(self.normalized(x, None), between)
        return self.backward(inputs, between, doutputs * self.output_scale, 0.0)
