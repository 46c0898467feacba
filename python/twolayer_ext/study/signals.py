"""How large the signal is in each layer of a fresh net, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twolayer_ext import recipes, reference
from twolayer_ext.checks import Array
from twolayer_ext.datasets.split import Split
from twolayer_ext.names import InitName
from twolayer_ext.network import NetworkBase

_IMAGES = 1000


@dataclass(frozen=True)
class Signal:
    """Of one net before training.

    Attributes
    ----------
    outputs : list of float
        Standard deviation of the input, of each layer's activations, and of the logits.
    gradients : list of float
        Root of the mean square of each weight matrix's gradient of the loss.
    decays : list of float
        The same of what weight decay adds to it.
    """

    outputs: list[float]
    gradients: list[float]
    decays: list[float]


def fresh_signal(data: Split, hidden: tuple[int, ...], init: InitName | float) -> Signal:
    """Measure a new net of the study's second part on the first training images, in float64."""
    options = recipes.study_adam(hidden, init=init)
    network = reference.Network(
        (data.training.x.shape[1], *hidden, len(data.training.class_names)),
        init=init,
        normalize=options["normalize"],  # type: ignore[arg-type]
    )
    x, y = data.training.x[:_IMAGES], data.training.y[:_IMAGES]
    core = network.core
    assert isinstance(core, reference.NumpyNetwork)
    outputs = core.layers(core.normalized(x, None))
    _, gradients = network.loss_and_gradients(x, y)
    decay = options["weight_decay"] or 0.0
    return Signal(
        outputs=[float(np.std(values)) for values in outputs],
        gradients=[_root_mean_square(of_layer[0]) for of_layer in gradients],
        decays=[decay * size for size in weight_sizes(network)],
    )


def weight_sizes(network: NetworkBase) -> list[float]:
    """Root of the mean square of each weight matrix."""
    return [_root_mean_square(weights) for weights, _ in network.parameters]


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
