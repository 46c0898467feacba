"""What an engine offers: the compiled core and its NumPy twin are used through these protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.checks import Array

Rows: TypeAlias = NDArray[np.int64]
# (dW, db) of every layer, or (dW, db, dgamma) with batch normalisation.
Gradients: TypeAlias = list[tuple[Array, Array] | tuple[Array, Array, Array]]
# image_shape, whether to mirror, pixels to shift, side of the cutout
AugmentOptions: TypeAlias = tuple[tuple[int, int, int], bool, int, int]


class EngineNetwork(Protocol):
    """Parameters and input normalisation; layer i maps (N, D) to (N, H)."""

    def set_normalization(self, shift: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
        """Let the first layer read (x - shift) / scale; both of shape (D,)."""

    def layer(self, index: int) -> tuple[Array, Array]:
        """Return copies of W (D, H) and b (H,)."""

    def set_layer(self, index: int, weights: Array, bias: Array) -> None:
        """Replace W (D, H) and b (H,)."""

    def probabilities(
        self,
        x: Array,
        rows: Rows | None,
        threads: int,
        mirrored_as: tuple[int, int, int] | None = None,
    ) -> Array:
        """Return the class probabilities of x[rows], (N, C).

        With an image shape (channels, height, width), of those images mirrored left to right.
        """

    def evaluate(
        self, x: Array, y: NDArray[np.int64], rows: Rows | None, threads: int
    ) -> tuple[float, int]:
        """Return the mean data loss, form (1), and the number of right predictions."""

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
        """Return form (4) and its gradients as in the first step of training, one (dW, db) a layer.

        dropout: shares, one a hidden layer, or none. gammas: of batch normalisation, one a hidden
        layer, whose entry then is (dW, dbeta, dgamma); the bias is beta. weights: one a sample.
        """


class EngineTrainer(Protocol):
    """An optimizer with its state, bound to a network."""

    def run(
        self,
        x: Array,
        y: NDArray[np.int64],
        rows: Rows,
        learning_rates: NDArray[np.float64],
        losses: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[int, int]:
        """Train on consecutive batches of `rows`; return steps done and right predictions.

        `learning_rates` has one entry a step. One loss a step is written, form (4) on the batch
        before its update. Stops at a step whose loss is not finite, before its update; that step
        is counted. `weights` are those of all rows of x. With batch normalisation the network
        follows at `publish`.
        """

    def publish(self) -> None:
        """Fold batch normalisation, by its running statistics, into the network's parameters."""


class NetworkFactory(Protocol):
    """Makes the engine's network."""

    def __call__(self, layer_sizes: Sequence[int], activation: str, dtype: str, /) -> EngineNetwork:
        """Make one with weights of zero."""


class TrainerFactory(Protocol):
    """Makes the engine's trainer."""

    def __call__(
        self,
        network: Any,
        /,
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
    ) -> EngineTrainer:
        """Make one for an engine's own network, with fresh state.

        compute_dtype "bfloat16" rounds what products read; None is the network's dtype. dropout:
        shares, one a hidden layer, or none. clip_norm 0 clips nothing.
        """


class Engine(NamedTuple):
    """The two factories that make an engine."""

    network: NetworkFactory
    trainer: TrainerFactory
