"""The options of `train`: their types, and what is checked of them before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks, frames, losses, optimizers
from twolayer_ext.checks import Array
from twolayer_ext.engine import RowNumbers, Techniques, Weights
from twolayer_ext.losses import Task
from twolayer_ext.names import (
    ActivationName,
    DtypeName,
    InitName,
    LossArgument,
    NormalizeName,
    OptimizerArgument,
)
from twolayer_ext.network import NetworkBase, normalization, techniques
from twolayer_ext.optimizers import Optimizer
from twolayer_ext.rows import Rows, as_rows
from twolayer_ext.schedules import Schedule
from twolayer_ext.streams import Purpose, generator
from twolayer_ext.training import defaults
from twolayer_ext.training.augment import Augment, augment_options
from twolayer_ext.training.defaults import default
from twolayer_ext.training.option_table import OPTIONS
from twolayer_ext.training.plan import Callback, Factors, Plan
from twolayer_ext.unset import UNSET, Unset

Normalize = NormalizeName | tuple[ArrayLike, ArrayLike] | None
ClassWeight = Literal["balanced"] | Sequence[float] | Mapping[Any, float] | None


class TrainOptions(TypedDict, total=False):
    """The keyword arguments of `train`, where they are explained."""

    hidden_sizes: Sequence[int] | Unset
    activation: ActivationName | Unset
    loss: LossArgument | None
    optimizer: OptimizerArgument | Unset
    learning_rate: float | None
    learning_rate_decay: float | Unset
    schedule: Schedule | None
    momentum: float | None
    nesterov: bool | None
    betas: tuple[float, float] | None
    epsilon: float | None
    alpha: float | None
    centred: bool | None
    reg: float
    weight_decay: float | None
    clip_norm: float | None
    dropout: float | Sequence[float]
    batch_norm: bool
    label_smoothing: float
    class_weight: ClassWeight
    sample_weight: ArrayLike | None
    augment: Augment | None
    batch_size: int | None
    epochs: int | None
    max_steps: int | None
    init: InitName | float | Unset
    normalize: Normalize | Unset
    normalize_targets: bool
    validation_data: tuple[ArrayLike, ArrayLike] | None
    validation_fraction: float
    early_stopping: int | None
    average_epochs: int
    shuffle: bool
    dtype: DtypeName | Unset
    compute_dtype: Literal["float32", "float64", "bfloat16"] | None
    seed: int
    threads: int | None
    progress: bool | None
    callbacks: Iterable[Callback]
    network: Any  # of the class that trains: each `train` says which
    state: Mapping[str, Any] | None
    checkpoint: str | os.PathLike[str] | None
    checkpoint_every: int | None
    checkpoint_seconds: float | None
    resume: str | os.PathLike[str] | None


@dataclass(frozen=True, eq=False)
class KnownFactors:
    """A schedule that was asked for all steps already, and answered finite numbers from 0 on."""

    factors: NDArray[np.float64]


def split_rows(options: TrainOptions, count: int) -> tuple[RowNumbers, RowNumbers | None]:
    """Return the rows to train on and those to validate on, both ascending."""
    fraction = OPTIONS["validation_fraction"].number(options["validation_fraction"])
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
    seed = OPTIONS["seed"].integer(options["seed"])
    order = generator(seed, Purpose.SPLIT).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def make_plan(options: TrainOptions, training_rows: int, learning_rate: float) -> Plan:
    """Return what the loop is to do, on that many rows; `learning_rate` is the optimizer's own."""
    callbacks = options["callbacks"]
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks: {callbacks!r}; must be a sequence of functions, such as (f,)")
    callbacks = tuple(callbacks)
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks: holds {callback!r}; must hold functions")

    def given(name: str) -> int | None:
        value = options[name]  # type: ignore[literal-required]
        return None if value is None else OPTIONS[name].integer(value)

    batch_size = given("batch_size")
    if batch_size is None:
        batch_size = defaults.batch_size(training_rows)
    batch_size = min(batch_size, training_rows)
    epochs, max_steps = given("epochs"), given("max_steps")
    if epochs is None and max_steps is None:
        epochs = defaults.epochs(training_rows, batch_size)
    rate, progress = options["learning_rate"], options["progress"]
    plan = Plan(
        batch_size=batch_size,
        epochs=epochs,
        max_steps=max_steps,
        learning_rate=learning_rate if rate is None else OPTIONS["learning_rate"].number(rate),
        learning_rate_decay=1.0,
        shuffle=OPTIONS["shuffle"].yes(options["shuffle"]),
        seed=OPTIONS["seed"].integer(options["seed"]),
        threads=checks.thread_count(options["threads"]),
        progress=None if progress is None else OPTIONS["progress"].yes(progress),
        callbacks=callbacks,
        early_stopping=_patience(options),
        average_epochs=OPTIONS["average_epochs"].integer(options["average_epochs"]),
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
    decay, factors = _rates(options, steps)
    return replace(plan, learning_rate_decay=decay, factors=factors)


def _patience(options: TrainOptions) -> int | None:
    if options["early_stopping"] is None:
        return None
    patience = OPTIONS["early_stopping"].integer(options["early_stopping"])
    if options["validation_data"] is None and options["validation_fraction"] == 0:
        raise ValueError(
            f"early_stopping: {patience} without validation data; must come with validation_data "
            "or validation_fraction"
        )
    return patience


def _rates(options: TrainOptions, steps: int) -> tuple[float, Factors | None]:
    """Return the decay of the learning rate, or every step's factor where a schedule decides."""
    schedule, decay = options["schedule"], options["learning_rate_decay"]
    if decay is not UNSET:
        decay = OPTIONS["learning_rate_decay"].number(decay)
        if schedule is not None:
            raise ValueError(
                f"learning_rate_decay: {decay} together with schedule; must be one of the two"
            )
        return decay, None
    if schedule is None:  # our own: nothing wrong can come out, so it is asked when it is time
        own: Schedule = defaults.DEFAULTS["schedule"]
        return 1.0, lambda begin, end: np.array([own(step, steps) for step in range(begin, end)])
    if isinstance(schedule, KnownFactors):
        return 1.0, lambda begin, end: schedule.factors[begin:end]
    check_schedule(schedule)
    factors = factors_of(schedule, 0, steps, steps)
    return 1.0, lambda begin, end: factors[begin:end]


def check_schedule(schedule: object) -> None:
    """Raise TypeError for what cannot be called."""
    if not callable(schedule):
        raise TypeError(
            f"schedule: {schedule!r}; must be a function (step, steps) -> factor, such as "
            "schedules.cosine()"
        )


def factors_of(schedule: Schedule, begin: int, end: int, steps: int) -> Weights:
    """Return the checked factors of steps `begin` to `end` - 1, out of `steps`."""
    return np.fromiter(
        (
            checks.number(f"schedule({step}, {steps})", schedule(step, steps), minimum=0)
            for step in range(begin, end)
        ),
        np.float64,
        end - begin,
    )


def optimizer_of(
    options: TrainOptions, dtype: str, training_rows: int, hidden_layers: int
) -> Optimizer:
    """Return the optimizer; another's hyper-parameters must not be given.

    Where none of what moves the weights is chosen, they decay by the size of the data; but not
    those of a linear model, which has none too many.
    """
    weight_decay = options["weight_decay"]
    free = options["optimizer"] is UNSET and options["learning_rate"] is None
    if free and weight_decay is None and options["reg"] == 0 and hidden_layers:
        weight_decay = defaults.weight_decay(training_rows)
    optimizer = optimizers.make(
        default("optimizer", options["optimizer"]),
        momentum=options["momentum"],
        nesterov=options["nesterov"],
        betas=options["betas"],
        epsilon=options["epsilon"],
        alpha=options["alpha"],
        centred=options["centred"],
        weight_decay=weight_decay,
    )
    optimizer.check_dtype(dtype)
    return optimizer


def techniques_of(options: TrainOptions, sizes: tuple[int, ...], batch_size: int) -> Techniques:
    """Return all techniques beside the optimizer."""
    batch_norm = OPTIONS["batch_norm"].yes(options["batch_norm"])
    if batch_norm and options["network"] is not None and options["state"] is None:
        raise ValueError(
            "batch_norm: True with a network to go on with; a trained network has it folded into "
            "its weights, so it can only be had from the start, or with the state of a result"
        )
    if batch_norm and batch_size == 1:
        raise ValueError(
            "batch_norm: True with batches of one row; must come with a batch_size of at least 2"
        )
    clip_norm = options["clip_norm"]
    return Techniques(
        dropout=techniques.dropout_shares(options["dropout"], len(sizes) - 2),
        batch_norm=batch_norm,
        clip_norm=0.0 if clip_norm is None else OPTIONS["clip_norm"].number(clip_norm),
        augment=augment_options(options["augment"], sizes[0]),
        seed=OPTIONS["seed"].integer(options["seed"]) % 2**64,
    )


def layer_sizes(options: TrainOptions, x: Rows, outputs: int) -> tuple[int, ...]:
    """Return (D, H1, ..., K) of a network to make for the data."""
    hidden = checks.sizes(
        "hidden_sizes", default("hidden_sizes", options["hidden_sizes"]), minimum_length=0
    )
    sizes = (x.shape[1], *hidden, outputs)
    checks.addressable("hidden_sizes", hidden, sizes)
    return sizes


def check_agrees(network: NetworkBase, options: TrainOptions) -> None:
    """Raise ValueError for an argument that contradicts the network to go on with."""

    def contradiction(name: str, asked: object, has: object) -> ValueError:
        return ValueError(f"{name}: {asked!r}, but the network has {has!r}; leave {name} out")

    sizes = options["hidden_sizes"]
    if sizes is not UNSET:
        hidden = checks.sizes("hidden_sizes", sizes, minimum_length=0)
        if hidden != network.layer_sizes[1:-1]:
            raise contradiction("hidden_sizes", hidden, network.layer_sizes[1:-1])
    activation = options["activation"]
    if activation is not UNSET and activation != network.activation:
        raise contradiction("activation", activation, network.activation)
    if options["loss"] is not None:
        loss = losses.make(options["loss"])
        has = network.task.loss.without_smoothing()
        if loss.without_smoothing() != has and not isinstance(has, losses.CustomLoss):
            raise contradiction("loss", options["loss"], network.task.loss.name)
    dtype = options["dtype"]
    if dtype is not UNSET and checks.dtype_name(dtype) != network.dtype:
        raise contradiction("dtype", dtype, network.dtype)
    if options["init"] is not UNSET:
        raise ValueError(f"init: {options['init']!r}; a network to go on with has its weights")
    normalize = options["normalize"]
    if normalize is not UNSET:
        pair = normalization.check(normalize, features=network.layer_sizes[0], dtype=network.dtype)
        if isinstance(pair, str) or not (
            np.array_equal(pair[0], network.shift) and np.array_equal(pair[1], network.scale)
        ):
            raise ValueError(
                "normalize: differs from the normalisation of the network; leave normalize out"
            )


def validation_arrays(
    options: TrainOptions,
    task: Task,
    features: int,
    feature_names: tuple[str, ...] | None,
    dtype: str,
) -> tuple[Rows, Array, RowNumbers | None] | None:
    """Return `validation_data` as the engine reads it."""
    data = options["validation_data"]
    if data is None:
        return None
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        what = f" of length {len(data)}" if isinstance(data, (tuple, list)) else ""
        raise TypeError(f"validation_data: {type(data).__name__}{what}; must be a pair (x, y)")
    names = "validation_data[0]", "validation_data[1]"
    ordered = frames.in_order(data[0], feature_names, names[0])
    x = as_rows(ordered, features=features, dtype=dtype, name=names[0])
    return x, task.encode(data[1], rows=len(x), name=names[1]), None
