"""NetworkBase: a multi-layer perceptron with its input normalisation, whatever engine computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import Engine, EngineNetwork, Gradients, Rows
from twolayer_ext.network import initializers, normalization, serialization, techniques
from twolayer_ext.network.serialization import NetworkState

# Work of one call into the engine, in multiply-adds: some milliseconds at most where there are
# vector instructions, so that Ctrl-C is honoured between calls, and buffers of bounded size. Not
# adapted to the clock: the sums of `evaluate` must not depend on how busy the machine is.
_WORK_AT_ONCE = 2**27
_VALUES_AT_ONCE = 2**20  # of the widest layer
_ROWS_AT_ONCE = 4096


class NetworkBase:
    """What networks of every engine share; use `Network` or `reference.Network`.

    Methods without an underscore that `Network` does not document are for the package's own use.
    """

    engine: ClassVar[Engine]
    core: EngineNetwork

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: str,
        init: str | float,
        dtype: str,
        seed: int,
        normalize: tuple[ArrayLike, ArrayLike] | None,
    ) -> None:
        sizes = checks.layer_sizes(layer_sizes)
        activation = checks.choice("activation", activation, checks.ACTIVATIONS)
        init = initializers.check(init)
        dtype = checks.dtype_name(dtype)
        seed = checks.integer("seed", seed, minimum=0)
        pair = normalization.check(normalize, features=sizes[0], dtype=dtype)
        if isinstance(pair, str):
            raise ValueError(
                f"normalize: {pair!r} needs training data; must be None or a pair (shift, scale)"
            )
        parameters = initializers.parameters(sizes, init=init, activation=activation, seed=seed)
        self._build(NetworkState(sizes, activation, dtype, *pair, parameters))

    @classmethod
    def from_state(cls, state: NetworkState) -> Self:
        """Make a network of checked parts; nothing is drawn."""
        network = cls.__new__(cls)
        network._build(state)
        return network

    def state(self) -> NetworkState:
        """Return all that the network is, as copies."""
        return NetworkState(
            self._layer_sizes,
            self._activation,
            self._dtype,
            self._shift.copy(),
            self._scale.copy(),
            self.parameters,
        )

    def _build(self, state: NetworkState) -> None:
        self._layer_sizes = state.layer_sizes
        self._activation = state.activation
        self._dtype = state.dtype
        self._shift = state.shift.copy()
        self._scale = state.scale.copy()
        self.core = self.engine.network(state.layer_sizes, state.activation, state.dtype)
        self.core.set_normalization(self._shift, self._scale)
        self.set_parameters(state.parameters)

    # pickle and copy

    def __getstate__(self) -> NetworkState:
        return self.state()

    def __setstate__(self, state: NetworkState) -> None:
        self._build(state)

    # what it is

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """(D, H1, ..., C): features, hidden units of each layer, classes."""
        return self._layer_sizes

    @property
    def activation(self) -> str:
        """Of the hidden layers: "relu", "tanh", "logistic" or "identity"."""
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

    # what it does

    def predict(
        self,
        x: ArrayLike,
        *,
        threads: int | None = None,
        average_mirrored: tuple[int, int, int] | None = None,
    ) -> NDArray[np.int64]:
        """Return the most probable class of every row; of equals, the first.

        Parameters
        ----------
        x : array_like, shape (N, D)
            Raw input, as `train` took it; the network normalises it itself.
        threads : int, optional
            Default: OMP_NUM_THREADS, else the CPUs this process may use.
        average_mirrored : (channels, height, width), optional
            Rows are images of this shape, channel after channel: let the mean of the
            probabilities for an image and for its mirror image decide.

        Returns
        -------
        ndarray of int64, shape (N,)

        Raises
        ------
        ValueError, TypeError
            `x` has another number of features, no rows, or values that are not finite numbers;
            `average_mirrored` does not make up the features.
        """
        rows, count, shape = self._check_input(x, threads, average_mirrored)
        classes = np.empty(len(rows), np.int64)
        for part in self._parts(len(rows)):
            self._probabilities(rows[part], count, shape).argmax(axis=1, out=classes[part])
        return classes

    def predict_proba(
        self,
        x: ArrayLike,
        *,
        threads: int | None = None,
        average_mirrored: tuple[int, int, int] | None = None,
    ) -> Array:
        """Return the probability of every class for every row.

        Takes and raises what `predict` does. Softmax of the logits: rows add up to 1.

        Returns
        -------
        ndarray of the network's dtype, shape (N, C)
        """
        rows, count, shape = self._check_input(x, threads, average_mirrored)
        result = np.empty((len(rows), self._layer_sizes[-1]), self._dtype)
        for part in self._parts(len(rows)):
            result[part] = self._probabilities(rows[part], count, shape)
        return result

    def _check_input(
        self, x: ArrayLike, threads: int | None, average_mirrored: tuple[int, int, int] | None
    ) -> tuple[Array, int, tuple[int, int, int] | None]:
        features = self._layer_sizes[0]
        rows = checks.as_rows(x, features=features, dtype=self._dtype)
        shape = None
        if average_mirrored is not None:
            shape = techniques.image_shape("average_mirrored", average_mirrored, features)
        return rows, checks.thread_count(threads), shape

    def _probabilities(
        self, rows: Array, threads: int, mirrored_as: tuple[int, int, int] | None
    ) -> Array:
        result = self.core.probabilities(rows, None, threads)
        if mirrored_as is not None:
            result += self.core.probabilities(rows, None, threads, mirrored_as)
            result /= 2
        return result

    def evaluate(
        self, x: ArrayLike, y: ArrayLike, *, threads: int | None = None
    ) -> tuple[float, float]:
        """Return mean loss and accuracy.

        Parameters
        ----------
        x : array_like, shape (N, D)
        y : array_like of integers, shape (N,)
            In [0, C).
        threads : int, optional
            As for `predict`.

        Returns
        -------
        loss : float
            Mean cross-entropy, form (1) of the study; without regularisation.
        accuracy : float
            Share of rows whose most probable class is y.

        Raises
        ------
        ValueError, TypeError
            As `predict`, and for labels out of range or of another type.
        """
        rows, labels = self.check_data(x, y)
        return self.evaluate_rows(rows, labels, None, checks.thread_count(threads))

    def loss_and_gradients(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        reg: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        gammas: Sequence[ArrayLike] | None = None,
        label_smoothing: float = 0.0,
        sample_weight: ArrayLike | None = None,
        seed: int = 0,
        threads: int | None = None,
    ) -> tuple[float, Gradients]:
        """Return the regularised loss on one batch, and its gradients.

        Parameters
        ----------
        x : array_like, shape (N, D)
        y : array_like of integers, shape (N,)
        reg : float
            λ: the loss is J + λ Σ ‖W‖², without a factor 1/2 and without the biases; the
            gradient of W holds 2 λ W. Form (4) of the study.
        dropout, label_smoothing, sample_weight
            As `train` takes them.
        gammas : sequence of array_like, optional
            With it the hidden layers are normalised over the batch, as in `train` with
            ``batch_norm=True``; these are their factors γ, of shape (H,), and the biases are β.
        seed : int, default 0
            Decides what is dropped.
        threads : int, optional
            As for `predict`.

        Returns
        -------
        loss : float
        gradients : list of (dW, db)
            Shapes (D, H) and (H,), in the network's dtype; with `gammas`, (dW, db, dγ) for
            hidden layers.

        Raises
        ------
        ValueError, TypeError
            As `evaluate`; `reg` negative.
        """
        rows, labels = self.check_data(x, y)
        return self.core.loss_and_gradients(
            rows,
            labels,
            checks.number("reg", reg, minimum=0),
            checks.thread_count(threads),
            dropout=techniques.dropout_shares(dropout, len(self._layer_sizes) - 2),
            gammas=None if gammas is None else self.check_gammas(gammas),
            label_smoothing=checks.number("label_smoothing", label_smoothing, minimum=0, below=1),
            weights=techniques.sample_weights(
                sample_weight, None, labels, np.arange(len(labels)), self._layer_sizes[-1]
            ),
            seed=checks.integer("seed", seed, minimum=0) % 2**64,
        )

    def check_gammas(self, values: Sequence[ArrayLike]) -> list[Array]:
        """Return factors of batch normalisation as the engine reads them."""
        hidden = self._layer_sizes[1:-1]
        if not isinstance(values, Sequence):
            raise TypeError(f"gammas: {type(values).__name__}; must be a sequence of arrays")
        if len(values) != len(hidden):
            raise ValueError(
                f"gammas: {len(values)} arrays; must be one for each of the {len(hidden)} "
                "hidden layers"
            )
        return [
            self._parameter(f"gammas[{i}]", value, (size,))
            for i, (value, size) in enumerate(zip(values, hidden, strict=True))
        ]

    def check_data(
        self, x: ArrayLike, y: ArrayLike, *, names: tuple[str, str] = ("x", "y")
    ) -> tuple[Array, NDArray[np.int64]]:
        """Return x and y as the engine reads them, checked against the network's sizes."""
        rows = checks.as_rows(x, features=self._layer_sizes[0], dtype=self._dtype, name=names[0])
        labels = checks.as_labels(y, rows=len(rows), classes=self._layer_sizes[-1], name=names[1])
        return rows, labels

    def evaluate_rows(
        self,
        x: Array,
        y: NDArray[np.int64],
        rows: Rows | None,
        threads: int,
        watch: Callable[[], None] | None = None,
    ) -> tuple[float, float]:
        """`evaluate` on x[rows], y[rows] of checked arrays; None takes all.

        `watch` is called before each call of the engine; what it raises ends the evaluation.
        """
        count = len(x) if rows is None else len(rows)
        loss, correct = 0.0, 0
        for part in self._parts(count):
            if watch is not None:
                watch()
            if rows is None:
                mean, right = self.core.evaluate(x[part], y[part], None, threads)
            else:
                mean, right = self.core.evaluate(x, y, rows[part], threads)
            loss += mean * (part.stop - part.start)
            correct += right
        return loss / count, correct / count

    def _parts(self, rows: int) -> Iterator[slice]:
        sizes = self._layer_sizes
        weights = sum(a * b for a, b in pairwise(sizes))
        step = min(_ROWS_AT_ONCE, _WORK_AT_ONCE // weights, _VALUES_AT_ONCE // max(sizes))
        step = max(16, step)
        for start in range(0, rows, step):
            yield slice(start, min(start + step, rows))

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
        return self.from_state(state)

    def __repr__(self) -> str:
        in_reference = type(self).__module__.startswith("twolayer_ext.reference.")
        module = "reference." if in_reference else ""
        return (
            f"{module}{type(self).__name__}(layer_sizes={self._layer_sizes}, "
            f"activation={self._activation!r}, dtype={self._dtype!r})"
        )
