"""`Network`, `train` and `load` of the twin: those of the package, with NumPy for an engine."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from typing import Unpack

from numpy.typing import ArrayLike

from twolayer_ext import training
from twolayer_ext.engine import Engine
from twolayer_ext.network import NetworkBase
from twolayer_ext.reference.network import NumpyNetwork
from twolayer_ext.reference.trainer import NumpyTrainer
from twolayer_ext.training import TrainOptions, TrainResult
from twolayer_ext.training.options import DefaultText


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


def train(x: ArrayLike, y: ArrayLike, **options: Unpack[TrainOptions]) -> TrainResult[Network]:
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
