"""train(): arguments checked, data and network made ready, then the loop over epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twolayer_ext import checks, initializers, normalization
from twolayer_ext.checks import Array
from twolayer_ext.engine import Rows
from twolayer_ext.loop import Callback, Data, EpochEvent, History, Loop, Plan, TrainResult
from twolayer_ext.network import Network, NetworkBase
from twolayer_ext.streams import Purpose, generator

__all__ = ["EpochEvent", "History", "TrainOptions", "TrainResult", "fit", "train"]

OPTIMIZERS = ("sgd", "adam", "adamw")
# Labels are indices: a largest one far beyond the number of rows is a mistake, not a class.
_MOST_CLASSES = 10_000


class DefaultText(str):
    """A default, so that it can be told from the same text passed by the caller."""

    __slots__ = ()


_DEFAULT_SIZES = (512,)  # likewise told apart, by identity
_RELU, _AUTO, _STANDARD, _FLOAT32 = map(DefaultText, ("relu", "auto", "standard", "float32"))

Normalize = str | tuple[ArrayLike, ArrayLike] | None


class TrainOptions(TypedDict, total=False):
    """The keyword arguments of `train`, where they are explained."""

    hidden_sizes: Sequence[int]
    activation: str
    optimizer: str
    learning_rate: float
    learning_rate_decay: float
    momentum: float
    nesterov: bool
    betas: tuple[float, float]
    epsilon: float
    reg: float
    weight_decay: float
    batch_size: int
    epochs: int | None
    max_steps: int | None
    init: str | float
    normalize: Normalize
    validation_data: tuple[ArrayLike, ArrayLike] | None
    validation_fraction: float
    shuffle: bool
    dtype: str
    compute_dtype: str | None
    seed: int
    threads: int | None
    progress: bool | None
    callbacks: Iterable[Callback]
    network: NetworkBase | None


def train(
    x: ArrayLike,
    y: ArrayLike,
    *,
    hidden_sizes: Sequence[int] = _DEFAULT_SIZES,
    activation: str = _RELU,
    optimizer: str = "sgd",
    learning_rate: float = 1e-3,
    learning_rate_decay: float = 0.95,
    momentum: float = 0.0,
    nesterov: bool = False,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    reg: float = 0.0,
    weight_decay: float = 0.0,
    batch_size: int = 128,
    epochs: int | None = 10,
    max_steps: int | None = None,
    init: str | float = _AUTO,
    normalize: Normalize = _STANDARD,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    validation_fraction: float = 0.0,
    shuffle: bool = True,
    dtype: str = _FLOAT32,
    compute_dtype: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool | None = None,
    callbacks: Iterable[Callback] = (),
    network: NetworkBase | None = None,
) -> TrainResult:
    """Train a multi-layer perceptron for classification.

    The same arguments give the same bits, whatever the number of threads. All arguments are
    checked before anything is computed, and before `network` is touched.

    Parameters
    ----------
    x : array_like, shape (N, D)
        uint8, float32 and float64 rows are read where they lie, memory maps and read-only arrays
        too; no float copy is made of them. Other numeric types are converted once.
    y : array_like of integers, shape (N,)
        Class indices 0 ... C-1, where C is the largest label + 1 (with `network`: its classes).
    hidden_sizes : sequence of int, default (512,)
        Units of each hidden layer; ``()`` is softmax regression.
    activation : {"relu", "tanh", "logistic", "identity"}, default "relu"
    optimizer : {"sgd", "adam", "adamw"}, default "sgd"
        As PyTorch defines them; weight decay is coupled in adam and decoupled in adamw.
    learning_rate : float, default 1e-3
    learning_rate_decay : float, default 0.95
        Multiplies the learning rate after every epoch.
    momentum : float in [0, 1), default 0
        For sgd only.
    nesterov : bool, default False
        Nesterov's form of the momentum.
    betas : (float, float) in [0, 1), default (0.9, 0.999)
        For adam and adamw only.
    epsilon : float, default 1e-8
        For adam and adamw only.
    reg : float, default 0
        The study's λ: loss + λ Σ ‖W‖², gradient 2 λ W, biases not included.
    weight_decay : float, default 0
        The optimizer's own, biases included.
    batch_size : int, default 128
        Lowered to the number of training rows where those are fewer.
    epochs : int or None, default 10
        None trains until `max_steps`.
    max_steps : int, optional
        Training ends after this many steps, or after `epochs`, whichever comes first.
    init : str or float, default "auto"
        "he", "glorot", "lecun"; "auto": he for relu, else glorot; a number is the standard
        deviation of a normal draw. Biases start at 0.
    normalize : None, "center", "standard" or (shift, scale), default "standard"
        The network reads (x - shift) / scale. "center" takes the mean of each feature over the
        training rows for the shift, "standard" their standard deviation for the scale, too (1
        for a constant feature). It is part of the network: `predict` takes raw input.
    validation_data : (x, y), optional
        Evaluated after every epoch.
    validation_fraction : float in [0, 1), default 0
        Share of the rows, drawn at random, to validate on instead.
    shuffle : bool, default True
        Draw every epoch's batches in a new order, without replacement; the last batch may be short.
    dtype : {"float32", "float64"}, default "float32"
        Of the parameters and of all arithmetic.
    compute_dtype : {None, "bfloat16"}, default None
        "bfloat16", with dtype "float32": what the products of training read is rounded to 8
        significant bits; sums, parameters, optimizer, loss, evaluation and prediction stay float32.
        Up to twice as fast if ``build_info()["bfloat16"]`` is "native", else slower. The bits do
        not depend on the number of threads, but may on the instruction set.
    seed : int, default 0
        Decides initial weights, order of the rows and choice of the validation rows.
    threads : int, optional
        Default: OMP_NUM_THREADS, else the CPUs this process may use.
    progress : bool, optional
        Show progress on standard error; by default if that is a terminal.
    callbacks : iterable of callables
        Each is called after every epoch with an `EpochEvent`; training stops if one returns True.
    network : Network, optional
        Go on training this very network, in place, with a fresh optimizer. Layer sizes,
        activation, normalisation and dtype are its own; an argument that contradicts them is an
        error.

    Returns
    -------
    TrainResult
        ``.network`` and ``.history``.

    Raises
    ------
    ValueError, TypeError
        A wrong argument; the message names it, what it was and what it should be.
    DivergenceError
        The loss became infinite or nan. ``.result`` holds what there is.
    TrainingInterrupted
        Ctrl-C while the epochs run; a KeyboardInterrupt. ``.result`` holds the network, valid,
        and its history. Before the first epoch Ctrl-C is a plain KeyboardInterrupt.
    """
    options = TrainOptions(
        hidden_sizes=hidden_sizes,
        activation=activation,
        optimizer=optimizer,
        learning_rate=learning_rate,
        learning_rate_decay=learning_rate_decay,
        momentum=momentum,
        nesterov=nesterov,
        betas=betas,
        epsilon=epsilon,
        reg=reg,
        weight_decay=weight_decay,
        batch_size=batch_size,
        epochs=epochs,
        max_steps=max_steps,
        init=init,
        normalize=normalize,
        validation_data=validation_data,
        validation_fraction=validation_fraction,
        shuffle=shuffle,
        dtype=dtype,
        compute_dtype=compute_dtype,
        seed=seed,
        threads=threads,
        progress=progress,
        callbacks=callbacks,
        network=network,
    )
    return fit(Network, x, y, options)


DEFAULTS = cast(TrainOptions, train.__kwdefaults__)


def fit(
    network_class: type[NetworkBase],
    x: ArrayLike,
    y: ArrayLike,
    options: TrainOptions,
    *,
    classes: int | None = None,
) -> TrainResult:
    """Train with the engine of `network_class`; see `prepare`."""
    _, begin = prepare(network_class, x, y, options, classes=classes)
    return begin().run()


def prepare(
    network_class: type[NetworkBase],
    x: ArrayLike,
    y: ArrayLike,
    options: TrainOptions,
    *,
    classes: int | None = None,
) -> tuple[Data, Callable[[], Loop]]:
    """Check every argument of `train`; return the checked data, and what makes the loop over it.

    `options` holds every argument of `train`; `classes` is the C of a new network where it is
    known, by default the labels tell.
    """
    network = options["network"]
    if network is not None and not isinstance(network, network_class):
        raise TypeError(
            f"network: {type(network).__name__}; must be a {network_class.__module__}."
            f"{network_class.__name__}"
        )
    dtype = checks.dtype_name(options["dtype"]) if network is None else network.dtype
    rows = checks.as_rows(
        x, features=None if network is None else network.layer_sizes[0], dtype=dtype
    )
    labels = checks.as_labels(
        y, rows=len(rows), classes=classes if network is None else network.layer_sizes[-1]
    )
    training_rows, validation_rows = _split(options, len(rows))
    plan = _plan(options, len(training_rows))
    trainer_options = _trainer_options(options, dtype)
    if network is None:
        sizes = _layer_sizes(options, rows, labels, classes)
        activation = checks.choice("activation", options["activation"], checks.ACTIVATIONS)
        init = initializers.check(options["init"])
        normalize = normalization.check(options["normalize"], features=sizes[0], dtype=dtype)
    else:
        sizes = network.layer_sizes
        _check_agrees(network, options)
    validation = _validation_data(options, sizes, dtype)
    if validation_rows is not None:
        validation = rows, labels, validation_rows

    data = Data(rows, labels, training_rows, validation)

    def begin() -> Loop:
        """Make network and trainer; all arguments are right."""
        start = network
        if start is None:
            pair = normalize
            if isinstance(pair, str):
                chosen = None if validation_rows is None else training_rows
                pair = normalization.from_data(pair, rows, chosen, dtype)
            start = network_class(
                sizes,
                activation=activation,
                init=init,
                dtype=dtype,
                seed=plan.seed,
                normalize=pair,
            )
        trainer = start.engine.trainer(
            start.core, **trainer_options, batch_size=plan.batch_size, threads=plan.threads
        )
        return Loop(start, trainer, data, plan)

    return data, begin


def _split(options: TrainOptions, count: int) -> tuple[Rows, Rows | None]:
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


def _plan(options: TrainOptions, training_rows: int) -> Plan:
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
    return Plan(
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
    )


def _trainer_options(options: TrainOptions, dtype: str) -> dict[str, Any]:
    """Return the trainer's arguments; those of another optimizer must be at their defaults."""
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


