"""NetworkBase: a multi-layer perceptron and what its outputs mean, whatever engine computes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks, frames, losses
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import Engine, EngineNetwork, Gradients, ImageShape
from twolayer_ext.losses import Loss, Task
from twolayer_ext.network import initializers, normalization, scoring, serialization, techniques
from twolayer_ext.network.serialization import NetworkState
from twolayer_ext.rows import Rows, as_rows, part


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
        self._layer_sizes = state.layer_sizes
        self._activation = state.activation
        self._dtype = state.dtype
        self._shift = state.shift.copy()
        self._scale = state.scale.copy()
        self._output_shift = state.output_shift.copy()
        self._output_scale = state.output_scale.copy()
        self._feature_names = state.feature_names
        self.task: Task = state.task
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

    # what it does

    def forward(self, x: ArrayLike, *, threads: int | None = None) -> Array:
        """Return the outputs of the last layer, before the loss makes predictions of them.

        The first half of a training step of your own; `gradients` is the other.

        Parameters
        ----------
        x : array_like, frame or sparse matrix, shape (N, D)
            Raw input, as `train` took it; the network normalises it itself.
        threads : int, optional
            Default: OMP_NUM_THREADS, else the CPUs this process may use.

        Returns
        -------
        ndarray of the network's dtype, shape (N, K)
            Logits of classifiers; values in the targets' units.

        Raises
        ------
        ValueError, TypeError
            `x` has another number of features, no rows, or values that are not finite numbers.
        """
        return self._outputs(self._rows(x), checks.thread_count(threads), None, of_loss=False)

    def predict(
        self,
        x: ArrayLike,
        *,
        threads: int | None = None,
        average_mirrored: ImageShape | None = None,
    ) -> Array:
        """Return the class of every row, its labels, or its values: what y held in training.

        Parameters
        ----------
        x : array_like, frame or sparse matrix, shape (N, D)
            Raw input, as `train` took it; the network normalises it itself. A frame's columns may
            stand in any order.
        threads : int, optional
            Default: OMP_NUM_THREADS, else the CPUs this process may use.
        average_mirrored : (channels, height, width), optional
            Rows are images of this shape, channel after channel: let the mean of the
            predictions for an image and for its mirror image decide.

        Returns
        -------
        ndarray
            Labels (N,) of the largest outputs, of equals the first, in the dtype of the training
            labels; 0 or 1 (N, K) for a matrix of labels; numbers (N,) or (N, columns), with one
            more axis for the levels of quantiles.

        Raises
        ------
        ValueError, TypeError
            `x` has another number of features, no rows, or values that are not finite numbers;
            `average_mirrored` does not make up the features.
        """
        shape = self._image_shape(average_mirrored)
        rows, count = self._rows(x), checks.thread_count(threads)
        if self.task.loss.score_name == "accuracy" and shape is None:
            return self.task.decode(self._outputs(rows, count, None, of_loss=False), even=0.0)
        return self.task.decode(self._outputs(rows, count, shape, of_loss=True))

    def predict_proba(
        self,
        x: ArrayLike,
        *,
        threads: int | None = None,
        average_mirrored: ImageShape | None = None,
    ) -> Array:
        """Return the probability of every class, or of every label of a matrix, for every row.

        Takes and raises what `predict` does, and ValueError where the loss has no probabilities.

        Returns
        -------
        ndarray of the network's dtype, shape (N, C) or (N, K)
        """
        if not self.task.loss.has_probabilities:
            self.task.probabilities(np.empty((0, self._layer_sizes[-1])))
        shape = self._image_shape(average_mirrored)
        outputs = self._outputs(self._rows(x), checks.thread_count(threads), shape, of_loss=True)
        return self.task.probabilities(outputs)

    def evaluate(
        self, x: ArrayLike, y: ArrayLike, *, threads: int | None = None
    ) -> tuple[float, float]:
        """Return mean loss and score.

        Parameters
        ----------
        x : array_like, frame or sparse matrix, shape (N, D)
        y : array_like, shape (N,) or (N, columns)
            As in training.
        threads : int, optional
            As for `predict`.

        Returns
        -------
        loss : float
            Mean of the loss, without regularisation and label smoothing.
        score : float
            What `score_name` says: "accuracy", the share of rows whose predicted labels are all
            right, or "r2", R² averaged over the columns (nan where a column is constant); nan where
            nothing is known.

        Raises
        ------
        ValueError, TypeError
            As `predict`, and for y that the training did not know or of another type.
        """
        rows, targets = self.check_data(x, y)
        return scoring.evaluate(self, rows, targets, None, checks.thread_count(threads))

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
        x : array_like, frame or sparse matrix, shape (N, D)
        y : array_like, shape (N,) or (N, columns)
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
            As `evaluate`; `reg` negative; `dropout` or `gammas` with a loss that is a function.
        """
        rows, targets = self.check_data(x, y)
        return scoring.loss_and_gradients(
            self,
            rows,
            targets,
            reg=checks.number("reg", reg, minimum=0),
            threads=checks.thread_count(threads),
            dropout=techniques.dropout_shares(dropout, len(self._layer_sizes) - 2),
            gammas=None if gammas is None else self.check_gammas(gammas),
            label_smoothing=label_smoothing,
            weights=techniques.sample_weights(
                sample_weight, None, self.task, targets, np.arange(len(rows))
            ),
            seed=checks.integer("seed", seed, minimum=0) % 2**64,
        )

    def gradients(
        self, x: ArrayLike, doutputs: ArrayLike, *, threads: int | None = None
    ) -> Gradients:
        """Return the gradients of Σ doutputs · outputs with respect to all parameters.

        The other half of a training step of your own: with doutputs the gradient of any loss at
        what `forward` returned, these are the loss's gradients; `Optimizer.step` takes them.

        Parameters
        ----------
        x : array_like, frame or sparse matrix, shape (N, D)
            The rows that `forward` was called with.
        doutputs : array_like of real numbers, shape (N, K)
        threads : int, optional
            As for `predict`.

        Returns
        -------
        list of (dW, db)
            Shapes (D, H) and (H,), in the network's dtype.

        Raises
        ------
        ValueError, TypeError
            As `forward`; `doutputs` of another shape or not finite.
        """
        rows = self._rows(x)
        gradient = self._parameter("doutputs", doutputs, (len(rows), self._layer_sizes[-1]))
        return self.core.gradients(rows, gradient, checks.thread_count(threads))

    def _rows(self, x: Any, name: str = "x") -> Rows:
        ordered = frames.in_order(x, self._feature_names, name)
        return as_rows(ordered, features=self._layer_sizes[0], dtype=self._dtype, name=name)

    def _image_shape(self, average_mirrored: ImageShape | None) -> ImageShape | None:
        if average_mirrored is None:
            return None
        features = self._layer_sizes[0]
        return techniques.image_shape("average_mirrored", average_mirrored, features)

    def _outputs(
        self, rows: Rows, threads: int, mirrored_as: ImageShape | None, *, of_loss: bool
    ) -> Array:
        """Return outputs (N, K), or with `of_loss` what the loss makes of them."""
        if mirrored_as is not None and not isinstance(rows, np.ndarray):
            raise ValueError("average_mirrored: with a sparse matrix; must be None")
        result = np.empty((len(rows), self._layer_sizes[-1]), self._dtype)
        loss = self.engine.loss(self.task.loss, self._layer_sizes[-1], None)
        for chosen in scoring.parts(self._layer_sizes, len(rows)):
            block = part(rows, chosen)
            if not of_loss:
                result[chosen] = self.core.forward(block, None, threads)
                continue
            result[chosen] = self.core.predictions(block, None, loss, threads)
            if mirrored_as is not None:
                result[chosen] += self.core.predictions(block, None, loss, threads, mirrored_as)
                result[chosen] /= 2
        return result

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
    ) -> tuple[Rows, Array]:
        """Return x and y as the engine reads them, checked against the network's task."""
        rows = self._rows(x, names[0])
        return rows, self.task.encode(y, rows=len(rows), name=names[1])

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

    def __repr__(self) -> str:
        module = "reference." if ".reference." in type(self).__module__ else ""
        loss = "" if self.task.loss.name == "cross_entropy" else f"loss={self.task.loss.name!r}, "
        return (
            f"{module}{type(self).__name__}(layer_sizes={self._layer_sizes}, "
            f"activation={self._activation!r}, {loss}dtype={self._dtype!r})"
        )
