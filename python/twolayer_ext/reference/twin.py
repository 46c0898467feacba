"""`Network`, `train` and `load` of the twin: those of the package, with NumPy for an engine."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from typing import Unpack

from numpy.typing import ArrayLike

from twolayer_ext import training
from twolayer_ext.engine import Techniques, Weights
from twolayer_ext.losses import Loss
from twolayer_ext.names import ActivationName, DtypeName, InitName, LossArgument
from twolayer_ext.network import NetworkBase
from twolayer_ext.optimizers import Optimizer
from twolayer_ext.reference.network import NumpyNetwork, TwinLoss
from twolayer_ext.reference.trainer import NumpyTrainer
from twolayer_ext.training import TrainOptions, TrainResult
from twolayer_ext.unset import UNSET


class NumpyEngine:
    """The twin as an engine."""

    def network(self, layer_sizes: Sequence[int], activation: str, dtype: str) -> NumpyNetwork:
        """Make a network with weights of zero."""
        return NumpyNetwork(layer_sizes, activation, dtype)

    def loss(
        self,
        loss: Loss,
        outputs: int,
        score_scale: Weights | None,
        class_weights: Weights | None = None,
    ) -> TwinLoss:
        """Make what the twin computes a loss from: the loss itself."""
        return TwinLoss(loss, score_scale, class_weights)

    def trainer(
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
    ) -> NumpyTrainer:
        """Make a trainer with fresh state."""
        return NumpyTrainer(
            network,
            optimizer=optimizer,
            loss=loss,
            techniques=techniques,
            reg=reg,
            batch_size=batch_size,
            threads=threads,
            compute_dtype=compute_dtype,
        )


class Network(NetworkBase):
    """The twin of `twolayer_ext.Network`: same arguments and methods, float64 by default.

    `threads` is checked and then left to NumPy's own products.
    """

    engine = NumpyEngine()

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: ActivationName = "relu",
        loss: LossArgument = "cross_entropy",
        init: InitName | float = "auto",
        dtype: DtypeName = "float64",
        seed: int = 0,
        normalize: tuple[ArrayLike, ArrayLike] | None = None,
        normalize_targets: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        super().__init__(
            layer_sizes,
            activation=activation,
            loss=loss,
            init=init,
            dtype=dtype,
            seed=seed,
            normalize=normalize,
            normalize_targets=normalize_targets,
        )


def train(x: ArrayLike, y: ArrayLike, **options: Unpack[TrainOptions]) -> TrainResult[Network]:
    """Train as `twolayer_ext.train` does, with the same arguments; `dtype` is float64 by default.

    The same seed gives the same initial weights and the same batches as there.
    """
    if unknown := options.keys() - training.DEFAULTS.keys():
        raise TypeError(f"train() got an unexpected keyword argument {min(unknown)!r}")
    chosen: TrainOptions = {**training.DEFAULTS, **options}
    if chosen["dtype"] is UNSET and chosen["network"] is None and chosen["resume"] is None:
        chosen["dtype"] = "float64"
    return training.fit(Network, x, y, chosen)


def load(path: str | os.PathLike[str]) -> Network:
    """Read a file that either `Network.save` wrote; see `twolayer_ext.load`."""
    return Network.load(path)


train.__signature__ = inspect.signature(training.train)  # type: ignore[attr-defined]
