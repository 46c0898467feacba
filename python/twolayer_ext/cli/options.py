"""The arguments of `train` as options of the command line, made from their table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twolayer_ext import losses
from twolayer_ext.cli.augment import AUGMENT_HELP, parse_augment
from twolayer_ext.cli.schedule import SCHEDULE_HELP, parse_schedule
from twolayer_ext.network import normalization
from twolayer_ext.training import DEFAULTS, defaults
from twolayer_ext.training.option_table import OPTIONS, Option
from twolayer_ext.unset import UNSET

# Arguments as the messages of train() name them, and the command line can give them.
ARGUMENTS = (*OPTIONS, "validation_data")


def _name_or_number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _normalization(text: str) -> str | tuple[float, float] | None:
    if text == "none":
        return None
    if text in normalization.NAMES:
        return text
    try:
        shift, scale = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"was {text!r}; it should be {', '.join(normalization.NAMES)}, none or two numbers "
            "SHIFT,SCALE"
        ) from None
    return shift, scale


def _class_weight(words: list[str]) -> str | list[float]:
    if len(words) == 1:
        return words[0]
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise ValueError(f"--class-weight: {error}; must be numbers, or balanced") from None


# How argparse reads the options that are more than one number, name or yes.
_OWN: dict[str, dict[str, Any]] = {
    "hidden_sizes": {"nargs": "*", "type": int, "metavar": "SIZE"},
    "loss": {"nargs": "+", "metavar": ("NAME", "KEY=NUMBER")},
    "init": {"type": _name_or_number, "metavar": "NAME|STD"},
    "normalize": {"type": _normalization, "metavar": "HOW"},
    "schedule": {"nargs": "+", "metavar": ("NAME", "KEY=NUMBER"), "help": SCHEDULE_HELP},
    "betas": {"nargs": 2, "type": float, "metavar": ("B1", "B2")},
    "dropout": {"nargs": "+", "type": float, "metavar": "SHARE"},
    "class_weight": {"nargs": "+", "metavar": "X"},
    "augment": {"nargs": "+", "metavar": ("image=CxHxW", "KEY=NUMBER"), "help": AUGMENT_HELP},
    "checkpoint": {"metavar": "FILE"},
    "resume": {"metavar": "FILE"},
}
# What train() is given for the words that argparse leaves.
_FROM_WORDS: dict[str, Callable[[Any], object]] = {
    "loss": lambda words: losses.parse(words[0], words[1:]),
    "schedule": parse_schedule,
    "dropout": lambda shares: shares[0] if len(shares) == 1 else shares,
    "class_weight": _class_weight,
    "augment": parse_augment,
}
_SHORT = {"hidden_sizes": "--hidden"}
# The command decides itself: see its help on the split.
_NO_DEFAULT = {"validation_fraction"}


def add_options(groups: Mapping[str, argparse._ArgumentGroup]) -> None:
    """Add every option of the table to the group it names; one not given leaves no trace."""
    for option in OPTIONS.values():
        flags = [_SHORT[option.name]] if option.name in _SHORT else []
        keywords: dict[str, Any] = {"help": option.help}
        if option.kind is None:
            keywords |= _OWN[option.name]
        elif option.kind is bool:
            keywords["action"] = argparse.BooleanOptionalAction
        elif option.kind is str:
            keywords["metavar"] = "NAME"
            if option.choices:
                keywords["help"] = f"{option.help}: {', '.join(option.choices)}"
        else:
            keywords |= {"type": option.kind, "metavar": "X" if option.kind is float else "N"}
        keywords["help"] = f"{keywords['help']}{_default(option)}".replace("%", "%%")
        groups[option.group].add_argument(
            *flags, option.flag, dest=option.name, default=argparse.SUPPRESS, **keywords
        )


def _default(option: Option) -> str:
    value: object = dict(DEFAULTS)[option.name]
    if value is UNSET or value is None:
        value = defaults.DEFAULTS.get(option.name)
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if isinstance(value, tuple):
        value = " ".join(map(str, value))
    if not isinstance(value, (str, int, float)) or option.name in _NO_DEFAULT:
        return ""
    return f" (default: {value})"


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options that were given, as train() takes them.

    Raises
    ------
    ValueError
        Words that name no loss, schedule, augmentation or weights.
    """
    given = {name: value for name, value in vars(arguments).items() if name in OPTIONS}
    for name, read in _FROM_WORDS.items():
        if name in given:
            given[name] = read(given[name])
    return given


def one_of_each(chosen: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recipe chose, but for that which what was given takes the place of."""
    replaced: Sequence[str] = ()
    if "epochs" in given:
        replaced = (*replaced, "max_steps")
    if "schedule" in given:
        replaced = (*replaced, "learning_rate_decay")
    if "learning_rate_decay" in given:
        replaced = (*replaced, "schedule")
    if given.get("optimizer", chosen.get("optimizer")) != chosen.get("optimizer"):
        replaced = (*replaced, "momentum", "nesterov", "betas", "epsilon", "alpha", "centred")
    return {name: value for name, value in chosen.items() if name not in replaced}
