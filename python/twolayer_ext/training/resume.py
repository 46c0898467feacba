"""Options of a training as a checkpoint holds them, and what may be given when it is resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np

from twolayer_ext import checks, losses, optimizers
from twolayer_ext.errors import FileFormatError
from twolayer_ext.losses import CustomLoss, Loss
from twolayer_ext.network.serialization import NetworkState
from twolayer_ext.optimizers import OPTIMIZERS, Optimizer
from twolayer_ext.rows import digest
from twolayer_ext.training.augment import Augment
from twolayer_ext.training.checkpoint import Saved
from twolayer_ext.training.options import KnownFactors, TrainOptions
from twolayer_ext.training.plan import Plan
from twolayer_ext.unset import UNSET

# Given anew each time, or left to their defaults: the bits do not depend on them, or they are data,
# which have a fingerprint of their own.
_NOT_SAVED = frozenset(
    {
        "callbacks",
        "checkpoint",
        "network",
        "progress",
        "resume",
        "sample_weight",
        "state",
        "threads",
        "validation_data",
    }
)
# May be another when resumed: how far to go, with what rates from now on, and when to save.
_MAY_CHANGE = frozenset(
    {
        "checkpoint_every",
        "checkpoint_seconds",
        "early_stopping",
        "epochs",
        "learning_rate_decay",
        "max_steps",
        "schedule",
    }
)
_GIVEN = "given"  # stands for a schedule, whose factors the checkpoint holds
_LARGE = 4096  # numbers; beyond, a digest stands for them


def written(options: TrainOptions, defaults: TrainOptions) -> dict[str, Any]:
    """Return the options that were given, as JSON holds them."""
    return {
        name: _written(name, value)
        for name, value in options.items()
        if name not in _NOT_SAVED and not _same(value, dict(defaults)[name])
    }


def merged(saved: Saved, given: TrainOptions, defaults: TrainOptions) -> tuple[TrainOptions, bool]:
    """Return the options to resume with: the saved ones, and what was given beside.

    And whether other learning rates than the saved ones were given.

    Raises
    ------
    ValueError
        An option that was given, and not its default, contradicts the saved one; `network` or
        `state`; a loss that is a function is missing.
    FileFormatError
        The saved options are none of this version's.
    """
    for name in ("network", "state"):
        if dict(given)[name] is not None:
            raise ValueError(f"{name}: together with resume; must be left out, the file has it")
    known = {name for name in defaults if name not in _NOT_SAVED}
    if unknown := saved.origin.options.keys() - known:
        raise FileFormatError(f"resume: the checkpoint has an option {min(unknown)!r}")
    anew = written(given, defaults)
    for name, value in anew.items():
        if name in _MAY_CHANGE:
            continue
        if name not in saved.origin.options or saved.origin.options[name] != value:
            has = saved.origin.options.get(name, "its default")
            raise ValueError(
                f"{name}: {checks.shown(dict(given)[name])}, but the checkpoint has "
                f"{checks.clipped(json.dumps(has) if name in saved.origin.options else has)}; "
                f"leave {name} out"
            )
    result = dict(given)
    for name, value in saved.origin.options.items():
        if name not in anew:
            result[name] = _read(name, value, saved)
    if isinstance(result["loss"], CustomLoss) and "loss" not in anew:
        raise ValueError(
            "loss: the checkpoint was trained with the function "
            f"{result['loss'].function_name!r}, which no file holds; must be given again"
        )
    if "schedule" in anew and "learning_rate_decay" not in anew:
        result["learning_rate_decay"] = UNSET
    if "learning_rate_decay" in anew and "schedule" not in anew:
        result["schedule"] = None
    if "early_stopping" in anew and "early_stopping" not in saved.origin.options:
        raise ValueError(
            f"early_stopping: {checks.shown(given['early_stopping'])}, the checkpoint has none; "
            "leave early_stopping out"
        )
    decay = anew.get("learning_rate_decay", None)
    told = "schedule" in anew or decay not in (
        None,
        saved.origin.options.get("learning_rate_decay"),
    )
    return cast(TrainOptions, result), told


def network_of(saved: Saved, options: TrainOptions) -> NetworkState:
    """Return the saved network, a loss that is a function being the one that was given."""
    task = saved.network.task
    if not isinstance(task.loss, CustomLoss):
        return saved.network
    return replace(saved.network, task=replace(task, loss=losses.make(options["loss"])))


def check_plan(saved: Saved, plan: Plan, rows: int, told: bool) -> None:
    """Raise ValueError where a plan for that many training rows does not go on from a checkpoint.

    `told` says that the learning rates from here on were given beside `resume`.
    """
    record, total = saved.record, plan.total(rows)[0]
    done = record.steps + (0 if record.part is None else len(record.part.losses))
    name = "epochs" if plan.max_steps is None else "max_steps"
    an_epoch = -(-rows // plan.batch_size)
    if record.part is not None and len(record.part.losses) > an_epoch:
        raise FileFormatError("resume: the checkpoint's last epoch is longer than an epoch")
    if done > total:
        raise ValueError(f"{name}: {total} steps, but the checkpoint has done {done}; must be more")
    if total == saved.origin.total:
        factors = saved.origin.factors
        if factors is not None and plan.factors is not None:
            if not np.array_equal(plan.factors(0, total), factors):
                raise ValueError("schedule: differs from the checkpoint's; leave schedule out")
        elif told:
            raise ValueError(
                "schedule, learning_rate_decay: differ from the checkpoint's; must be left out, "
                f"unless {name} changes"
            )
        return
    if plan.factors is not None and not told:
        raise ValueError(
            f"{name}: {total} steps, but the learning rates of the checkpoint are laid out for "
            f"{saved.origin.total}; must come with schedule, which then says those that are left, "
            "or with learning_rate_decay"
        )
    if record.sums:
        raise ValueError(f"{name}: {total} steps, but the last epochs are being averaged already")
    if any(len(losses) != an_epoch for _, losses in record.closed):
        raise ValueError(f"{name}: {total} steps, but the last epoch was cut short by max_steps")


def _same(value: object, default: object) -> bool:
    """Tell whether an option was left as it is by default, as far as that can be seen."""
    plain = (str, int, float)
    if not isinstance(value, plain) or not isinstance(default, plain):
        return value is default
    return isinstance(value, bool) == isinstance(default, bool) and value == default


def _written(name: str, value: object) -> Any:
    """Return an option as JSON gives it back; what is no option at all as its repr."""
    if name == "schedule":
        return _GIVEN
    if name == "optimizer" and not isinstance(value, str):
        made = optimizers.make(value)
        value = {"name": made.name, **asdict(made)}
    elif name == "loss":
        value = losses.make(value).describe()
    elif name == "class_weight" and isinstance(value, Mapping):
        value = {"labels": list(value), "weights": list(value.values())}
    elif name == "class_weight" and isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, Augment):
        value = asdict(value)
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size <= _LARGE else digest(value)
    return list(value) if isinstance(value, Sequence) else repr(value)


def _optimizer(value: Any, _: Saved) -> str | Optimizer:
    if isinstance(value, str):
        return value
    arguments = {name: _sequences(part) for name, part in value.items() if name != "name"}
    return OPTIMIZERS[value["name"]](**arguments)


def _loss(value: Any, _: Saved) -> Loss:
    return losses.from_description(value)


def _class_weight(value: Any, _: Saved) -> Any:
    if isinstance(value, dict):
        return dict(zip(value["labels"], value["weights"], strict=True))
    return value


def _augment(value: Any, _: Saved) -> Augment:
    return Augment(**{name: _sequences(part) for name, part in value.items()})


def _schedule(_: Any, saved: Saved) -> KnownFactors:
    factors = saved.origin.factors
    if factors is None or not (np.isfinite(factors) & (factors >= 0)).all():
        raise FileFormatError("resume: the checkpoint does not hold its schedule's factors")
    return KnownFactors(factors)


_READERS: dict[str, Callable[[Any, Saved], Any]] = {
    "optimizer": _optimizer,
    "loss": _loss,
    "class_weight": _class_weight,
    "augment": _augment,
    "schedule": _schedule,
}


def _read(name: str, value: Any, saved: Saved) -> Any:
    try:
        return _READERS[name](value, saved) if name in _READERS else _sequences(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(
            f"resume: the checkpoint's {name} is {checks.shown(value)}: {error}"
        ) from None


def _sequences(value: Any) -> Any:
    """Return lists as tuples."""
    return tuple(map(_sequences, value)) if isinstance(value, list) else value
