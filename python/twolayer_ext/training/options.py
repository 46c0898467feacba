"""The options of `train`: their types, and what is checked of them before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks
from twolayer_ext.checks import Array
from twolayer_ext.engine import Rows
from twolayer_ext.network import NetworkBase, normalization, techniques
from twolayer_ext.schedules import Schedule
from twolayer_ext.streams import Purpose, generator
from twolayer_ext.training.augment import Augment, augment_options
from twolayer_ext.training.loop import Callback, Plan

OPTIMIZERS = ("sgd", "adam", "adamw")
# Labels are indices: a largest one far beyond the number of rows is a mistake, not a class.
_MOST_CLASSES = 10_000


class DefaultText(str):
    """A default, so that it can be told from the same text passed by the caller."""

    __slots__ = ()


class DefaultNumber(float):
    """The same for a number."""

    __slots__ = ()


DEFAULT_SIZES = (512,)  # likewise told apart, by identity

Normalize = str | tuple[ArrayLike, ArrayLike] | None


class TrainOptions(TypedDict, total=False):
    """The keyword arguments of `train`, where they are explained."""

    hidden_sizes: Sequence[int]
    activation: str
    optimizer: str
    learning_rate: float
    learning_rate_decay: float
    schedule: Schedule | None
    momentum: float
    nesterov: bool
    betas: tuple[float, float]
    epsilon: float
    reg: float
    weight_decay: float
    clip_norm: float | None
    dropout: float | Sequence[float]
    batch_norm: bool
    label_smoothing: float
    class_weight: str | Sequence[float] | Mapping[int, float] | None
    sample_weight: ArrayLike | None
    augment: Augment | None
    batch_size: int
    epochs: int | None
    max_steps: int | None
    init: str | float
    normalize: Normalize
    validation_data: tuple[ArrayLike, ArrayLike] | None
    validation_fraction: float
    early_stopping: int | None
    average_epochs: int
    shuffle: bool
    dtype: str
    compute_dtype: str | None
    seed: int
    threads: int | None
    progress: bool | None
    callbacks: Iterable[Callback]
    network: NetworkBase | None


def split_rows(options: TrainOptions, count: int) -> tuple[Rows, Rows | None]:
    """Return the rows to train on and those to validate on, both ascending."""
    fraction = checks.number(
        "validation_fraction", options["validation_fraction"], minimum=0, below=1
    )
    if fraction == 0:
        return np.arange(count), None
    if options["validation_data"] is not None:
        raise ValueError(
            f"validation_fraction: {fraction} together with validation_data; must be one of the two"
        )
    held_out = round(count * fraction)
    if not 0 < held_out < count:
        raise ValueError(
            f"validation_fraction: {fraction} of {count} rows is {held_out}; "
            "must leave rows on both sides"
        )
    seed = checks.integer("seed", options["seed"], minimum=0)
    order = generator(seed, Purpose.SPLIT).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def make_plan(options: TrainOptions, training_rows: int) -> Plan:
    """Return what the loop is to do, on that many rows."""
    epochs, max_steps = options["epochs"], options["max_steps"]
    if epochs is None and max_steps is None:
        raise ValueError("epochs: None, and max_steps too; must be at least one number")
    progress = options["progress"]
    callbacks = options["callbacks"]
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks: {callbacks!r}; must be a sequence of functions, such as (f,)")
    callbacks = tuple(callbacks)
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks: holds {callback!r}; must hold functions")
    batch_size = checks.integer("batch_size", options["batch_size"], minimum=1)
    plan = Plan(
        batch_size=min(batch_size, training_rows),
        epochs=None if epochs is None else checks.integer("epochs", epochs, minimum=1),
        max_steps=None if max_steps is None else checks.integer("max_steps", max_steps, minimum=1),
        learning_rate=checks.number("learning_rate", options["learning_rate"], above=0),
        learning_rate_decay=checks.number(
            "learning_rate_decay", options["learning_rate_decay"], above=0
        ),
        shuffle=checks.flag("shuffle", options["shuffle"]),
        seed=checks.integer("seed", options["seed"], minimum=0),
        threads=checks.thread_count(options["threads"]),
        progress=None if progress is None else checks.flag("progress", progress),
        callbacks=callbacks,
        early_stopping=_patience(options),
        average_epochs=checks.integer("average_epochs", options["average_epochs"], minimum=0),
    )
    steps, planned = plan.total(training_rows)
    if plan.average_epochs > planned:
        raise ValueError(
            f"average_epochs: {plan.average_epochs} of {planned} epochs; must be at most all"
        )
    if plan.average_epochs and plan.early_stopping is not None:
        raise ValueError(
            f"average_epochs: {plan.average_epochs} together with early_stopping; must be one of "
            "the two"
        )
    return replace(plan, factors=_factors(options, steps))


def _patience(options: TrainOptions) -> int | None:
    if options["early_stopping"] is None:
        return None
    patience = checks.integer("early_stopping", options["early_stopping"], minimum=1)
    if options["validation_data"] is None and options["validation_fraction"] == 0:
        raise ValueError(
            f"early_stopping: {patience} without validation data; must come with validation_data "
            "or validation_fraction"
        )
    return patience


def _factors(options: TrainOptions, steps: int) -> NDArray[np.float64] | None:
    """Ask the schedule for every step's factor."""
    schedule, decay = options["schedule"], options["learning_rate_decay"]
    if schedule is None:
        return None
    if not callable(schedule):
        raise TypeError(
            f"schedule: {schedule!r}; must be a function (step, steps) -> factor, such as "
            "schedules.cosine()"
        )
    if not isinstance(decay, DefaultNumber):
        raise ValueError(
            f"learning_rate_decay: {decay} together with schedule; must be one of the two"
        )
    return np.fromiter(
        (
            checks.number(f"schedule({step}, {steps})", schedule(step, steps), minimum=0)
            for step in range(steps)
        ),
        np.float64,
        steps,
    )


