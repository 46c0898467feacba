"""The compiled core.

It checks shapes, dtypes, labels and row numbers, so that no call reads or writes out of bounds, and
releases the GIL while it computes. It does not convert. `x` is an array (N, D) of a type and memory
order that `rows.as_rows` leaves as it is, or sparse rows; `rows` are int64 row numbers;
`targets` are int64 labels (N,) for cross_entropy, an array (N, outputs / levels) for other losses.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

class _Sparse(Protocol):
    """Compressed sparse rows, as `rows.Sparse` explains them."""

    @property
    def values(self) -> NDArray[Any]: ...
    @property
    def columns(self) -> NDArray[np.int32]: ...
    @property
    def starts(self) -> NDArray[np.int64]: ...
    @property
    def shape(self) -> tuple[int, int]: ...

_Rows: TypeAlias = NDArray[Any] | _Sparse

def build_info() -> dict[str, Any]: ...
def default_threads() -> int: ...
def multiply_add_peak(dtype: str, threads: int, seconds: float) -> float: ...  # GFLOP/s
def read_bandwidth(threads: int, seconds: float) -> float: ...  # GB/s

class Loss:
    def __init__(
        self,
        name: str,
        *,
        levels: int = 1,
        smoothing: float = 0.0,
        parameters: Sequence[float] = (),
        score_scale: Sequence[float] = (),
        value_divisor: float = 0.0,
        gradient_divisor: float = 0.0,
        probability_floor: float = 0.0,
    ) -> None: ...
    @property
    def name(self) -> str: ...

class Network:
    def __init__(self, layer_sizes: Sequence[int], activation: str, dtype: str) -> None: ...
    @property
    def layer_sizes(self) -> tuple[int, ...]: ...
    @property
    def activation(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    def set_normalization(self, shift: NDArray[np.float64], scale: NDArray[np.float64]) -> None: ...
    def set_output_scaling(
        self, shift: NDArray[np.float64], scale: NDArray[np.float64]
    ) -> None: ...
    def layer(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def set_layer(self, index: int, weights: NDArray[Any], bias: NDArray[Any]) -> None: ...
    def holds(self, weights: list[Any], biases: list[Any]) -> bool: ...
    def forward(
        self,
        x: _Rows,
        rows: NDArray[np.int64] | None,
        threads: int,
        mirrored_as: tuple[int, int, int] | None = None,
        compute_dtype: str | None = None,
    ) -> NDArray[Any]: ...
    def predictions(
        self,
        x: _Rows,
        rows: NDArray[np.int64] | None,
        loss: Loss,
        threads: int,
        mirrored_as: tuple[int, int, int] | None = None,
        compute_dtype: str | None = None,
    ) -> NDArray[Any]: ...
    def infer(
        self,
        x: object,
        loss: Loss | None,
        largest: bool,
        threads: int,
        compute_dtype: str | None = None,
    ) -> NDArray[Any] | None: ...
    def evaluate(
        self,
        x: _Rows,
        targets: NDArray[Any],
        rows: NDArray[np.int64] | None,
        loss: Loss,
        threads: int,
    ) -> tuple[float, float]: ...
    def loss_and_gradients(
        self,
        x: _Rows,
        targets: NDArray[Any],
        loss: Loss,
        reg: float,
        threads: int,
        *,
        dropout: Sequence[float] = (),
        gammas: Sequence[NDArray[Any]] | None = None,
        weights: NDArray[np.float64] | None = None,
        seed: int = 0,
    ) -> tuple[
        float,
        list[tuple[NDArray[Any], NDArray[Any]] | tuple[NDArray[Any], NDArray[Any], NDArray[Any]]],
    ]: ...
    def gradients(
        self, x: _Rows, doutputs: NDArray[Any], threads: int
    ) -> list[
        tuple[NDArray[Any], NDArray[Any]] | tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
    ]: ...

class Optimizer:
    def __init__(self, network: Network, name: str, hyperparameters: dict[str, float]) -> None: ...
    def step(
        self, gradients: list[tuple[NDArray[Any], NDArray[Any]]], learning_rate: float
    ) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def set_state(self, state: dict[str, Any]) -> None: ...

class Trainer:
    def __init__(
        self,
        network: Network,
        *,
        optimizer: str,
        hyperparameters: dict[str, float],
        reg: float,
        loss: Loss,
        batch_size: int,
        threads: int,
        compute_dtype: str | None = None,
        dropout: Sequence[float] = (),
        batch_norm: bool = False,
        clip_norm: float = 0.0,
        augment: tuple[tuple[int, int, int], bool, int, int] | None = None,
        seed: int = 0,
        reg_over_weights: bool = False,
    ) -> None: ...
    def run(
        self,
        x: _Rows,
        targets: NDArray[Any],
        rows: NDArray[np.int64],
        learning_rates: NDArray[np.float64],
        losses: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
        scores: NDArray[np.float64] | None = None,
    ) -> tuple[int, float]: ...
    def begin(self, x: _Rows, rows: NDArray[np.int64]) -> NDArray[Any]: ...
    def finish(
        self,
        x: _Rows,
        rows: NDArray[np.int64],
        losses: NDArray[Any],
        doutputs: NDArray[Any],
        learning_rate: float,
        weights: NDArray[np.float64] | None = None,
    ) -> float: ...
    def publish(self) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def set_state(self, state: dict[str, Any]) -> None: ...
