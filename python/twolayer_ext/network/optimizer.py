"""Optimizer: for training loops of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Unpack

import numpy as np
from numpy.typing import ArrayLike

from twolayer_ext import _core, checks, optimizers
from twolayer_ext.checks import Array
from twolayer_ext.network.base import NetworkBase
from twolayer_ext.optimizers import OptimizerKeywords


class Optimizer:
    """Updates a network's parameters with gradients that the caller brings.

    Parameters
    ----------
    network : Network or reference.Network
        Its parameters change with every step.
    optimizer : str or object of `twolayer_ext.optimizers`, default "adam"
        "sgd", "adam", "adamw", "lion" or "rmsprop".
    learning_rate : float above 0, optional
        Default: the optimizer's own.
    **keywords
        Hyper-parameters of an optimizer given by its name, as `train` takes them: `momentum`,
        `nesterov`, `betas`, `epsilon`, `weight_decay`, `alpha`, `centred`.

    Raises
    ------
    ValueError, TypeError
        An unknown optimizer, a hyper-parameter that it does not have, or one out of its range.

    Examples
    --------
    >>> import twolayer_ext as tl
    >>> digits = tl.datasets.load_digits()
    >>> network = tl.Network((64, 32, 10))
    >>> optimizer = Optimizer(network, "adam", learning_rate=0.01)
    >>> loss, gradients = network.loss_and_gradients(digits.x, digits.y)
    >>> optimizer.step(gradients)
    """

    def __init__(
        self,
        network: NetworkBase,
        optimizer: str | optimizers.Optimizer = "adam",
        *,
        learning_rate: float | None = None,
        **keywords: Unpack[OptimizerKeywords],
    ) -> None:
        if not isinstance(network, NetworkBase):
            raise TypeError(f"network: {checks.shown(network)}; must be a Network")
        self._description = optimizers.make(optimizer, **keywords)
        self._description.check_dtype(network.dtype)
        self._learning_rate = self._description.learning_rate
        if learning_rate is not None:
            self._learning_rate = checks.number("learning_rate", learning_rate, above=0)
        self._network = network
        self._engine = _engine(network, self._description)

    @property
    def description(self) -> optimizers.Optimizer:
        """The optimizer with all its hyper-parameters."""
        return self._description

    @property
    def learning_rate(self) -> float:
        """Of steps that are given none of their own."""
        return self._learning_rate

    def step(
        self,
        gradients: Sequence[Sequence[ArrayLike]],
        learning_rate: float | None = None,
    ) -> None:
        """Update the network's parameters, or, on an error, nothing.

        Parameters
        ----------
        gradients : sequence of (dW, db)
            Of shapes (D, H) and (H,), one pair a layer, as `Network.loss_and_gradients` returns
            them; converted to the network's dtype.
        learning_rate : float from 0 on, optional
            Of this step.

        Raises
        ------
        ValueError
            Wrong number of layers, wrong shape, a value that is not finite in the dtype.
        TypeError
            Not real numbers, or no sequence of pairs.
        """
        rate = self._learning_rate
        if learning_rate is not None:
            rate = checks.number("learning_rate", learning_rate, minimum=0)
        sizes = self._network.layer_sizes
        layers = len(sizes) - 1
        if not isinstance(gradients, Sequence):
            raise TypeError(
                f"gradients: {type(gradients).__name__}; must be a sequence of pairs (dW, db)"
            )
        if len(gradients) != layers:
            raise ValueError(f"gradients: {len(gradients)} pairs (dW, db); must be {layers}")
        ready = []
        for i, pair in enumerate(gradients):
            if not isinstance(pair, Sequence):
                raise TypeError(f"gradients[{i}]: {type(pair).__name__}; must be a pair (dW, db)")
            if len(pair) != 2:
                raise ValueError(f"gradients[{i}]: {len(pair)} arrays; must be a pair (dW, db)")
            weights = self._gradient(f"gradients[{i}][0]", pair[0], sizes[i : i + 2])
            bias = self._gradient(f"gradients[{i}][1]", pair[1], sizes[i + 1 : i + 2])
            ready.append((weights, bias))
        self._engine.step(ready, rate)

    def _gradient(self, name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
        array = checks.as_array(value, name)
        if array.dtype.kind not in "iuf":
            raise TypeError(f"{name}: type {array.dtype}; must be real numbers")
        if array.shape != shape:
            raise ValueError(f"{name}: shape {array.shape}; must be {shape}")
        dtype = self._network.dtype
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype=dtype)
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: a value is not finite in {dtype}; must all be finite")
        return array

    def state(self) -> dict[str, Any]:
        """Return copies of all that the optimizer keeps, besides the parameters.

        Returns
        -------
        dict
            "steps": int; "powers": pair of floats, running products of hyper-parameters; and
            arrays such as "W1.first_moment" and "b1.first_moment", of their parameter's shape and
            dtype, layers counted from 1. Hyper-parameters and learning rate are not in it.
        """
        return self._engine.state()

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned, to the bit; on an error, nothing is changed.

        Raises
        ------
        TypeError
            No mapping, or no numbers in it.
        ValueError
            The state of another optimizer, or for a network of other sizes or another dtype.
        """
        parameters = dict(zip(*_named(self._network.parameters), strict=True))
        self._engine.set_state(optimizers.check_state(state, self._description, parameters))


class _Engine(Protocol):
    def step(self, gradients: list[tuple[Array, Array]], learning_rate: float) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def set_state(self, state: dict[str, Any]) -> None: ...


class _ReadableCore(Protocol):
    """The twin's network."""

    weights: list[Array]
    biases: list[Array]


def _engine(network: NetworkBase, description: optimizers.Optimizer) -> _Engine:
    core: Any = network.core
    if isinstance(core, _core.Network):
        return _core.Optimizer(core, description.kernel, description.hyperparameters)
    return _TwinEngine(core, description)


class _TwinEngine:
    """What the core's optimizer is, for the twin's networks."""

    def __init__(self, core: _ReadableCore, description: optimizers.Optimizer) -> None:
        names, self.parameters = _named(list(zip(core.weights, core.biases, strict=True)))
        self.twin = description.twin(self.parameters, names)
        self.state = self.twin.state
        self.set_state = self.twin.set_state

    def step(self, gradients: list[tuple[Array, Array]], learning_rate: float) -> None:
        self.twin.step(self.parameters, _named(gradients)[1], learning_rate)


def _named(pairs: Sequence[tuple[Array, Array]]) -> tuple[list[str], list[Array]]:
    """Return the names W1, b1, W2, ... and the arrays in that order."""
    names = [f"{kind}{layer + 1}" for layer in range(len(pairs)) for kind in "Wb"]
    return names, [array for pair in pairs for array in pair]
