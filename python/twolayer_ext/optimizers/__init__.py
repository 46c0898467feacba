"""The optimizers: one frozen description each of hyper-parameters, state and formula.

The compiled core has the formulas a second time, in kernels/optimizers. A new optimizer is a file
there, a line in its list, and a class here with its name in `OPTIMIZERS`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict, Unpack

import numpy as np

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.optimizers.optimizer import (
    Kept,
    Optimizer,
    Powers,
    Twin,
    check_state,
)
from twolayer_ext.unset import UNSET, Unset

__all__ = [
    "OPTIMIZERS",
    "Adam",
    "AdamW",
    "Lion",
    "Optimizer",
    "OptimizerKeywords",
    "OptimizerName",
    "RmsProp",
    "Sgd",
    "Twin",
    "check_state",
    "make",
]


@dataclass(frozen=True)
class Sgd(Optimizer):
    """Stochastic gradient descent, as torch.optim.SGD.

    With g + weight_decay w for g: w -= learning_rate g; with momentum m = momentum m + g stands
    for g there, and with Nesterov's g + momentum m. Default learning rate: 0.05.

    Parameters
    ----------
    momentum : float in [0, 1), default 0
    nesterov : bool, default False
        Needs momentum.
    weight_decay : float from 0 on, default 0

    Raises
    ------
    ValueError, TypeError
        A value out of its range, or no number.
    """

    momentum: float = 0.0
    nesterov: bool = False
    name: ClassVar[str] = "sgd"
    learning_rate: ClassVar[float] = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_share("momentum")
        self._set("nesterov", checks.flag("nesterov", self.nesterov))
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov: True without momentum; must come with a momentum above 0")

    @property
    def kernel(self) -> str:
        """One of "sgd", "momentum" and "nesterov"."""
        if self.momentum == 0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The momentum too, where there is one."""
        momentum = {"momentum": self.momentum} if self.momentum else {}
        return {**super().hyperparameters, **momentum}

    @property
    def states(self) -> tuple[str, ...]:
        """The momentum, where there is one."""
        return ("momentum",) if self.momentum else ()

    def updated(self, w: Array, g: Array, kept: Kept, rate: float, powers: Powers) -> Array:
        """Return w after a step."""
        g = g + self.weight_decay * w
        if self.momentum:
            kept["momentum"] = m = self.momentum * kept["momentum"] + g
            g = g + self.momentum * m if self.nesterov else m
        return np.asarray(w - rate * g)


