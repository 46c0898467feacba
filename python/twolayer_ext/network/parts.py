"""NetworkParts: what a network is, as it is made, copied, pickled, saved and loaded."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks, losses
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import Engine, EngineNetwork
from twolayer_ext.errors import NetworkBusyError
from twolayer_ext.losses import Loss, Task
from twolayer_ext.network import initializers, normalization, serialization
from twolayer_ext.network.serialization import NetworkState


class NetworkParts:
    """Layers, parameters, normalisation and task of a network of any engine."""

    engine: ClassVar[Engine]
    core: EngineNetwork

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: str,
        loss: object,
        init: str | float,
        dtype: str,
        seed: int,
        normalize: tuple[ArrayLike, ArrayLike] | None,
        normalize_targets: tuple[ArrayLike, ArrayLike] | None,
    ) -> None:
        sizes = checks.layer_sizes(layer_sizes)
        activation = checks.choice("activation", activation, tuple(ACTIVATIONS))
        task = losses.task_of(losses.make(loss), sizes[-1])
        init = initializers.check(init)
        dtype = checks.dtype_name(dtype)
        seed = checks.integer("seed", seed, minimum=0)
        pair = normalization.check(normalize, features=sizes[0], dtype=dtype)
        if isinstance(pair, str):
            raise ValueError(
                f"normalize: {pair!r} needs training data; must be None or a pair (shift, scale)"
            )
        scaling = normalization.check_targets(
            normalize_targets, loss=task.loss, outputs=sizes[-1], dtype=dtype
        )
        parameters = initializers.parameters(sizes, init=init, activation=activation, seed=seed)
        self._build(NetworkState(sizes, activation, dtype, *pair, parameters, task, *scaling))

    @classmethod
    def from_state(cls, state: NetworkState) -> Self:
        """Make a network of checked parts; nothing is drawn."""
        network = cls.__new__(cls)
        network._build(state)
        return network

    @contextmanager
    def in_training(self) -> Iterator[None]:
        """Keep other trainings of this network out of the block.

        Raises
        ------
        NetworkBusyError
            The network is in such a block already, in any thread.
        """
        if not self._trained.acquire(blocking=False):
            raise NetworkBusyError(
                "network: is being trained; must be trained by one call at a time, a copy.copy of "
                "it by another"
            )
        try:
            yield
        finally:
            self._trained.release()

    def state(self) -> NetworkState:
        """Return all that the network is, as copies."""
        return NetworkState(
            self._layer_sizes,
            self._activation,
            self._dtype,
            self._shift.copy(),
            self._scale.copy(),
            self.parameters,
            self.task,
            self._output_shift.copy(),
            self._output_scale.copy(),
            self._feature_names,
        )

    def _build(self, state: NetworkState) -> None:
        self._trained = threading.Lock()
        self._layer_sizes = state.layer_sizes
        self._activation = state.activation
        self._dtype = state.dtype
        self._shift = state.shift.copy()
        self._scale = state.scale.copy()
        self._output_shift = state.output_shift.copy()
        self._output_scale = state.output_scale.copy()
        self._feature_names = state.feature_names
        self.task: Task = state.task
        self._prepared: tuple[Task, Any] | None = None  # the task, and its loss for the engine
        self.core = self.engine.network(state.layer_sizes, state.activation, state.dtype)
        self.core.set_normalization(self._shift, self._scale)
        if self._output_shift.any() or (self._output_scale != 1).any():
            self.core.set_output_scaling(self._output_shift, self._output_scale)
        self.set_parameters(state.parameters)

    # pickle and copy

    def __getstate__(self) -> NetworkState:
        return self.state()

    def __setstate__(self, state: NetworkState) -> None:
        self._build(state)

    # what it is

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """(D, H1, ..., K): features, hidden units of each layer, outputs."""
        return self._layer_sizes

    @property
    def activation(self) -> str:
        """Of the hidden layers, by its name in `activations.ACTIVATIONS`."""
        return self._activation

    @property
    def dtype(self) -> str:
        """Of the parameters and of all arithmetic: "float32" or "float64"."""
        return self._dtype

    @property
    def shift(self) -> NDArray[np.float64]:
        """Subtracted from the input; shape (D,), a copy."""
        return self._shift.copy()

    @property
    def scale(self) -> NDArray[np.float64]:
        """The shifted input is divided by it; shape (D,), a copy."""
        return self._scale.copy()

    @property
    def output_shift(self) -> NDArray[np.float64]:
        """Added to the scaled output of the last layer; shape (K,), a copy."""
        return self._output_shift.copy()

    @property
    def output_scale(self) -> NDArray[np.float64]:
        """The output of the last layer is multiplied by it; shape (K,), a copy."""
        return self._output_scale.copy()

    @property
    def loss(self) -> Loss:
        """What the network is trained and judged by; its `name` says which."""
        return self.task.loss

    @property
    def score_name(self) -> str:
        """What `evaluate` returns beside the loss: "accuracy", "r2", or "" where none is known."""
        return self.task.loss.score_name

    @property
    def classes(self) -> Array | None:
        """The labels, ascending, as `predict` gives them; None where there are none."""
        return None if self.task.classes is None else self.task.classes.copy()

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the columns of x, where a frame gave them."""
        return self._feature_names

    @property
    def parameters(self) -> Parameters:
        """[(W, b), ...], one pair a layer, copies of shape (D, H) and (H,) in the dtype."""
        return [self.core.layer(i) for i in range(len(self._layer_sizes) - 1)]

    def set_parameters(self, parameters: Sequence[tuple[ArrayLike, ArrayLike]]) -> None:
        """Replace all weights and biases, or, on an error, none.

        Parameters
        ----------
        parameters : sequence of (W, b)
            Shapes (D, H) and (H,), one pair a layer; converted to the network's dtype.

        Raises
        ------
        ValueError
            Wrong number of layers, wrong shape, a value that is not finite in the dtype.
        TypeError
            Not real numbers, or no sequence of pairs.
        """
        layers = len(self._layer_sizes) - 1
        if not isinstance(parameters, Sequence):
            raise TypeError(
                f"parameters: {type(parameters).__name__}; must be a sequence of pairs (W, b)"
            )
        if len(parameters) != layers:
            raise ValueError(f"parameters: {len(parameters)} pairs (W, b); must be {layers}")
        ready = []
        for i, pair in enumerate(parameters):
            if not isinstance(pair, Sequence):
                raise TypeError(f"parameters[{i}]: {type(pair).__name__}; must be a pair (W, b)")
            if len(pair) != 2:
                raise ValueError(f"parameters[{i}]: {len(pair)} arrays; must be a pair (W, b)")
            fan_in, fan_out = self._layer_sizes[i : i + 2]
            weights = self._parameter(f"parameters[{i}][0]", pair[0], (fan_in, fan_out))
            bias = self._parameter(f"parameters[{i}][1]", pair[1], (fan_out,))
            ready.append((weights, bias))
        for i, (weights, bias) in enumerate(ready):
            self.core.set_layer(i, weights, bias)

    def _parameter(self, name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
        array = checks.as_array(value, name)
        if array.dtype.kind not in "iuf":
            raise TypeError(f"{name}: type {array.dtype}; must be real numbers")
        if array.shape != shape:
            raise ValueError(f"{name}: shape {array.shape}; must be {shape}")
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype=self._dtype)
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: a value is not finite in {self._dtype}")
        return array

    # files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to `path`, an .npz, whole or not at all.

        Raises
        ------
        ValueError, OSError
            A parameter is not finite; the file cannot be written.
        """
        serialization.write(path, self.state())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network that `save` wrote; see `twolayer_ext.load`."""
        return cls.from_state(serialization.read(path))

    def astype(self, dtype: str) -> Self:
        """Return a copy that computes in `dtype`; ValueError if a value is unusable there."""
        state = replace(self.state(), dtype=checks.dtype_name(dtype))
        normalization.check_vectors(state.shift, state.scale, state.dtype)
        normalization.check_vectors(state.output_shift, state.output_scale, state.dtype)
        return self.from_state(state)
