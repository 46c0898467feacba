"""NetworkBase: what a network does, whatever engine computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twolayer_ext import checks, frames
from twolayer_ext.checks import Array
from twolayer_ext.engine import Gradients, ImageShape
from twolayer_ext.names import ComputeDtypeName
from twolayer_ext.network import scoring, techniques
from twolayer_ext.network.parts import NetworkParts
from twolayer_ext.rows import Rows, as_rows, part


class NetworkBase(NetworkParts):
    """What networks of every engine share; use `Network` or `reference.Network`.

    Methods without an underscore that `Network` does not document are for the package's own use.
    """

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
        return self._answer(x, threads, None, None, of_loss=False)

    def predict(
        self,
        x: ArrayLike,
        *,
        threads: int | None = None,
        average_mirrored: ImageShape | None = None,
        compute_dtype: ComputeDtypeName | None = None,
        out: Array | None = None,
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
        compute_dtype : {None, "bfloat16"}, default None
            As `train` takes it: with "bfloat16" the operands of products are rounded to 8 bits,
            which is up to twice as fast where the CPU has AVX512-BF16. Dense rows only.
        out : ndarray, optional
            Where to put the result, of its shape and dtype; it is returned.

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
            `average_mirrored` does not make up the features; `out` does not fit the result.
        """
        if average_mirrored is not None or self.task.loss.score_name != "accuracy":
            shape = self._image_shape(average_mirrored)
            values = self._answer(x, threads, shape, compute_dtype, of_loss=True)
            return _put(self.task.decode(values), out)
        if self.task.loss.takes == "indicators":
            values = self._answer(x, threads, None, compute_dtype, of_loss=False)
            return _put(self.task.decode(values, even=0.0), out)
        numbers = self._answer(x, threads, None, compute_dtype, of_loss=False, largest=True)
        return _put(self.task.labels(numbers), out)

    def predict_proba(
        self,
        x: ArrayLike,
        *,
        threads: int | None = None,
        average_mirrored: ImageShape | None = None,
        compute_dtype: ComputeDtypeName | None = None,
        out: Array | None = None,
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
        outputs = self._answer(x, threads, shape, compute_dtype, of_loss=True)
        return _put(self.task.probabilities(outputs), out)

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

    def _answer(
        self,
        x: Any,
        threads: int | None,
        mirrored_as: ImageShape | None,
        compute_dtype: str | None,
        *,
        of_loss: bool,
        largest: bool = False,
    ) -> Array:
        """Return outputs (N, K), what the loss makes of them, or numbers of the largest (N,)."""
        if compute_dtype is not None:
            compute_dtype = checks.compute_dtype_name(compute_dtype, self._dtype)
            compute_dtype = None if compute_dtype == self._dtype else compute_dtype
        loss = self._loss_of_engine() if of_loss else None
        if mirrored_as is None and type(x) is np.ndarray:
            count = 0 if threads is None else checks.thread_count(threads)
            if x.base is not None:
                checks.check_mapped(x, "x")
            quick = self.core.infer(x, loss, largest, count, compute_dtype)
            if quick is not None:
                return quick
        rows, count = self._rows(x), checks.thread_count(threads)
        if not isinstance(rows, np.ndarray):
            for name, given in (
                ("average_mirrored", mirrored_as),
                ("compute_dtype", compute_dtype),
            ):
                if given is not None:
                    raise ValueError(f"{name}: with a sparse matrix; must be None")
        result = np.empty((len(rows), self._layer_sizes[-1]), self._dtype)
        for chosen in scoring.parts(self._layer_sizes, len(rows)):
            block = part(rows, chosen)
            if loss is None:
                result[chosen] = self.core.forward(block, None, count, None, compute_dtype)
                continue
            result[chosen] = self.core.predictions(block, None, loss, count, None, compute_dtype)
            if mirrored_as is not None:
                mirrored = self.core.predictions(
                    block, None, loss, count, mirrored_as, compute_dtype
                )
                result[chosen] = (result[chosen] + mirrored) / 2
        return result.argmax(axis=1) if largest else result

    def _loss_of_engine(self) -> Any:
        if self._prepared is None or self._prepared[0] is not self.task:
            loss = self.engine.loss(self.task.loss, self._layer_sizes[-1], None)
            self._prepared = (self.task, loss)
        return self._prepared[1]

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

    def __repr__(self) -> str:
        module = "reference." if ".reference." in type(self).__module__ else ""
        loss = "" if self.task.loss.name == "cross_entropy" else f"loss={self.task.loss.name!r}, "
        return (
            f"{module}{type(self).__name__}(layer_sizes={self._layer_sizes}, "
            f"activation={self._activation!r}, {loss}dtype={self._dtype!r})"
        )


def _put(result: Array, out: Array | None) -> Array:
    """Return `result`, or `out` with the result in it."""
    if out is None:
        return result
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: {type(out).__name__}; must be an ndarray")
    if out.shape != result.shape or out.dtype != result.dtype or not out.flags.writeable:
        writeable = "" if out.flags.writeable else "read-only "
        raise ValueError(
            f"out: {writeable}{out.dtype} of shape {out.shape}; "
            f"must be {result.dtype} of shape {result.shape}, and writeable"
        )
    out[...] = result
    return out