@dataclass(frozen=True)
class _WithBetas(Optimizer):
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            beta1, beta2 = self.betas
        except (TypeError, ValueError):
            raise TypeError(f"betas: {self.betas!r}; must be a pair of numbers") from None
        beta1 = checks.number("betas[0]", beta1, minimum=0, below=1)
        beta2 = checks.number("betas[1]", beta2, minimum=0, below=1)
        self._set("betas", (beta1, beta2))

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Both betas too."""
        return {**super().hyperparameters, "beta1": self.betas[0], "beta2": self.betas[1]}


@dataclass(frozen=True)
class Adam(_WithBetas):
    """Adam (Kingma and Ba 2015), as torch.optim.Adam.

    With g + weight_decay w for g, in step t from 1: m = β₁ m + (1 - β₁) g,
    v = β₂ v + (1 - β₂) g², and w -= learning_rate m̂ / (√v̂ + ε), where m̂ = m / (1 - β₁ᵗ) and
    v̂ = v / (1 - β₂ᵗ). Default learning rate: 0.001, the authors'.

    Parameters
    ----------
    betas : pair of floats in [0, 1), default (0.9, 0.999)
    epsilon : float above 0, default 1e-8
        Must be above 0 and finite in the network's dtype, too.
    weight_decay : float from 0 on, default 0

    Raises
    ------
    ValueError, TypeError
        A value out of its range, or no number.
    """

    epsilon: float = 1e-8
    name: ClassVar[str] = "adam"
    learning_rate: ClassVar[float] = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("epsilon", checks.number("epsilon", self.epsilon, above=0))

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Epsilon too."""
        return {**super().hyperparameters, "epsilon": self.epsilon}

    @property
    def states(self) -> tuple[str, ...]:
        """Both running means, biased."""
        return ("first_moment", "second_moment")

    def next_powers(self, powers: Powers) -> Powers:
        """Return β₁ᵗ and β₂ᵗ."""
        return powers[0] * self.betas[0], powers[1] * self.betas[1]

    def updated(self, w: Array, g: Array, kept: Kept, rate: float, powers: Powers) -> Array:
        """Return w after a step."""
        return self._moved(w, g + self.weight_decay * w, kept, rate, powers)

    def _moved(self, w: Array, g: Array, kept: Kept, rate: float, powers: Powers) -> Array:
        beta1, beta2 = self.betas
        kept["first_moment"] = m = beta1 * kept["first_moment"] + (1 - beta1) * g
        kept["second_moment"] = v = beta2 * kept["second_moment"] + (1 - beta2) * g * g
        root = np.sqrt(v / (1 - powers[1])) + self.epsilon
        return np.asarray(w - rate * (m / (1 - powers[0])) / root)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay of its own (Loshchilov and Hutter 2019), as torch.optim.AdamW.

    As `Adam`, but the decay is no part of the gradient: before the step,
    w -= learning_rate weight_decay w. Default learning rate: 0.001.

    Parameters
    ----------
    betas, epsilon
        As for `Adam`.
    weight_decay : float from 0 on, default 0
        PyTorch's default is 0.01.

    Raises
    ------
    ValueError, TypeError
        As `Adam`.
    """

    name: ClassVar[str] = "adamw"

    def updated(self, w: Array, g: Array, kept: Kept, rate: float, powers: Powers) -> Array:
        """Return w after a step."""
        decayed = (1 - rate * self.weight_decay) * w
        return self._moved(decayed, g, kept, rate, powers)


@dataclass(frozen=True)
class Lion(_WithBetas):
    """Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2).

    w -= learning_rate (sign(β₁ m + (1 - β₁) g) + weight_decay w), then m = β₂ m + (1 - β₂) g;
    the sign of 0 is 0. Every parameter moves by the whole learning rate in each step, so that it
    should be 3 to 10 times below Adam's, say the authors. Default learning rate: 0.0003.

    Parameters
    ----------
    betas : pair of floats in [0, 1), default (0.9, 0.99)
    weight_decay : float from 0 on, default 0
        To decay as much as with `AdamW`, as many times more as the learning rate is lower.

    Raises
    ------
    ValueError, TypeError
        A value out of its range, or no number.
    """

    betas: tuple[float, float] = (0.9, 0.99)
    name: ClassVar[str] = "lion"
    learning_rate: ClassVar[float] = 3e-4

    @property
    def states(self) -> tuple[str, ...]:
        """The momentum."""
        return ("momentum",)

    def updated(self, w: Array, g: Array, kept: Kept, rate: float, powers: Powers) -> Array:
        """Return w after a step."""
        beta1, beta2 = self.betas
        m = kept["momentum"]
        direction = np.sign(beta1 * m + (1 - beta1) * g)
        kept["momentum"] = beta2 * m + (1 - beta2) * g
        return np.asarray(w * (1 - rate * self.weight_decay) - rate * direction)


@dataclass(frozen=True)
class RmsProp(Optimizer):
    """RMSprop (Hinton 2012), as torch.optim.RMSprop.

    With g + weight_decay w for g: v = α v + (1 - α) g², d = g / (√v + ε), w -= learning_rate d;
    with momentum b = momentum b + d stands for d in the last; centred, v - a² stands for v under
    the root, where a = α a + (1 - α) g. Default learning rate: 0.001.

    Parameters
    ----------
    alpha : float in [0, 1), default 0.99
    epsilon : float above 0, default 1e-8
        Must be above 0 and finite in the network's dtype, too.
    momentum : float in [0, 1), default 0
    centred : bool, default False
    weight_decay : float from 0 on, default 0

    Raises
    ------
    ValueError, TypeError
        A value out of its range, or no number.

    Notes
    -----
    Centred, a gradient that stays the same for many steps leaves rounding errors for v - a²: steps
    grow without bound, and a negative one makes parameters NaN. PyTorch's does the same.
    """

    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centred: bool = False
    name: ClassVar[str] = "rmsprop"
    learning_rate: ClassVar[float] = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_share("alpha")
        self._set("epsilon", checks.number("epsilon", self.epsilon, above=0))
        self._check_share("momentum")
        self._set("centred", checks.flag("centred", self.centred))

    @property
    def kernel(self) -> str:
        """A kernel each of centred or not, with momentum or not."""
        return f"{'centred_' * self.centred}rmsprop{'_with_momentum' * (self.momentum > 0)}"

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Alpha, epsilon and momentum too."""
        return {
            **super().hyperparameters,
            "alpha": self.alpha,
            "epsilon": self.epsilon,
            "momentum": self.momentum,
        }

    @property
    def states(self) -> tuple[str, ...]:
        """The running means that there are, and the momentum."""
        return (
            "square_average",
            *["gradient_average"] * self.centred,
            *["momentum"] * (self.momentum > 0),
        )

    def updated(self, w: Array, g: Array, kept: Kept, rate: float, powers: Powers) -> Array:
        """Return w after a step."""
        g = g + self.weight_decay * w
        kept["square_average"] = v = self.alpha * kept["square_average"] + (1 - self.alpha) * g * g
        if self.centred:
            kept["gradient_average"] = a = (
                self.alpha * kept["gradient_average"] + (1 - self.alpha) * g
            )
            v = np.maximum(v - a * a, 0)  # a variance: only rounding can make it negative
        direction = g / (np.sqrt(v) + self.epsilon)
        if self.momentum:
            kept["momentum"] = direction = self.momentum * kept["momentum"] + direction
        return np.asarray(w - rate * direction)


