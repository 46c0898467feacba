"""The twin's trainer: batches, updates, and what the techniques of training do in a step."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from twolayer_ext.checks import Array
from twolayer_ext.engine import Gradients, RowNumbers, Techniques, Weights
from twolayer_ext.optimizers import Optimizer
from twolayer_ext.reference.bfloat16 import Bfloat16Operands, Operands
from twolayer_ext.reference.chance import augmented
from twolayer_ext.reference.layers import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, Between
from twolayer_ext.reference.network import EXACT, NumpyNetwork, TwinLoss
from twolayer_ext.rows import Rows, Sparse, take


class NumpyTrainer:
    """The engine's trainer: the stages of a step one after the other."""

    def __init__(
        self,
        network: NumpyNetwork,
        *,
        optimizer: Optimizer,
        loss: TwinLoss,
        techniques: Techniques,
        reg: float,
        batch_size: int,
        threads: int,
        compute_dtype: str | None,
    ) -> None:
        self.published = network
        self.techniques = techniques
        if techniques.batch_norm:
            network = copy.deepcopy(network)
        self.network = network
        hidden = network.biases[:-1] if techniques.batch_norm else []
        self.gammas = [np.ones_like(b) for b in hidden]
        self.running = [(np.zeros_like(b), np.ones_like(b)) for b in hidden]  # mean, variance
        self.loss = loss
        self.compute_dtype = compute_dtype
        self.reg = reg
        self.batch_size = batch_size
        self.parameters = [*network.weights, *network.biases, *self.gammas]
        layers = range(1, len(network.weights) + 1)
        names = [f"W{i}" for i in layers] + [f"b{i}" for i in layers]
        names += [f"gamma{i}" for i in layers[: len(self.gammas)]]
        self.optimizer = optimizer.twin(self.parameters, names)
        self._half: tuple[list[Array], list[Between]] | None = None  # of a step

    @property
    def steps(self) -> int:
        """Done so far."""
        return self.optimizer.steps

    def run(
        self,
        x: Rows,
        targets: Array,
        rows: RowNumbers,
        learning_rates: Weights,
        losses: Weights,
        weights: Weights | None = None,
        scores: Weights | None = None,
    ) -> tuple[int, float]:
        """Train on consecutive batches of `rows`; return steps done and the sum of scores."""
        if scores is None:
            scores = np.zeros(len(losses))
        loss = self.loss.loss
        with np.errstate(over="ignore", invalid="ignore"):
            for step in range(len(losses)):
                batch = rows[step * self.batch_size : (step + 1) * self.batch_size]
                outputs = self.begin(x, batch)
                of_batch = None if weights is None else weights[batch]
                of_samples, gradient = self.loss.value_and_gradient(
                    outputs, targets[batch], of_batch
                )
                of_rows = loss.score(outputs, targets[batch], self.loss.score_scale)
                scores[step] = of_rows.sum(dtype=np.float64)
                losses[step] = self.finish(
                    x, batch, of_samples, gradient, float(learning_rates[step]), weights
                )
                if not np.isfinite(losses[step]):
                    return step + 1, float(scores[: step + 1].sum())
        return len(losses), float(scores[: len(losses)].sum())

    def begin(self, x: Rows, rows: RowNumbers) -> Array:
        """Do the first half of a step, on one batch; return its outputs (n, K)."""
        between = self.network.between(
            len(rows),
            dropout=self.techniques.dropout,
            gammas=self.gammas if self.techniques.batch_norm else None,
            seed=self.techniques.seed,
            step=self.steps,
        )
        with np.errstate(over="ignore", invalid="ignore"):
            batch = take(x, rows)
            images = batch if isinstance(batch, Sparse) else self.images(batch)
            inputs = self.network.layers(
                self.network.normalized(images, None), between, self._operands(x)
            )
            self._half = inputs, between
            return self.network.in_units(inputs[-1])

    def finish(
        self,
        x: Rows,
        rows: RowNumbers,
        losses: Array,
        doutputs: Array,
        learning_rate: float,
        weights: Weights | None = None,
    ) -> float:
        """Do the other half on the same batch, with each sample's loss and its gradient (n, K)."""
        assert self._half is not None
        inputs, between = self._half
        of_batch = None if weights is None else weights[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            value = self.network.loss(losses, self.reg, of_batch)
            if not np.isfinite(value):
                return value
            delta = self.loss.mean_gradient(doutputs * self.network.output_scale, of_batch)
            gradients = self.network.backward(
                inputs, between, delta.astype(self.network.dtype), self.reg, self._operands(x)
            )
            self.follow_statistics(between, len(rows))
            self.update(gradients, learning_rate)
        return value

    def _operands(self, x: Rows) -> Operands:
        if self.compute_dtype != "bfloat16" or isinstance(x, Sparse):
            return EXACT
        return Bfloat16Operands.reading(x, self.network.scale.astype(self.network.dtype))

    def images(self, x: Array) -> Array:
        """Return rows of images, changed at random where that is wanted."""
        if self.techniques.augment is None:
            return x
        image_shape, flip, shift, cutout = self.techniques.augment
        blank = self.network.shift
        if x.dtype != np.float64:
            blank = blank.astype(self.network.dtype)
        if x.dtype == np.uint8:
            blank = np.floor(np.clip(blank, 0, 255) + 0.5)
        return augmented(
            x,
            image_shape,
            flip=flip,
            shift=shift,
            cutout=cutout,
            blank=blank.astype(x.dtype),
            seed=self.techniques.seed,
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
        if not self.techniques.batch_norm:
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
        scale = min(1.0, self.techniques.clip_norm / (norm + 1e-6))
        return [g * np.asarray(scale, g.dtype) for g in gradients]

    def update(self, gradients: Gradients, learning_rate: float) -> None:
        """Do one step of the optimizer, in place."""
        flat = [g[0] for g in gradients] + [g[1] for g in gradients]
        flat += [g[2] for g in gradients if len(g) == 3]
        if self.techniques.clip_norm:
            flat = self.clipped(flat)
        self.optimizer.step(self.parameters, flat, learning_rate)

    def state(self) -> dict[str, Any]:
        """Return copies of what the optimizer keeps, by name, and with batch normalisation more."""
        kept = {name: array.copy() for name, array in self._unfolded().items()}
        return {**self.optimizer.state(), **kept}

    def set_state(self, state: dict[str, Any]) -> None:
        """Replace it, or, on an error, nothing."""
        unfolded = self._unfolded()
        for name, array in unfolded.items():
            given = state.get(name)
            if not isinstance(given, np.ndarray) or (given.shape, given.dtype) != (
                array.shape,
                array.dtype,
            ):
                raise ValueError(f"state: {name} must be of the layer's shape and dtype")
        self.optimizer.set_state(
            {name: value for name, value in state.items() if name not in unfolded}
        )
        for name, array in unfolded.items():
            array[...] = state[name]

    def _unfolded(self) -> dict[str, Array]:
        """Return what batch normalisation trains and follows, which is not the published network's.

        Without it: nothing.
        """
        result: dict[str, Array] = {}
        if not self.techniques.batch_norm:
            return result
        layers = zip(self.network.weights, self.network.biases, strict=True)
        for i, (weights, bias) in enumerate(layers, start=1):
            result |= {f"W{i}": weights, f"b{i}": bias}
        for i, (gamma, (mean, variance)) in enumerate(
            zip(self.gammas, self.running, strict=True), start=1
        ):
            named = {"gamma": gamma, "running_mean": mean, "running_variance": variance}
            result |= {f"{name}{i}": array for name, array in named.items()}
        return result
