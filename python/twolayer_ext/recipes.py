"""Settings, as keyword arguments of `train`: the study's, and the best that were found since."""

from __future__ import annotations

import math
from collections.abc import Sequence

from twolayer_ext import _core, checks, schedules
from twolayer_ext.names import InitName
from twolayer_ext.training import Augment, TrainOptions


def study_sgd(run: str = "tuned") -> TrainOptions:
    """Part one of the study: plain SGD on two layers, 1000 steps, training mean subtracted.

    Parameters
    ----------
    run : {"tuned", "baseline"}
        512 hidden units and 50% validation accuracy on CIFAR-10, or 50 and 28%.

    Returns
    -------
    dict
        ``train(x, y, **study_sgd())``.
    """
    checks.choice("run", run, ("tuned", "baseline"))
    tuned = run == "tuned"
    return TrainOptions(
        hidden_sizes=(512,) if tuned else (50,),
        activation="relu",
        optimizer="sgd",
        learning_rate=1e-3 if tuned else 1e-4,
        learning_rate_decay=0.95,
        reg=0.01 if tuned else 0.25,
        batch_size=350 if tuned else 200,
        epochs=None,
        max_steps=1000,
        init=1e-4,
        normalize="center",
    )


def study_adam(
    hidden_sizes: Sequence[int] = (128, 256),
    epochs: int = 30,
    learning_rate: float = 1e-3,
    init: InitName | float = 1e-3,
) -> TrainOptions:
    """Part two of the study: deeper nets, Adam with coupled weight decay, pixels in [-1, 1].

    Parameters
    ----------
    hidden_sizes : sequence of int
        (128, 256) is the study's best.
    epochs : int
    learning_rate : float
    init : str or float
        The study's is 1e-3, the standard deviation of the weights; five layers stay dead with it
        and learn with "he".

    Returns
    -------
    dict
        ``train(x, y, **study_adam())``.
    """
    return TrainOptions(
        hidden_sizes=tuple(hidden_sizes),
        activation="relu",
        optimizer="adam",
        learning_rate=learning_rate,
        learning_rate_decay=0.95,
        weight_decay=1e-3,
        batch_size=200,
        epochs=epochs,
        init=init,
        normalize=(127.5, 127.5),
    )


def study_cured() -> TrainOptions:
    """Train the study's five layers at its learning rate of 1e-3, where they stayed dead.

    What differs from ``study_adam((256, 128, 64, 64), epochs=10)``: weights that keep the size of
    the signal, a learning rate that falls to nothing, and every other image mirrored. 56% of
    CIFAR-10's test images instead of 10%; for images of that shape.

    Returns
    -------
    dict
        ``train(x, y, **study_cured())``.
    """
    options = study_adam((256, 128, 64, 64), epochs=10, init="glorot")
    del options["learning_rate_decay"]
    options["schedule"] = schedules.cosine()
    options["augment"] = Augment((3, 32, 32))
    return options


# (hidden_sizes, epochs, largest shift) by budget in seconds. Chosen by accuracy on 5,000 of
# CIFAR-10's training images, the others trained on; docs/accuracy.md tells what else was tried.
_BEST = {
    10: ((320, 320), 9, 0),
    60: ((512, 512, 512), 28, 2),
    300: ((768, 768, 768), 80, 3),
}
_CENTURY = 100 * 365 * 24 * 3600
_BFLOAT16_GAIN = 1.7  # epochs in bfloat16 for each in float32, where the CPU has instructions


def best(seconds: float) -> TrainOptions:
    """Return the most accurate training that was found for CIFAR-10 within so many seconds.

    Fully connected layers alone: batch normalisation, SGD with Nesterov's momentum in one cycle,
    smoothed labels, and images mirrored and shifted on their way into the batch. For uint8 images
    of shape (3, 32, 32), 50,000 of them.

    Parameters
    ----------
    seconds : float
        For `train` as a whole, the data in memory, on two cores of 240 GFLOP/s each in bfloat16
        (120 in float32). The net is that of the nearest of 10, 60 and 300, and the number of epochs
        follows the budget. A faster machine is done earlier, one without bfloat16 instructions
        computes in float32 and gets fewer epochs.

    Returns
    -------
    dict
        ``train(x, y, **best(60))``.

    Raises
    ------
    TypeError, ValueError
        If `seconds` is not a number above 0, and below a century.
    """
    budget = checks.number("seconds", seconds, above=0, below=_CENTURY)
    nearest = min(_BEST, key=lambda known: abs(math.log(budget / known)))
    hidden_sizes, epochs, shift = _BEST[nearest]
    native = _core.build_info()["bfloat16"] == "native"
    return TrainOptions(
        hidden_sizes=hidden_sizes,
        activation="relu",
        init="he",
        normalize="standard",
        optimizer="sgd",
        learning_rate=0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
        schedule=schedules.one_cycle(peak_at=0.2, start=0.04, final=1e-3),
        batch_size=256,
        epochs=max(1, int(epochs * budget / nearest / (1 if native else _BFLOAT16_GAIN))),
        batch_norm=True,
        label_smoothing=0.1,
        augment=Augment((3, 32, 32), shift=shift),
        compute_dtype="bfloat16" if native else "float32",
    )