OptimizerName: TypeAlias = Literal["sgd", "adam", "adamw", "lion", "rmsprop"]
OPTIMIZERS: dict[str, type[Optimizer]] = {
    optimizer.name: optimizer for optimizer in (Sgd, Adam, AdamW, Lion, RmsProp)
}


class OptimizerKeywords(TypedDict, total=False):
    """Hyper-parameters as keywords of a function; None and UNSET are not given."""

    momentum: float | Unset | None
    nesterov: bool | Unset | None
    betas: tuple[float, float] | Unset | None
    epsilon: float | Unset | None
    weight_decay: float | Unset | None
    alpha: float | Unset | None
    centred: bool | Unset | None


def make(value: object, **keywords: Unpack[OptimizerKeywords]) -> Optimizer:
    """Return the optimizer that a name of `OPTIMIZERS`, an optimizer or its class stands for.

    Parameters
    ----------
    value : str, Optimizer or type
    **keywords
        Its hyper-parameters; those that are None or UNSET stay at their defaults.

    Raises
    ------
    ValueError
        An unknown name; a hyper-parameter that this optimizer does not have, or out of its range;
        any given next to an optimizer that is made already.
    TypeError
        None of these.
    """
    given: dict[str, Any] = {
        name: keyword
        for name, keyword in keywords.items()
        if keyword is not None and keyword is not UNSET
    }
    for name in given:
        if not _having(name):
            raise TypeError(f"make() got an unexpected keyword argument {name!r}")
    if isinstance(value, Optimizer):
        for name, keyword in given.items():
            raise ValueError(
                f"{name}: {checks.shown(keyword)} together with optimizer={value}; must be given "
                "once"
            )
        return value
    for name, optimizer in OPTIMIZERS.items():
        if value is optimizer:
            value = name
    if not isinstance(value, str):
        raise TypeError(
            f"optimizer: {checks.shown(value)}; must be one of "
            f"{', '.join(map(repr, OPTIMIZERS))}, or an object of twolayer_ext.optimizers"
        )
    chosen = checks.choice("optimizer", value, tuple(OPTIMIZERS))
    for name, keyword in given.items():
        having = _having(name)
        if chosen not in having:
            *others, last = having
            listed = f"{', '.join(others)} and {last} have" if others else f"{last} has"
            raise ValueError(f"{name}: {checks.shown(keyword)} with {chosen}; only {listed} it")
    return OPTIMIZERS[chosen](**given)


def _having(hyperparameter: str) -> list[str]:
    """Return the names of the optimizers that have it."""
    return [
        name
        for name, optimizer in OPTIMIZERS.items()
        if any(field.name == hyperparameter for field in fields(optimizer))
    ]
