"""train(): arguments checked, data and network made ready, then the loop over epochs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from numpy.typing import ArrayLike

from twolayer_ext import checks, frames, losses
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.checks import Array
from twolayer_ext.losses import Task
from twolayer_ext.names import (
    ActivationName,
    DtypeName,
    InitName,
    LossArgument,
    OptimizerArgument,
)
from twolayer_ext.network import Network, NetworkBase, initializers, normalization, techniques
from twolayer_ext.network.serialization import NetworkState
from twolayer_ext.rows import Sparse, as_rows
from twolayer_ext.schedules import Schedule
from twolayer_ext.training import continuation, defaults
from twolayer_ext.training.augment import Augment
from twolayer_ext.training.defaults import default
from twolayer_ext.training.loop import Loop
from twolayer_ext.training.option_table import OPTIONS
from twolayer_ext.training.options import (
    ClassWeight,
    Normalize,
    TrainOptions,
    check_agrees,
    layer_sizes,
    make_plan,
    optimizer_of,
    split_rows,
    techniques_of,
    validation_arrays,
)
from twolayer_ext.training.plan import Callback, Data, Watch
from twolayer_ext.training.result import NetworkT, TrainResult
from twolayer_ext.unset import UNSET, Unset


def train(
    x: ArrayLike,
    y: ArrayLike,
    *,
    hidden_sizes: Sequence[int] | Unset = UNSET,
    activation: ActivationName | Unset = UNSET,
    loss: LossArgument | None = None,
    optimizer: OptimizerArgument | Unset = UNSET,
    learning_rate: float | None = None,
    learning_rate_decay: float | Unset = UNSET,
    schedule: Schedule | None = None,
    momentum: float | None = None,
    nesterov: bool | None = None,
    betas: tuple[float, float] | None = None,
    epsilon: float | None = None,
    alpha: float | None = None,
    centred: bool | None = None,
    reg: float = 0.0,
    weight_decay: float | None = None,
    clip_norm: float | None = None,
    dropout: float | Sequence[float] = 0.0,
    batch_norm: bool = False,
    label_smoothing: float = 0.0,
    class_weight: ClassWeight = None,
    sample_weight: ArrayLike | None = None,
    augment: Augment | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    max_steps: int | None = None,
    init: InitName | float | Unset = UNSET,
    normalize: Normalize | Unset = UNSET,
    normalize_targets: bool = True,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    validation_fraction: float = 0.0,
    early_stopping: int | None = None,
    average_epochs: int = 0,
    shuffle: bool = True,
    dtype: DtypeName | Unset = UNSET,
    compute_dtype: Literal["float32", "float64", "bfloat16"] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool | None = None,
    callbacks: Iterable[Callback] = (),
    network: Network | None = None,
    state: Mapping[str, Any] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    checkpoint_seconds: float | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> TrainResult[Network]:
    """Train a multi-layer perceptron.

    With no option but the data it classifies where y holds labels and predicts numbers where y
    holds those. The same arguments give the same bits, whatever the number of threads. All
    arguments are checked before anything is computed, and before `network` is touched.

    Parameters
    ----------
    x : array_like, frame or sparse matrix, shape (N, D)
        Rows of 8- and 16-bit integers, float16, float32 and float64 are read where they lie, in any
        memory order, memory maps and read-only arrays too; SciPy's CSR is never made dense. Other
        numeric types are converted once. Names of a frame's columns are kept.
    y : array_like, shape (N,) or (N, columns)
        Labels of any type: integers, strings, booleans, whole floats; `predict` gives them back.
        Or numbers; a matrix of 0 and 1 for labels of which several can hold.
    hidden_sizes : sequence of int, default (512,)
        Units of each hidden layer; ``()`` is a linear model.
    activation : str, default "relu"
        "identity", "relu", "tanh", "logistic", "leaky_relu", "elu", "selu", "softplus", "gelu",
        "gelu_tanh", "silu" or "mish", as PyTorch defines them.
    loss : str, object of `losses` or callable, optional
        "cross_entropy" of classes, "logistic" of two classes with one output or of a matrix of
        labels, "squared_error", "absolute_error", "huber", "poisson" (of counts, with log link),
        "quantile" (levels 0.1, 0.5 and 0.9), or with parameters ``tl.losses.Huber(delta=2.0)``. A
        function ``f(outputs, targets) -> (losses (N,), gradient (N, K))`` is called between the
        halves of each step; see `losses.CustomLoss`. Default: cross_entropy for labels, logistic
        for a matrix of 0 and 1, else squared_error.
    optimizer : str or object of `optimizers`, default "adamw"
        "sgd", "adam", "adamw", "rmsprop", as PyTorch defines them, or "lion".
    learning_rate : float, optional
        Default: the optimizer's own, 0.001 for adam and adamw.
    learning_rate_decay : float, optional
        Multiplies the learning rate after every epoch, in place of a schedule; 1 leaves it alone.
    schedule : callable, optional
        ``schedule(step, steps)`` gives what multiplies the learning rate in a step, see
        `schedules`; it is asked for all steps before training begins. Default: `schedules.cosine`.
    momentum : float in [0, 1), default 0
        Of sgd and rmsprop.
    nesterov : bool, default False
        Nesterov's form of sgd's momentum.
    betas : (float, float) in [0, 1), default (0.9, 0.999), for lion (0.9, 0.99)
        Of adam, adamw and lion.
    epsilon : float, default 1e-8
        Of adam, adamw and rmsprop.
    alpha : float in [0, 1), default 0.99
        Of rmsprop.
    centred : bool, default False
        Of rmsprop.
    reg : float, default 0
        The study's λ: loss + λ Σ ‖W‖², gradient 2 λ W, biases not included.
    weight_decay : float, default 0
        The optimizer's own, biases included. Where neither `optimizer`, `learning_rate` nor `reg`
        is given either and there are hidden layers, the default is 1000 / N, at most 3, with N the
        number of training rows.
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
        This share of each label is spread evenly over all classes (Szegedy et al. 2016); for
        cross_entropy and logistic.
    class_weight : "balanced", one number a class, or {label: weight}, optional
        Weights of the classes in the loss, 1 where not given; "balanced" makes every class weigh
        the same, by the rows trained on. The loss of a batch is the mean of its samples' losses
        weighted by class_weight times sample_weight; validation is not weighted. With
        `label_smoothing` and cross-entropy each class's share of a label has that class's own
        weight, as in PyTorch's CrossEntropyLoss.
    sample_weight : array_like, shape (N,), optional
        Weights of the rows, not negative.
    augment : Augment, optional
        Change images at random on their way into the batch: ``tl.Augment((3, 32, 32), shift=4)``.
    batch_size : int, optional
        Default: 32 to 256, by the number of training rows; lowered to that number where it is
        larger.
    epochs : int, optional
        Default: as many as make about 2000 steps, at least 10 and at most 1000; without end where
        `max_steps` is given.
    max_steps : int, optional
        Training ends after this many steps, or after `epochs`, whichever comes first.
    init : str or float, default "auto"
        "he", "glorot", "lecun"; "auto": what suits the activation, he for relu; a number is the
        standard deviation of a normal draw. Biases start at 0.
    normalize : None, "center", "standard", "scale" or (shift, scale), default "standard"
        The network reads (x - shift) / scale. "center" takes the mean of each feature over the
        training rows for the shift, "standard" their standard deviation for the scale, too (1
        for a constant feature); "scale" divides by the largest magnitude, and is the default for
        sparse rows, whose zeros stay zeros. It is part of the network: `predict` takes raw input.
    normalize_targets : bool, default True
        Let the outputs for numbers be mean + standard deviation · z, both of the training targets,
        or for counts start at their mean. It is part of the network; losses and predictions are in
        the targets' own units.
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
        val_loss and its score are those of the mean. Where training ends before the epochs
        planned, by a callback or Ctrl-C, nothing is averaged.
    shuffle : bool, default True
        Draw every epoch's batches in a new order, without replacement; the last batch may be short.
    dtype : {"float32", "float64"}, default "float32"
        Of the parameters and of all arithmetic.
    compute_dtype : {None, "bfloat16"}, default None
        "bfloat16", with dtype "float32": what the products of training read is rounded to 8
        significant bits; sums, parameters, optimizer, loss, evaluation and prediction stay float32.
        Up to twice as fast if ``build_info()["bfloat16"]`` is "native", else slower. The bits do
        not depend on the number of threads, but may on the instruction set. Not for sparse rows.
    seed : int, default 0
        Decides initial weights, order of the rows and choice of the validation rows.
    threads : int, optional
        Default: OMP_NUM_THREADS, else the CPUs this process may use.
    progress : bool, optional
        Show progress on standard error; by default if that is a terminal.
    callbacks : iterable of callables
        Each is called after every epoch with an `EpochEvent`; training stops if one returns True.
    network : Network, optional
        Go on training this very network, in place, with a fresh optimizer unless `state` is given
        too. Layer sizes, activation, loss, classes, normalisation, dtype and weights are its own;
        an argument that contradicts them is an error. So leave out `init`, and a `normalize` by
        name, when options come from `recipes`; `hidden_sizes`, `activation`, `loss`, `dtype` and a
        `normalize` of (shift, scale) may stay where they agree.
    state : dict, optional
        With `network`: the `TrainResult.state` of the training that it comes from. Its optimizer's
        state, batch normalisation, order of rows and random numbers go on where they were, so that
        two trainings of an epoch give the bits of one of two, with a constant learning rate and
        otherwise the same options. Schedule and history begin anew.
    checkpoint : path-like, optional
        A file that the training can be resumed from, written whole or not at all while it runs and
        when it ends; the one before it is kept as ``PATH.previous``. Ctrl-C and SIGTERM then wait
        for the step or callback in hand and a last checkpoint; a second one does not. A checkpoint
        that cannot be written is a RuntimeWarning, and the training goes on; of the last one, an
        error.
    checkpoint_every : int, optional
        Epochs between checkpoints.
    checkpoint_seconds : float, optional
        Seconds between checkpoints, which may fall in the middle of an epoch. Default: 60, unless
        `checkpoint_every` is given.
    resume : path-like, optional
        A checkpoint to go on with, to the bits of a training that was never stopped. x, y and other
        data must be given again, and a loss that is a function; all other options are those of the
        checkpoint: what is given beside must agree. `epochs`, `max_steps` and `early_stopping` may
        be others, with `schedule` or `learning_rate_decay` for the rates from then on; `threads`,
        `progress` and `callbacks` are free. Checkpoints go on to the same file, unless
        `checkpoint` names another.

    Returns
    -------
    TrainResult
        ``.network``, ``.history``, ``.best_epoch`` and ``.state``.

    Raises
    ------
    ValueError, TypeError
        A wrong argument; the message names it, what it was and what it should be.
    DivergenceError
        The loss, val_loss or, at the end, a parameter became infinite or nan. ``.result`` holds
        what there is.
    FileFormatError
        `resume` names a file that is damaged, or no checkpoint.
    OSError
        `resume` cannot be read; `checkpoint` cannot be written. Nothing was computed.
    CheckpointError
        The last checkpoint could not be written. ``.result`` holds all that training gave.
    TrainingInterrupted
        Ctrl-C while the epochs run; a KeyboardInterrupt. ``.result`` holds the network, valid,
        and its history. Before the first epoch Ctrl-C is a plain KeyboardInterrupt.
    NetworkBusyError
        `network` is being trained by another call.

    Notes
    -----
    x and what it is made of are read in place until training ends: rows that another thread
    changes meanwhile are trained on as they are found, and the indices of a sparse matrix must not
    be changed. A memory map's file must not be made shorter: the system then ends the process
    (SIGBUS). `predict` in another thread, while `network` is being trained, sees parameters of
    more than one step.
    """
    options = TrainOptions(
        hidden_sizes=hidden_sizes,
        activation=activation,
        loss=loss,
        optimizer=optimizer,
        learning_rate=learning_rate,
        learning_rate_decay=learning_rate_decay,
        schedule=schedule,
        momentum=momentum,
        nesterov=nesterov,
        betas=betas,
        epsilon=epsilon,
        alpha=alpha,
        centred=centred,
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
        normalize_targets=normalize_targets,
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
        state=state,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
    )
    return fit(Network, x, y, options)


DEFAULTS = cast(TrainOptions, train.__kwdefaults__)


def fit(
    network_class: type[NetworkT],
    x: ArrayLike | Sparse,
    y: ArrayLike,
    options: TrainOptions,
    *,
    classes: object = None,
    watch: Watch | None = None,
) -> TrainResult[NetworkT]:
    """Train with the engine of `network_class`; see `prepare`, and `Loop` for `watch`."""
    _, begin = prepare(network_class, x, y, options, classes=classes)
    loop = begin()
    loop.watch = watch
    return loop.run()


def prepare(
    network_class: type[NetworkT],
    x: ArrayLike | Sparse,
    y: ArrayLike,
    options: TrainOptions,
    *,
    classes: object = None,
) -> tuple[Data, Callable[[], Loop[NetworkT]]]:
    """Check every argument of `train`; return the checked data, and what makes the loop over it.

    `options` holds every argument of `train`; rows that `as_rows` has read are taken, too, as x
    and in `validation_data`. `classes` are the labels of a new network where
    they are known, or their number, by default y tells.
    """
    start_from = continuation.begin(network_class, options, DEFAULTS)
    options, network = start_from.options, start_from.network
    dtype = checks.dtype_name(
        default("dtype", options["dtype"]) if network is None else network.dtype
    )
    feature_names = frames.column_names(x) if network is None else network.feature_names
    features = None if network is None else network.layer_sizes[0]
    ordered = frames.in_order(x, feature_names)
    rows = as_rows(ordered, features=features, dtype=dtype)
    sparse = isinstance(rows, Sparse)
    task, targets = _task(network, y, len(rows), options, classes)
    training_rows, validation_rows = split_rows(options, len(rows))
    sizes = network.layer_sizes if network else layer_sizes(options, rows, task.outputs)
    optimizer = optimizer_of(options, dtype, len(training_rows), hidden_layers=len(sizes) - 2)
    plan = make_plan(options, len(training_rows), optimizer.learning_rate)
    start_from.check_plan(plan, len(training_rows))
    reg = OPTIONS["reg"].number(options["reg"])
    compute_dtype = checks.compute_dtype_name(options["compute_dtype"], dtype)
    if network is None:
        activation = checks.choice(
            "activation", default("activation", options["activation"]), tuple(ACTIVATIONS)
        )
        init = initializers.check(default("init", options["init"]))
        chosen = options["normalize"]
        if chosen is UNSET:
            chosen = defaults.normalize(sparse)
        normalize = normalization.check(chosen, features=sizes[0], dtype=dtype)
        if sparse:
            normalization.check_sparse(normalize)
    else:
        if options["network"] is not None:
            check_agrees(network, options)
        if sparse:
            normalization.check_sparse((network.shift, network.scale))
    of_techniques = techniques_of(options, sizes, plan.batch_size)
    for name, given in (("augment", of_techniques.augment), ("compute_dtype", compute_dtype)):
        if sparse and given not in (None, dtype):
            raise ValueError(f"{name}: {given!r} with a sparse matrix; must be left out")
    normalize_targets = OPTIONS["normalize_targets"].yes(options["normalize_targets"])
    weights, of_classes = techniques.weights_in_loss(
        options["sample_weight"], options["class_weight"], task, targets, training_rows
    )
    validation = validation_arrays(options, task, sizes[0], feature_names, dtype)
    if validation_rows is not None:
        validation = rows, targets, validation_rows
    data = Data(rows, targets, training_rows, validation, weights)
    start_from.check_state(optimizer, sizes, dtype, of_techniques.batch_norm)
    checkpoints = start_from.checkpoints(data, plan)

    def begin() -> Loop[NetworkT]:
        """Make network and trainer; all arguments are right."""
        start = network
        trained_on = targets if validation_rows is None else targets[training_rows]
        if start is None:
            pair = normalize
            if isinstance(pair, str):
                numbers = None if validation_rows is None else training_rows
                pair = normalization.from_data(pair, rows, numbers, dtype)
            scaling = None
            if normalize_targets:
                of_rows = None if weights is None else weights[training_rows]
                scaling = task.loss.output_scaling(targets[training_rows], of_rows)
            start = network_class.from_state(
                NetworkState(
                    sizes,
                    activation,
                    dtype,
                    *pair,
                    initializers.parameters(
                        sizes, init=init, activation=activation, seed=plan.seed
                    ),
                    task,
                    *normalization.targets_in(scaling, sizes[-1], dtype),
                    feature_names,
                )
            )
        loss = task.loss
        trainer = start.engine.trainer(
            start.core,
            optimizer=optimizer,
            loss=start.engine.loss(loss, sizes[-1], loss.score_scale(trained_on), of_classes),
            techniques=of_techniques,
            reg=reg,
            batch_size=plan.batch_size,
            threads=plan.threads,
            compute_dtype=compute_dtype,
        )
        if start_from.trainer is not None:
            trainer.set_state(start_from.trainer)
        return Loop(
            start, trainer, loss, data, plan, record=start_from.record, checkpoints=checkpoints
        )

    return data, begin


def _task(
    network: NetworkBase | None,
    y: ArrayLike,
    rows: int,
    options: TrainOptions,
    classes: object,
) -> tuple[Task, Array]:
    """Return the task, its loss as training has it, and y encoded for it."""
    smoothing = OPTIONS["label_smoothing"].number(options["label_smoothing"])
    if network is None:
        return losses.read(
            y, rows=rows, loss=options["loss"], classes=classes, label_smoothing=smoothing
        )
    task = network.task
    loss = task.loss if options["loss"] is None else losses.make(options["loss"])
    task = replace(task, loss=loss.with_label_smoothing(smoothing))
    return task, task.encode(y, rows=rows)
