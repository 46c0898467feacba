"""The study's settings, as keyword arguments of `train`."""

from __future__ import annotations

from collections.abc import Sequence

from twolayer_ext import checks, schedules
from twolayer_ext.techniques import Augment
from twolayer_ext.training import TrainOptions


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
    init: str | float = 1e-3,
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
