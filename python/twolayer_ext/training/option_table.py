"""Every option of `train` that is a number, a name or a yes: bounds and help, in one table.

The checks of `train` and the options of the command line are made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twolayer_ext import checks, losses
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.network import initializers, normalization
from twolayer_ext.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    name : str
        The keyword of `train`; with dashes, the option of the command line.
    kind : type or None
        int, float, bool or str; None for those that the command line reads in a way of its own.
    group : str
        Under which heading ``--help`` lists it.
    help : str
    minimum, above, below
        Bounds of a number.
    choices : tuple of str
        Of a name.
    """

    name: str
    kind: type | None
    group: str
    help: str
    minimum: float | None = None
    above: float | None = None
    below: float | None = None
    choices: Sequence[str] = ()

    @property
    def flag(self) -> str:
        """As the command line spells it."""
        return f"--{self.name.replace('_', '-')}"

    def number(self, value: object) -> float:
        """Return a float within the bounds."""
        return checks.number(
            self.name, value, minimum=self.minimum, above=self.above, below=self.below
        )

    def integer(self, value: object) -> int:
        """Return an int within the bounds."""
        return checks.integer(self.name, value, minimum=int(self.minimum or 0))

    def choice(self, value: object) -> str:
        """Return one of the choices."""
        return checks.choice(self.name, value, tuple(self.choices))

    def yes(self, value: object) -> bool:
        """Return True or False."""
        return checks.flag(self.name, value)


_NETWORK, _TRAINING, _OPTIMIZER, _TECHNIQUES = "network", "training", "optimizer", "techniques"
_CHECKPOINTS = "checkpoints"

OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option(
            "hidden_sizes", None, _NETWORK, "sizes of the hidden layers; none for a linear model"
        ),
        Option("activation", str, _NETWORK, "of the hidden layers", choices=tuple(ACTIVATIONS)),
        Option(
            "loss",
            None,
            _NETWORK,
            f"{losses.help_text()}; when not given, by what the targets are",
        ),
        Option(
            "init",
            None,
            _NETWORK,
            f"{', '.join(initializers.NAMES)}, or the standard deviation of a normal draw",
        ),
        Option(
            "normalize",
            None,
            _NETWORK,
            f"{', '.join(normalization.NAMES)}, none, or SHIFT,SCALE meaning (x - SHIFT) / SCALE",
        ),
        Option(
            "normalize_targets", bool, _NETWORK, "let outputs start at the targets' mean and size"
        ),
        Option("dtype", str, _NETWORK, "of all numbers", choices=("float32", "float64")),
        Option(
            "compute_dtype",
            str,
            _NETWORK,
            "bfloat16: products of bfloat16 numbers, for speed; the rest stays float32",
        ),
        Option("optimizer", str, _OPTIMIZER, "how weights move", choices=tuple(OPTIMIZERS)),
        Option("learning_rate", float, _OPTIMIZER, "step size; the optimizer's own", above=0),
        Option(
            "learning_rate_decay",
            float,
            _OPTIMIZER,
            "multiplies the learning rate after every epoch, instead of a schedule",
            above=0,
        ),
        Option("schedule", None, _OPTIMIZER, "learning rate by step"),
        Option("momentum", float, _OPTIMIZER, "of sgd and rmsprop"),
        Option("nesterov", bool, _OPTIMIZER, "of sgd"),
        Option("betas", None, _OPTIMIZER, "of adam, adamw and lion"),
        Option("epsilon", float, _OPTIMIZER, "of adam, adamw and rmsprop"),
        Option("alpha", float, _OPTIMIZER, "of rmsprop"),
        Option("centred", bool, _OPTIMIZER, "of rmsprop"),
        Option("weight_decay", float, _OPTIMIZER, "the optimizer's own, biases included"),
        Option("reg", float, _OPTIMIZER, "λ of loss + λ Σ||W||²", minimum=0),
        Option(
            "clip_norm",
            float,
            _OPTIMIZER,
            "largest norm of a step's gradients, all together",
            above=0,
        ),
        Option(
            "dropout",
            None,
            _TECHNIQUES,
            "share of each hidden layer's outputs left out in a step: one number, or one a layer",
        ),
        Option(
            "batch_norm",
            bool,
            _TECHNIQUES,
            "normalise hidden layers over the batch; folded into the saved network",
        ),
        Option(
            "label_smoothing",
            float,
            _TECHNIQUES,
            "share of each label spread over all classes",
            minimum=0,
            below=1,
        ),
        Option(
            "class_weight",
            None,
            _TECHNIQUES,
            "'balanced', or one number a class: weights in the loss",
        ),
        Option("augment", None, _TECHNIQUES, "change images at random in every step"),
        Option("batch_size", int, _TRAINING, "samples a step; by the size of the data", minimum=1),
        Option(
            "epochs", int, _TRAINING, "passes over the training rows; by their number", minimum=1
        ),
        Option("max_steps", int, _TRAINING, "stop after this many steps", minimum=1),
        Option(
            "early_stopping",
            int,
            _TRAINING,
            "stop after N epochs without a smaller val loss; keep the best",
            minimum=1,
        ),
        Option(
            "average_epochs",
            int,
            _TRAINING,
            "end with the mean of the weights after each of the last N",
            minimum=0,
        ),
        Option("shuffle", bool, _TRAINING, "draw the rows of each epoch in a new order"),
        Option("seed", int, _TRAINING, "same seed, same bits", minimum=0),
        Option(
            "threads",
            int,
            _TRAINING,
            "default: OMP_NUM_THREADS, else the CPUs this process may use",
            minimum=1,
        ),
        Option(
            "checkpoint",
            None,
            _CHECKPOINTS,
            "file from which training can be resumed, written while it runs; the one before is "
            "FILE.previous",
        ),
        Option("checkpoint_every", int, _CHECKPOINTS, "write it after every N epochs", minimum=1),
        Option(
            "checkpoint_seconds",
            float,
            _CHECKPOINTS,
            "write it every X seconds, within epochs too; 60 unless --checkpoint-every is given",
            above=0,
        ),
        Option(
            "resume",
            None,
            _CHECKPOINTS,
            "go on with a checkpoint, on the same data; its options need not be given again",
        ),
        Option(
            "validation_fraction",
            float,
            "data",
            "hold out this share of the training rows, drawn at random by the seed",
            minimum=0,
            below=1,
        ),
        Option(
            "progress",
            bool,
            "results",
            "show a progress bar on standard error (default: when that is a terminal)",
        ),
    )
}
