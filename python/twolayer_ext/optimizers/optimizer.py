"""What every optimizer has: a description of it, and its state in NumPy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np

from twolayer_ext import checks
from twolayer_ext.checks import Array

# Running products of hyper-parameters, 1 before the first step; as many as the core keeps.
Powers: TypeAlias = tuple[float, float]
# What is kept of one array of parameters, by the names of `Optimizer.states`.
Kept: TypeAlias = dict[str, Array]


@dataclass(frozen=True)
class Optimizer(ABC):
    """What every optimizer has.

    Parameters
    ----------
    weight_decay : float from 0 on, default 0
        Of weights and biases alike.
    """

    weight_decay: float = field(default=0.0, kw_only=True)
    name: ClassVar[str]
    # A good one to begin with, where inputs are standardised.
    learning_rate: ClassVar[float]

    def __post_init__(self) -> None:
        self._set("weight_decay", checks.number("weight_decay", self.weight_decay, minimum=0))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_share(self, name: str) -> None:
        self._set(name, checks.number(name, getattr(self, name), minimum=0, below=1))

    @property
    def kernel(self) -> str:
        """The core's name for this optimizer with these hyper-parameters."""
        return self.name

    @property
    def hyperparameters(self) -> dict[str, float]:
        """What the core's kernel reads, by its names."""
        return {"weight_decay": self.weight_decay}

    @property
    def states(self) -> tuple[str, ...]:
        """Names of what is kept of each array of parameters, in its shape, 0 at first."""
        return ()

    def next_powers(self, powers: Powers) -> Powers:
        """Return the running products as of the next step."""
        return powers

    @abstractmethod
    def updated(self, w: Array, g: Array, kept: Kept, rate: float, powers: Powers) -> Array:
        """Return parameters w after a step with gradient g at learning rate `rate`.

        New arrays take the place of those in `kept`; `powers` are as of this step.
        """

    def check_dtype(self, dtype: str) -> None:
        """Raise ValueError for an epsilon that is 0 or infinite in "float32" or "float64"."""
        epsilon = self.hyperparameters.get("epsilon")
        if epsilon is None:
            return
        with np.errstate(over="ignore", under="ignore"):
            rounded = np.array(epsilon).astype(dtype)
        if not 0 < rounded < np.inf:
            raise ValueError(
                f"epsilon: {epsilon} is {rounded} in {dtype}; must be above 0 and finite"
            )

    def twin(self, parameters: Sequence[Array], names: Sequence[str]) -> Twin:
        """Return fresh state for arrays of parameters, which `Twin.step` then updates in place."""
        return Twin(self, parameters, names)


class Twin:
    """An optimizer's state for arrays of parameters, and its steps.

    Parameters
    ----------
    optimizer : Optimizer
    parameters : sequence of ndarray
        Only shapes and dtypes are read.
    names : sequence of str
        What `state` calls each of them.
    """

    def __init__(
        self, optimizer: Optimizer, parameters: Sequence[Array], names: Sequence[str]
    ) -> None:
        self.optimizer = optimizer
        self.steps = 0
        self.powers: Powers = (1.0, 1.0)
        self.kept: dict[str, Kept] = {
            name: {state: np.zeros_like(p) for state in optimizer.states}
            for name, p in zip(names, parameters, strict=True)
        }

    def step(
        self, parameters: Sequence[Array], gradients: Sequence[Array], learning_rate: float
    ) -> None:
        """Do one step, in place; arrays in the order in which they were named."""
        self.steps += 1
        self.powers = self.optimizer.next_powers(self.powers)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            for w, g, kept in zip(parameters, gradients, self.kept.values(), strict=True):
                w[...] = self.optimizer.updated(w, g, kept, learning_rate, self.powers)

    def state(self) -> dict[str, Any]:
        """Return copies: "steps", "powers" and, of each array of parameters, "W1.momentum", ..."""
        arrays = {
            f"{name}.{state}": array.copy()
            for name, kept in self.kept.items()
            for state, array in kept.items()
        }
        return {"steps": self.steps, "powers": self.powers, **arrays}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Replace all of it by copies of what `state` gave, or, on an error, nothing."""
        parameters = {
            name: array for name, kept in self.kept.items() for array in list(kept.values())[:1]
        }
        checked = check_state(state, self.optimizer, parameters)
        self.steps, self.powers = checked["steps"], checked["powers"]
        for name, kept in self.kept.items():
            for of in kept:
                kept[of] = checked[f"{name}.{of}"].copy()


def check_state(
    state: object, optimizer: Optimizer, parameters: Mapping[str, Array]
) -> dict[str, Any]:
    """Return an optimizer's state as the core reads it.

    Parameters
    ----------
    state : mapping
        As `Twin.state` or the core gives it.
    optimizer : Optimizer
    parameters : mapping of str to ndarray
        By name; their shapes and dtypes are those of the arrays of the state.

    Raises
    ------
    TypeError
        No mapping, or what is in it is no integer, no numbers, no array.
    ValueError
        Something is missing, left over, or of another shape or dtype.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state: {type(state).__name__}; must be a dict, as state() returns it")
    like = {f"{name}.{of}": p for name, p in parameters.items() for of in optimizer.states}
    for name in ("steps", "powers", *like):
        if name not in state:
            raise ValueError(f"state: no {name!r}; must be the state of {optimizer.kernel}")
    for name in state:
        if name not in like and name not in ("steps", "powers"):
            raise ValueError(
                f"state: holds {checks.shown(name)}; must be the state of {optimizer.kernel} for "
                "a network of these sizes"
            )
    result: dict[str, Any] = {
        "steps": checks.integer("state['steps']", state["steps"], minimum=0, maximum=2**63 - 1)
    }
    powers = state["powers"]
    if not isinstance(powers, Sequence) or len(powers) != 2:
        raise TypeError(f"state['powers']: {checks.shown(powers)}; must be a pair of numbers")
    result["powers"] = tuple(checks.number("state['powers']", p, minimum=0) for p in powers)
    for name, p in like.items():
        array = checks.as_array(state[name], f"state[{name!r}]")
        if array.shape != p.shape or array.dtype != p.dtype:
            raise ValueError(
                f"state[{name!r}]: shape {array.shape} of {array.dtype}; must be {p.shape} of "
                f"{p.dtype}"
            )
        result[name] = np.ascontiguousarray(array)
    return result
