"""From a space to configurations, and configurations as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from twolayer_ext.distributions import Distribution
from twolayer_ext.rows import digest
from twolayer_ext.streams import Purpose, generator
from twolayer_ext.training import TrainOptions

Config: TypeAlias = dict[str, Any]
Space: TypeAlias = Mapping[str, object] | Callable[[np.random.Generator], Mapping[str, object]]

# Arguments of train() that the sweep itself decides, or that one run would share with the next.
_NOT_SWEPT = frozenset(
    {
        "callbacks",
        "checkpoint",
        "checkpoint_every",
        "checkpoint_seconds",
        "network",
        "progress",
        "resume",
        "state",
        "threads",
        "validation_data",
        "validation_fraction",
    }
)
_ARGUMENTS = sorted(set(TrainOptions.__annotations__) - _NOT_SWEPT)
_LARGE_ARRAY = 16  # elements; beyond, a digest stands for an array


def draw(space: Space, count: int, seed: int) -> list[Config]:
    """Return `count` configurations; number i depends on the space, the seed and i alone."""
    return [_one(space, generator(seed, Purpose.SWEEP, i)) for i in range(count)]


def _one(space: Space, rng: np.random.Generator) -> Config:
    if not isinstance(space, Mapping):
        if not callable(space):
            raise TypeError(f"space: {type(space).__name__}; must be a dict or a function")
        config = space(rng)
        if not isinstance(config, Mapping):
            raise TypeError(f"space: the function returned {config!r}; must return a dict")
        _check_names(config)
        return dict(config)
    _check_names(space)
    # Sorted, so that the order in which the arguments are written means nothing.
    return {name: _value(name, space[name], rng) for name in sorted(space)}


def _value(name: str, choices: object, rng: np.random.Generator) -> object:
    if isinstance(choices, Distribution):
        return choices.draw(rng)
    if isinstance(choices, list):
        if not choices:
            raise ValueError(f"space: no choices for {name}; must be at least one")
        return choices[int(rng.integers(len(choices)))]
    return choices


def _check_names(names: Mapping[str, object]) -> None:
    for name in names:
        if name in _NOT_SWEPT:
            raise ValueError(f"space: {name!r} is not for a sweep to vary; leave it out")
        if name not in _ARGUMENTS:
            raise ValueError(
                f"space: {name!r} is no argument of train; must be among {', '.join(_ARGUMENTS)}"
            )


def describe(space: Space) -> dict[str, Any]:
    """Return a space as plain values, to tell it from another; a function is only called so."""
    if not isinstance(space, Mapping):
        return {"": "a function"}
    return {
        name: repr(value) if isinstance(value, Distribution) else plain(value)
        for name, value in sorted(space.items())
    }


def plain(value: object) -> Any:
    """Return a value as JSON gives it back."""
    return json.loads(json.dumps(_with_text_keys(value), default=_as_json))


def key(config: Config) -> str:
    """Return the text that two configurations share only if they are the same."""
    return json.dumps(_with_text_keys(config), sort_keys=True, default=_as_json)


def _with_text_keys(value: object) -> object:
    """Return `value` with names as JSON gives them back; they sort otherwise than numbers."""
    if not isinstance(value, Mapping):
        return value
    return {str(name): _with_text_keys(entry) for name, entry in value.items()}


def _as_json(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size <= _LARGE_ARRAY else digest(value)
    return list(value) if isinstance(value, Sequence) else repr(value)
