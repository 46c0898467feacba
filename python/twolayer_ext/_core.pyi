"""The compiled core.

It checks shapes, dtypes, labels and row numbers, so that no call reads or writes out of bounds, and
releases the GIL while it computes. It does not convert: `x` is (N, D) of uint8, float32 or float64
with contiguous rows, `y` int64 (N,), `rows` int64 row numbers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

def build_info() -> dict[str, Any]: ...
def default_threads() -> int: ...
def multiply_add_peak(dtype: str, threads: int, seconds: float) -> float: ...  # GFLOP/s
def read_bandwidth(threads: int, seconds: float) -> float: ...  # GB/s

class Network:
    def __init__(self, layer_sizes: Sequence[int], activation: str, dtype: str) -> None: ...
    @property
    def layer_sizes(self) -> tuple[int, ...]: ...
    @property
    def activation(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    def set_normalization(self, shift: NDArray[np.float64], scale: NDArray[np.float64]) -> None: ...
    def layer(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def set_layer(self, index: int, weights: NDArray[Any], bias: NDArray[Any]) -> None: ...
    def probabilities(
        self,
        x: NDArray[Any],
        rows: NDArray[np.int64] | None,
        threads: int,
        mirrored_as: tuple[int, int, int] | None = None,
    ) -> NDArray[Any]: ...
    def evaluate(
        self, x: NDArray[Any], y: NDArray[np.int64], rows: NDArray[np.int64] | None, threads: int
    ) -> tuple[float, int]: ...
    def loss_and_gradients(
        self,
        x: NDArray[Any],
        y: NDArray[np.int64],
        reg: float,
        threads: int,
        *,
        dropout: Sequence[float] = (),
        gammas: Sequence[NDArray[Any]] | None = None,
        label_smoothing: float = 0.0,
        weights: NDArray[np.float64] | None = None,
        seed: int = 0,
    ) -> tuple[
        float,
        list[tuple[NDArray[Any], NDArray[Any]] | tuple[NDArray[Any], NDArray[Any], NDArray[Any]]],
    ]: ...

class Trainer:
    def __init__(
        self,
        network: Network,
        *,
        optimizer: str,
        momentum: float,
        nesterov: bool,
        beta1: float,
        beta2: float,
        epsilon: float,
        weight_decay: float,
        reg: float,
        batch_size: int,
        threads: int,
        compute_dtype: str | None = None,
        dropout: Sequence[float] = (),
        batch_norm: bool = False,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        augment: tuple[tuple[int, int, int], bool, int, int] | None = None,
        seed: int = 0,
    ) -> None: ...
    def run(
        self,
        x: NDArray[Any],
        y: NDArray[np.int64],
        rows: NDArray[np.int64],
        learning_rates: NDArray[np.float64],
        losses: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[int, int]: ...
    def publish(self) -> None: ...

class Optimizer:
    def __init__(self, network: Network, name: str, hyperparameters: dict[str, float]) -> None: ...
    def step(
        self, gradients: list[tuple[NDArray[Any], NDArray[Any]]], learning_rate: float
    ) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def set_state(self, state: dict[str, Any]) -> None: ...