def optimizer_options(options: TrainOptions, dtype: str) -> dict[str, Any]:
    """Return the trainer's arguments for the optimizer; another's must be at their defaults."""
    optimizer = checks.choice("optimizer", options["optimizer"], OPTIMIZERS)
    momentum = checks.number("momentum", options["momentum"], minimum=0, below=1)
    nesterov = checks.flag("nesterov", options["nesterov"])
    try:
        beta1, beta2 = options["betas"]
    except (TypeError, ValueError):
        raise TypeError(f"betas: {options['betas']!r}; must be a pair of numbers") from None
    beta1 = checks.number("betas[0]", beta1, minimum=0, below=1)
    beta2 = checks.number("betas[1]", beta2, minimum=0, below=1)
    if optimizer != "sgd" and momentum != 0:
        raise ValueError(f"momentum: {momentum} with {optimizer}; only sgd has it")
    if nesterov and momentum == 0:
        raise ValueError("nesterov: True without momentum; must come with a momentum above 0")
    epsilon = checks.number("epsilon", options["epsilon"], above=0)
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.array(epsilon).astype(dtype)
    if not 0 < rounded < np.inf:
        raise ValueError(f"epsilon: {epsilon} is {rounded} in {dtype}; must be above 0 and finite")
    return {
        "optimizer": optimizer,
        "momentum": momentum,
        "nesterov": nesterov,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "weight_decay": checks.number("weight_decay", options["weight_decay"], minimum=0),
        "reg": checks.number("reg", options["reg"], minimum=0),
        "compute_dtype": checks.compute_dtype_name(options["compute_dtype"], dtype),
    }