def _layer_sizes(
    options: TrainOptions, x: Array, y: NDArray[np.int64], classes: int | None
) -> tuple[int, ...]:
    hidden = checks.sizes("hidden_sizes", options["hidden_sizes"], minimum_length=0)
    if classes is not None:
        return x.shape[1], *hidden, classes
    largest = int(y.max())
    if largest == 0:
        raise ValueError("y: all labels are 0; must be of at least 2 classes")
    if largest >= max(_MOST_CLASSES, len(y)):
        raise ValueError(
            f"y: {largest} in row {int(y.argmax())}; labels must be class indices 0 ... C-1"
        )
    sizes = (x.shape[1], *hidden, largest + 1)
    checks.addressable("hidden_sizes", hidden, sizes)
    return sizes


def _check_agrees(network: NetworkBase, options: TrainOptions) -> None:
    """Raise ValueError for an argument that contradicts the network to go on with."""

    def contradiction(name: str, asked: object, has: object) -> ValueError:
        return ValueError(f"{name}: {asked!r}, but the network has {has!r}; leave {name} out")

    sizes = options["hidden_sizes"]
    if sizes is not _DEFAULT_SIZES:
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


def _validation_data(
    options: TrainOptions, sizes: tuple[int, ...], dtype: str
) -> tuple[Array, NDArray[np.int64], Rows | None] | None:
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
