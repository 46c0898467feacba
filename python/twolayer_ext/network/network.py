"""Network: the perceptron that the compiled core computes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from numpy.typing import ArrayLike

from twolayer_ext import _core
from twolayer_ext.engine import Techniques, Weights
from twolayer_ext.losses import CustomLoss, Loss
from twolayer_ext.names import ActivationName, DtypeName, InitName, LossArgument
from twolayer_ext.network.base import NetworkBase
from twolayer_ext.optimizers import Optimizer


class CompiledEngine:
    """The compiled core as an engine."""

    def network(self, layer_sizes: Sequence[int], activation: str, dtype: str) -> _core.Network:
        """Make a network with weights of zero."""
        return _core.Network(layer_sizes, activation, dtype)

    def loss(
        self,
        loss: Loss,
        outputs: int,
        score_scale: Weights | None,
        class_weights: Weights | None = None,
    ) -> _core.Loss:
        """Make what the core computes a loss from; a function stays in Python."""
        if isinstance(loss, CustomLoss):
            return _core.Loss("squared_error")
        parameters = loss.parameters(outputs) if class_weights is None else class_weights
        return _core.Loss(
            loss.name,
            levels=loss.outputs_per_target,
            smoothing=getattr(loss, "label_smoothing", 0.0),
            parameters=[] if parameters is None else parameters.tolist(),
            score_scale=[] if score_scale is None else score_scale.tolist(),
        )

    def trainer(
        self,
        network: _core.Network,
        *,
        optimizer: Optimizer,
        loss: _core.Loss,
        techniques: Techniques,
        reg: float,
        batch_size: int,
        threads: int,
        compute_dtype: str | None,
    ) -> _core.Trainer:
        """Make a trainer with fresh state."""
        return _core.Trainer(
            network,
            optimizer=optimizer.kernel,
            hyperparameters=optimizer.hyperparameters,
            loss=loss,
            reg=reg,
            batch_size=batch_size,
            threads=threads,
            compute_dtype=compute_dtype,
            dropout=techniques.dropout,
            batch_norm=techniques.batch_norm,
            clip_norm=techniques.clip_norm,
            augment=techniques.augment,
            seed=techniques.seed,
        )


class Network(NetworkBase):
    """A multi-layer perceptron, computed by the compiled core.

    z = a W + b for each layer, `activation` between layers; what the last layer's outputs mean, the
    loss says. The first layer reads (x - shift) / scale.

    Parameters
    ----------
    layer_sizes : sequence of int
        (D, H1, ..., K): features, hidden units of each layer, outputs: one a class for
        "cross_entropy", one a label for "logistic", else one a number, or a level of a quantile.
        (D, K) is a linear model.
    activation : str, default "relu"
        One of `activations.ACTIVATIONS`.
    loss : str, Loss or callable, default "cross_entropy"
        As `train` takes it.
    init : str or float
        "auto", "he", "glorot", "lecun", or the standard deviation of a normal draw; biases are 0.
        See `initializers.parameters`.
    dtype : {"float32", "float64"}
        Of the parameters and of all arithmetic.
    seed : int
        Decides the weights.
    normalize : None or (shift, scale)
        Numbers or vectors of length D; None leaves the input as it is.
    normalize_targets : None or (shift, scale)
        Numbers or vectors of length K: the outputs are scale * z + shift; for losses of numbers.

    Raises
    ------
    ValueError, TypeError
        An argument that is none of these; the message names it.
    """

    engine = CompiledEngine()

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: ActivationName = "relu",
        loss: LossArgument = "cross_entropy",
        init: InitName | float = "auto",
        dtype: DtypeName = "float32",
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


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network from a file that `Network.save` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Network
        Equal to the one saved, to the bit.

    Raises
    ------
    FileFormatError
        The file is broken, truncated, or something else.
    OSError
        The file cannot be read.
    """
    return Network.load(path)