def technique_options(
    options: TrainOptions, sizes: tuple[int, ...], batch_size: int
) -> dict[str, Any]:
    """Return the trainer's arguments for all techniques beside the optimizer."""
    batch_norm = checks.flag("batch_norm", options["batch_norm"])
    if batch_norm and options["network"] is not None:
        raise ValueError(
            "batch_norm: True with a network to go on with; a trained network has it folded into "
            "its weights, so it can only be had from the start"
        )
    if batch_norm and batch_size == 1:
        raise ValueError(
            "batch_norm: True with batches of one row; must come with a batch_size of at least 2"
        )
    clip_norm = options["clip_norm"]
    return {
        "dropout": techniques.dropout_shares(options["dropout"], len(sizes) - 2),
        "batch_norm": batch_norm,
        "label_smoothing": checks.number(
            "label_smoothing", options["label_smoothing"], minimum=0, below=1
        ),
        "clip_norm": 0.0 if clip_norm is None else checks.number("clip_norm", clip_norm, above=0),
        "augment": augment_options(options["augment"], sizes[0]),
        "seed": checks.integer("seed", options["seed"], minimum=0) % 2**64,
    }


def layer_sizes(
    options: TrainOptions, x: Array, y: NDArray[np.int64], classes: int | None
) -> tuple[int, ...]:
    """Return (D, H1, ..., C) of a network to make for the data; C is `classes` where known."""
    hidden = checks.sizes("hidden_sizes", options["hidden_sizes"], minimum_length=0)
    if classes is not None:
        return _addressable(x, hidden, classes)
    largest = int(y.max())
    if largest == 0:
        raise ValueError("y: all labels are 0; must be of at least 2 classes")
    if largest >= max(_MOST_CLASSES, len(y)):
        raise ValueError(
            f"y: {largest} in row {int(y.argmax())}; labels must be class indices 0 ... C-1"
        )
    return _addressable(x, hidden, largest + 1)


def _addressable(x: Array, hidden: tuple[int, ...], classes: int) -> tuple[int, ...]:
    sizes = (x.shape[1], *hidden, classes)
    checks.addressable("hidden_sizes", hidden, sizes)
    return sizes


def check_agrees(network: NetworkBase, options: TrainOptions) -> None:
    """Raise ValueError for an argument that contradicts the network to go on with."""

    def contradiction(name: str, asked: object, has: object) -> ValueError:
        return ValueError(f"{name}: {asked!r}, but the network has {has!r}; leave {name} out")

    sizes = options["hidden_sizes"]
    if sizes is not DEFAULT_SIZES:
        hidden = checks.sizes("hidden_sizes", sizes, minimum_length=0)
        if hidden != network.layer_sizes[1:-1]:
            raise contradiction("hidden_sizes", hidden, network.layer_sizes[1:-1])
    activation = options["activation"]
    if not isinstance(activation, DefaultText) and activation != network.activation:
        raise contradiction("activation", activation, network.activation)
    dtype = options["dtype"]
    if not isinstance(dtype, DefaultText) and checks.dtype_name(dtype) != network.dtype:
        raise contradiction("dtype", dtype, network.dtype)
    if not isinstance(options["init"], DefaultText):
        raise ValueError(f"init: {options['init']!r}; a network to go on with has its weights")
    normalize = options["normalize"]
    if not isinstance(normalize, DefaultText):
        pair = normalization.check(normalize, features=network.layer_sizes[0], dtype=network.dtype)
        if isinstance(pair, str) or not (
            np.array_equal(pair[0], network.shift) and np.array_equal(pair[1], network.scale)
        ):
            raise ValueError(
                "normalize: differs from the normalisation of the network; leave normalize out"
            )


def validation_arrays(
    options: TrainOptions, sizes: tuple[int, ...], dtype: str
) -> tuple[Array, NDArray[np.int64], Rows | None] | None:
    """Return `validation_data` as the engine reads it."""
    data = options["validation_data"]
    if data is None:
        return None
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        what = f" of length {len(data)}" if isinstance(data, (tuple, list)) else ""
        raise TypeError(f"validation_data: {type(data).__name__}{what}; must be a pair (x, y)")
    names = "validation_data[0]", "validation_data[1]"
    x = checks.as_rows(data[0], features=sizes[0], dtype=dtype, name=names[0])
    y = checks.as_labels(data[1], rows=len(x), classes=sizes[-1], name=names[1])
    return x, y, None
