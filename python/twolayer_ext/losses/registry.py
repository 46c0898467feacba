"""The losses by name, and all the ways a user may say which: object, text, file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from twolayer_ext import checks
from twolayer_ext.errors import FileFormatError
from twolayer_ext.losses.custom import CustomLoss, LostFunction
from twolayer_ext.losses.kinds import LOSSES
from twolayer_ext.losses.loss import Loss


def make(value: object) -> Loss:
    """Return the loss that a name of `LOSSES`, a loss, or a function stands for.

    Raises
    ------
    ValueError, TypeError
        None of these.
    """
    if isinstance(value, Loss):
        return value
    if isinstance(value, str):
        return LOSSES[checks.choice("loss", value, tuple(LOSSES))]()
    if isinstance(value, type) and value in LOSSES.values():
        made = value()
        assert isinstance(made, Loss)
        return made
    if callable(value) and not isinstance(value, type):
        return CustomLoss(value)
    raise TypeError(
        f"loss: {checks.shown(value)}; must be one of {', '.join(map(repr, LOSSES))}, an object of "
        "twolayer_ext.losses, or a function f(outputs, targets) -> (losses, gradient)"
    )


def parse(name: str, settings: Sequence[str] = ()) -> Loss:
    """Return the loss that words such as ``huber delta=0.5`` name.

    Raises
    ------
    ValueError
        An unknown name or key, or no number; it speaks of the option ``--loss``.
    """
    if name not in LOSSES:
        raise ValueError(f"--loss: {name!r}; must be one of {', '.join(LOSSES)}")
    defaults = _defaults(LOSSES[name])
    arguments: dict[str, Any] = {}
    for setting in settings:
        key, _, text = setting.partition("=")
        if key not in defaults:
            takes = f"{name} takes {', '.join(_usage(LOSSES[name])) or 'nothing more'}"
            raise ValueError(f"--loss: {setting!r}; {takes}")
        several = isinstance(defaults[key], tuple)
        try:
            numbers = [float(part) for part in (text.split(",") if several else [text])]
        except ValueError:
            kind = "numbers with commas between" if several else "a number"
            raise ValueError(f"--loss: {setting!r}; {key} must be {kind}") from None
        arguments[key] = tuple(numbers) if several else numbers[0]
    try:
        return LOSSES[name](**arguments)
    except ValueError as error:
        raise ValueError(f"--loss: {error}") from None


def help_text() -> str:
    """Return what ``--help`` says of the losses: "huber [delta=1.0], ..."."""
    return ", ".join(
        " ".join([name, *(f"[{usage}]" for usage in _usage(loss))]) for name, loss in LOSSES.items()
    )


def from_description(description: object) -> Loss:
    """Return the loss that `Loss.describe` gave, as a file holds it.

    A custom loss comes back without its function: it predicts, but refuses to be computed.

    Raises
    ------
    FileFormatError
        Anything that `describe` does not give.
    """
    if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
        raise FileFormatError(f"loss: {checks.shown(description)}; must be a name and parameters")
    arguments = dict(description)
    name = arguments.pop("name")
    try:
        if name == CustomLoss.name:
            function = arguments.pop("function")
            if not isinstance(function, str):
                raise TypeError
            return CustomLoss(LostFunction(function), **arguments)
        return LOSSES[name](**arguments)
    except (KeyError, TypeError, ValueError):
        raise FileFormatError(
            f"loss: {checks.shown(description)}; must be a loss that this version knows"
        ) from None


def _defaults(loss: type[Loss]) -> dict[str, object]:
    return {field.name: field.default for field in fields(loss)}


def _usage(loss: type[Loss]) -> list[str]:
    """Return "key=default" for each parameter, as the command line takes them."""
    result = []
    for key, default in _defaults(loss).items():
        numbers = default if isinstance(default, tuple) else (default,)
        result.append(f"{key}={','.join(map(str, numbers))}")
    return result
