"""train(): arguments checked, data and network made ready, then the loop over epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from numpy.typing import ArrayLike

from twolayer_ext import checks
from twolayer_ext.network import Network, initializers, normalization, techniques
from twolayer_ext.schedules import Schedule
from twolayer_ext.training.augment import Augment
from twolayer_ext.training.loop import Callback, Data, Loop, NetworkT, TrainResult, Watch
from twolayer_ext.training.options import (
    DEFAULT_SIZES,
    DefaultNumber,
    DefaultText,
    Normalize,
    TrainOptions,
    check_agrees,
    layer_sizes,
    make_plan,
    optimizer_options,
    split_rows,
    technique_options,
    validation_arrays,
)

_RELU, _AUTO, _STANDARD, _FLOAT32 = map(DefaultText, ("relu", "auto", "standard", "float32"))
_DECAY = DefaultNumber(0.95)


def train(
    x: ArrayLike,
    y: ArrayLike,
    *,
    hidden_sizes: Sequence[int] = DEFAULT_SIZES,
    activation: str = _RELU,
    optimizer: str = "sgd",
    learning_rate: float = 1e-3,
    learning_rate_decay: float = _DECAY,
    schedule: Schedule | None = None,
    momentum: float = 0.0,
    nesterov: bool = False,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    reg: float = 0.0,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    dropout: float | Sequence[float] = 0.0,
    batch_norm: bool = False,
    label_smoothing: float = 0.0,
    class_weight: str | Sequence[float] | Mapping[int, float] | None = None,
    sample_weight: ArrayLike | None = None,
    augment: Augment | None = None,
    batch_size: int = 128,
    epochs: int | None = 10,
    max_steps: int | None = None,
    init: str | float = _AUTO,
    normalize: Normalize = _STANDARD,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    validation_fraction: float = 0.0,
    early_stopping: int | None = None,
    average_epochs: int = 0,
    shuffle: bool = True,
    dtype: str = _FLOAT32,
    compute_dtype: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool | None = None,
    callbacks: Iterable[Callback] = (),
    network: Network | None = None,
) -> TrainResult[Network]:
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
        Multiplies the learning rate after every epoch; without `schedule` only.
    schedule : callable, optional
        ``schedule(step, steps)`` gives what multiplies the learning rate in a step, see
        `schedules`; it is asked for all steps before training begins.
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
    clip_norm : float, optional
        The gradients of a step, all together, are scaled down to this norm where theirs is larger
        (Pascanu, Mikolov and Bengio 2013). They then go by way of memory, which costs some speed.
    dropout : float in [0, 1), or one a hidden layer, default 0
        Share of each hidden layer's outputs that is left out in a step, the others being scaled up
        (Srivastava et al. 2014); rounded to a multiple of 1 / 65536.
    batch_norm : bool, default False
        Normalise the hidden layers' pre-activations over each batch (Ioffe and Szegedy 2015). After
        every epoch the running statistics are folded into the network's weights and biases, so what
        comes out is an ordinary network. Not with `network`; `batch_size` must be at least 2.
    label_smoothing : float in [0, 1), default 0
        This share of each label is spread evenly over all classes (Szegedy et al. 2016).
    class_weight : "balanced", one number a class, or {class: weight}, optional
        Weights of the classes in the loss, 1 where not given; "balanced" makes every class weigh
        the same, by the rows trained on. The loss of a batch is the mean of its samples' losses
        weighted by class_weight times sample_weight; validation is not weighted.
    sample_weight : array_like, shape (N,), optional
        Weights of the rows, not negative.
    augment : Augment, optional
        Change images at random on their way into the batch: ``tl.Augment((3, 32, 32), shift=4)``.
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
    early_stopping : int, optional
        Stop after this many epochs in a row without a smaller val_loss than ever before. Whenever
        training ends, the network gets the parameters of the epoch with the smallest one back,
        unless Ctrl-C ended it.
    average_epochs : int, default 0
        Let the network's parameters at the end be the mean of those after each of the last so
        many epochs (stochastic weight averaging; Izmailov et al., 2018). The last entries of
        val_loss and val_accuracy are those of the mean. Where training ends before the epochs
        planned, by a callback or Ctrl-C, nothing is averaged.
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
        activation, normalisation, dtype and weights are its own; an argument that contradicts
        them is an error. So leave out `init`, and a `normalize` of "center" or "standard", when
        options come from `recipes`; `hidden_sizes`, `activation`, `dtype` and a `normalize` of
        (shift, scale) may stay where they agree.

    Returns
    -------
    TrainResult
        ``.network``, ``.history`` and ``.best_epoch``.

    Raises
    ------
    ValueError, TypeError
        A wrong argument; the message names it, what it was and what it should be.
    DivergenceError
        The loss, val_loss or, at the end, a parameter became infinite or nan. ``.result`` holds
        what there is.
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
        schedule=schedule,
        momentum=momentum,
        nesterov=nesterov,
        betas=betas,
        epsilon=epsilon,
        reg=reg,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
        dropout=dropout,
        batch_norm=batch_norm,
        label_smoothing=label_smoothing,
        class_weight=class_weight,
        sample_weight=sample_weight,
        augment=augment,
        batch_size=batch_size,
        epochs=epochs,
        max_steps=max_steps,
        init=init,
        normalize=normalize,
        validation_data=validation_data,
        validation_fraction=validation_fraction,
        early_stopping=early_stopping,
        average_epochs=average_epochs,
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
    network_class: type[NetworkT],
    x: ArrayLike,
    y: ArrayLike,
    options: TrainOptions,
    *,
    classes: int | None = None,
    watch: Watch | None = None,
) -> TrainResult[NetworkT]:
    """Train with the engine of `network_class`; see `prepare`, and `Loop` for `watch`."""
    _, begin = prepare(network_class, x, y, options, classes=classes)
    loop = begin()
    loop.watch = watch
    return loop.run()


def prepare(
    network_class: type[NetworkT],
    x: ArrayLike,
    y: ArrayLike,
    options: TrainOptions,
    *,
    classes: int | None = None,
) -> tuple[Data, Callable[[], Loop[NetworkT]]]:
    """Check every argument of `train`; return the checked data, and what makes the loop over it.

    `options` holds every argument of `train`; `classes` is the C of a new network where it is
    known, by default the labels tell.
    """
    network = options["network"]
    if network is not None and not isinstance(network, network_class):
        room = network_class.__module__.rpartition(".")[0]
        raise TypeError(
            f"network: {type(network).__name__}; must be a {room}.{network_class.__name__}"
        )
    dtype = checks.dtype_name(options["dtype"]) if network is None else network.dtype
    rows = checks.as_rows(
        x, features=None if network is None else network.layer_sizes[0], dtype=dtype
    )
    labels = checks.as_labels(
        y, rows=len(rows), classes=classes if network is None else network.layer_sizes[-1]
    )
    training_rows, validation_rows = split_rows(options, len(rows))
    plan = make_plan(options, len(training_rows))
    optimizer = optimizer_options(options, dtype)
    if network is None:
        sizes = layer_sizes(options, rows, labels, classes)
        activation = checks.choice("activation", options["activation"], checks.ACTIVATIONS)
        init = initializers.check(options["init"])
        normalize = normalization.check(options["normalize"], features=sizes[0], dtype=dtype)
    else:
        sizes = network.layer_sizes
        check_agrees(network, options)
    extras = technique_options(options, sizes, plan.batch_size)
    weights = techniques.sample_weights(
        options["sample_weight"], options["class_weight"], labels, training_rows, sizes[-1]
    )
    validation = validation_arrays(options, sizes, dtype)
    if validation_rows is not None:
        validation = rows, labels, validation_rows
    data = Data(rows, labels, training_rows, validation, weights)

    def begin() -> Loop[NetworkT]:
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
            start.core,
            **optimizer,
            **extras,
            batch_size=plan.batch_size,
            threads=plan.threads,
        )
        return Loop(start, trainer, data, plan)

    return data, begin
