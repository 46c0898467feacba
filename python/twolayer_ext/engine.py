"""What an engine offers: the compiled core and its NumPy twin are used through these protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array
from twolayer_ext.losses import Loss
from twolayer_ext.optimizers import Optimizer
from twolayer_ext.rows import Rows

RowNumbers: TypeAlias = NDArray[np.int64]
Weights: TypeAlias = NDArray[np.float64]
ImageShape: TypeAlias = tuple[int, int, int]
# (dW, db) of every layer, or (dW, db, dgamma) with batch normalisation.
Gradients: TypeAlias = list[tuple[Array, Array] | tuple[Array, Array, Array]]
# image_shape, whether to mirror, pixels to shift, side of the cutout
AugmentOptions: TypeAlias = tuple[ImageShape, bool, int, int]


@dataclass(frozen=True)
class Techniques:
    """Techniques of training beside the optimizer, checked.

    Attributes
    ----------
    dropout : tuple of float
        Shares of the hidden layers' outputs that are left out, one a layer, or none.
    batch_norm : bool
    clip_norm : float
        Largest norm of all gradients together; 0: any.
    augment : AugmentOptions or None
    seed : int
        Of what is drawn in a step.
    """

    dropout: tuple[float, ...] = ()
    batch_norm: bool = False
    clip_norm: float = 0.0
    augment: AugmentOptions | None = None
    seed: int = 0


class EngineNetwork(Protocol):
    """Parameters, the input's normalisation, the outputs' scaling; layer i maps (N, D) to (N, H).

    Targets are int64 class indices (N,) or numbers (N, columns), as the loss takes them. `rows`
    are numbers of rows of x; None takes all. `loss` is what the engine's own `loss` has made.
    """

    def set_normalization(self, shift: Weights, scale: Weights) -> None:
        """Let the first layer read (x - shift) / scale; both of shape (D,)."""

    def set_output_scaling(self, shift: Weights, scale: Weights) -> None:
        """Let the outputs be scale * z + shift, with z of the last layer; both of shape (K,)."""

    def layer(self, index: int) -> tuple[Array, Array]:
        """Return copies of W (D, H) and b (H,)."""

    def set_layer(self, index: int, weights: Array, bias: Array) -> None:
        """Replace W (D, H) and b (H,)."""

    def forward(
        self,
        x: Rows,
        rows: RowNumbers | None,
        threads: int,
        mirrored_as: ImageShape | None = None,
        compute_dtype: str | None = None,
    ) -> Array:
        """Return the outputs (N, K) of x[rows].

        With an image shape (channels, height, width), of those images mirrored left to right.
        compute_dtype: None, or "bfloat16" for rounded operands.
        """

    def predictions(
        self,
        x: Rows,
        rows: RowNumbers | None,
        loss: Any,
        threads: int,
        mirrored_as: ImageShape | None = None,
        compute_dtype: str | None = None,
    ) -> Array:
        """Return what the loss takes the outputs for (N, K): probabilities, means, values."""

    def infer(
        self, x: Array, loss: Any, largest: bool, threads: int, compute_dtype: str | None = None
    ) -> Array | None:
        """Return what there is to know of an array that may be anything, or None.

        The outputs (N, K), with a loss what it takes them for, or with `largest` the numbers (N,)
        of the largest. None unless x is (N, D) of finite numbers that the engine reads as they
        are: then there is more to do or to say about it. threads: 0 for the default.
        """

    def evaluate(
        self, x: Rows, targets: Array, rows: RowNumbers | None, loss: Any, threads: int
    ) -> tuple[float, float]:
        """Return the means of loss and score."""

    def loss_and_gradients(
        self,
        x: Rows,
        targets: Array,
        loss: Any,
        reg: float,
        threads: int,
        *,
        dropout: Sequence[float] = (),
        gammas: Sequence[Array] | None = None,
        weights: Weights | None = None,
        seed: int = 0,
    ) -> tuple[float, Gradients]:
        """Return form (4) and its gradients as in the first step of training, one (dW, db) a layer.

        dropout: shares, one a hidden layer, or none. gammas: of batch normalisation, one a hidden
        layer, whose entry then is (dW, dbeta, dgamma); the bias is beta. weights: one a sample.
        """

    def gradients(self, x: Rows, doutputs: Array, threads: int) -> Gradients:
        """Return the gradients of Σ doutputs * outputs, one (dW, db) a layer."""


class EngineTrainer(Protocol):
    """An optimizer with its state, bound to a network."""

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
        """Train on consecutive batches of `rows`; return steps done and the sum of scores.

        `learning_rates` has one entry a step. One loss a step is written, form (4) on the batch
        before its update. Stops at a step whose loss is not finite, before its update; that step
        is counted. `weights` are those of all rows of x. Each step's sum of scores is written to
        `scores` before its loss: both are there after an exception, which tells no sum. With
        batch normalisation the network follows at `publish`.
        """

    def begin(self, x: Rows, rows: RowNumbers) -> Array:
        """Do the first half of a step, on one batch; return its outputs (n, K)."""

    def finish(
        self,
        x: Rows,
        rows: RowNumbers,
        losses: Array,
        doutputs: Array,
        learning_rate: float,
        weights: Weights | None = None,
    ) -> float:
        """Do the other half on the same batch, with each sample's loss and its gradient (n, K).

        Returns the step's loss as `run` has it; where that is not finite nothing is updated.
        """

    def publish(self) -> None:
        """Fold batch normalisation, by its running statistics, into the network's parameters."""

    def state(self) -> dict[str, Any]:
        """Return copies of what the optimizer keeps, by name.

        With batch normalisation also "W1", "b1", ..., which the network does not have before they
        are folded, "gamma1", "running_mean1" and "running_variance1", ...
        """

    def set_state(self, state: dict[str, Any]) -> None:
        """Replace it, to the bit, or, on an error, nothing."""


class Engine(Protocol):
    """Makes networks, losses and trainers."""

    def network(self, layer_sizes: Sequence[int], activation: str, dtype: str) -> EngineNetwork:
        """Make one with weights of zero."""

    def loss(
        self,
        loss: Loss,
        outputs: int,
        score_scale: Weights | None,
        class_weights: Weights | None = None,
    ) -> Any:
        """Make what this engine computes `loss` from, for that many outputs.

        `class_weights` (K,), of cross-entropy, weigh each class's part of a smoothed label; a
        batch's mean is then divided by the sum of its samples' weights times their labels'.
        """

    def trainer(
        self,
        network: Any,
        *,
        optimizer: Optimizer,
        loss: Any,
        techniques: Techniques,
        reg: float,
        batch_size: int,
        threads: int,
        compute_dtype: str | None,
    ) -> EngineTrainer:
        """Make one for an engine's own network, with fresh state.

        compute_dtype "bfloat16" rounds what products read; None is the network's dtype.
        """
