"""Arguments of the ``twolayer`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from twolayer_ext.cli import check, info, predict, train
from twolayer_ext.cli.augment import AUGMENT_HELP
from twolayer_ext.cli.schedule import SCHEDULE_HELP

DATA_HELP = (
    "CIFAR-10 (its folder, either layout, or the published .tar.gz), an .npz file, a folder of "
    ".npy files, or two IDX files: images and labels (.gz or not)"
)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; it leaves the command's function in ``run``, its name in ``command``."""
    parser = _Parser(
        prog="twolayer", description="Train multi-layer perceptrons on a CPU, exactly and fast."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_predict(commands)
    for module, name, text in (
        (check, "check", "check the kernels: the study's toy check, gradients, threads"),
        (info, "info", "show version, compiler, instruction sets and threads"),
    ):
        command = commands.add_parser(name, help=text, description=_sentence(text))
        command.set_defaults(run=module.run)
    for load, name, text in (
        (
            _benchmark,
            "bench",
            "measure training and prediction here, against NumPy and other libraries",
        ),
        (_study, "study", "train all nets of the study on CIFAR-10 and write a report of them"),
    ):
        commands.add_parser(name, help=text, description=_sentence(text)).load = load
    return parser


def _benchmark() -> ModuleType:
    from twolayer_ext.benchmark import cli

    return cli


def _study() -> ModuleType:
    from twolayer_ext.cli import study

    return study


class _Parser(argparse.ArgumentParser):
    """Reports a usage error in one line, without the page of usage.

    A command with `load` is an application of its own: its module is loaded, and tells its
    arguments, only when the command is the one that was given.
    """

    load: Callable[[], ModuleType] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.load is not None:
            command, self.load = self.load(), None
            command.add_arguments(self)
            self.set_defaults(run=command.run)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message}; try '{self.prog} --help'", file=sys.stderr)
        raise SystemExit(2)


def _add_train(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "train",
        help="train a network and save it",
        description=_sentence(
            "train a network, print a table of epochs, evaluate it on the test set, and save "
            "DIR/network.npz, DIR/history.json and, with matplotlib, DIR/training.png"
        ),
        epilog=train.DEFAULTS_HELP,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=train.run)

    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        nargs="+",
        metavar="PATH",
        default=[],
        help=f"{DATA_HELP}; the embedded handwritten digits when not given",
    )
    data.add_argument(
        "--validation-data",
        nargs="+",
        metavar="PATH",
        default=[],
        help="validation set, in the formats of --data",
    )
    data.add_argument(
        "--test-data",
        nargs="+",
        metavar="PATH",
        default=[],
        help="test set, in the formats of --data",
    )
    data.add_argument(
        "--validation-fraction",
        type=float,
        metavar="F",
        help="hold out this share of the training rows, drawn at random by the seed",
    )
    data.add_argument(
        "--limit", type=int, metavar="N", default=None, help="use the first N training rows only"
    )

    result = parser.add_argument_group("results")
    result.add_argument(
        "--out",
        metavar="DIR",
        default="twolayer-run",
        help="folder for the results, made if need be; files of an earlier run there are "
        "replaced (default: %(default)s)",
    )
    result.add_argument(
        "--no-save", action="store_true", default=False, help="train and evaluate, write nothing"
    )
    result.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show a progress bar on standard error (default: when that is a terminal)",
    )

    model = parser.add_argument_group("network")
    model.add_argument(
        "--recipe",
        choices=sorted(train.RECIPES),
        default=None,
        help="start from one of the study's settings; options given override it",
    )
    model.add_argument(
        "--network", metavar="FILE", default=None, help="go on training from this saved network"
    )
    model.add_argument(
        "--hidden",
        "--hidden-sizes",
        dest="hidden_sizes",
        nargs="*",
        type=int,
        metavar="SIZE",
        help="sizes of the hidden layers; none for softmax regression",
    )
    model.add_argument("--activation", metavar="NAME", help="relu, tanh, logistic or identity")
    model.add_argument(
        "--init",
        type=_name_or_number,
        metavar="NAME|STD",
        help="auto, he, glorot, lecun, or the standard deviation of a normal draw",
    )
    model.add_argument(
        "--normalize",
        type=_normalization,
        metavar="HOW",
        help="standard, center, none, or SHIFT,SCALE meaning (x - SHIFT) / SCALE",
    )
    model.add_argument("--dtype", metavar="NAME", help="float32 or float64")
    model.add_argument(
        "--compute-dtype",
        metavar="NAME",
        help="bfloat16: products of bfloat16 numbers, for speed; the rest stays float32",
    )

    steps = parser.add_argument_group("training")
    steps.add_argument("--optimizer", metavar="NAME", help="sgd, adam or adamw")
    for option, kind, text in (
        ("--learning-rate", float, "step size"),
        ("--learning-rate-decay", float, "multiplies the learning rate after every epoch"),
        ("--momentum", float, "of sgd"),
        ("--epsilon", float, "of adam and adamw"),
        ("--reg", float, "λ of loss + λ Σ||W||²"),
        ("--weight-decay", float, "the optimizer's own, biases included"),
        ("--clip-norm", float, "largest norm of a step's gradients, all together"),
        ("--label-smoothing", float, "share of each label spread over all classes"),
        ("--batch-size", int, "samples a step"),
        ("--epochs", int, "passes over the training rows"),
        ("--max-steps", int, "stop after this many steps"),
        ("--early-stopping", int, "stop after N epochs without a smaller val loss; keep the best"),
        ("--average-epochs", int, "end with the mean of the weights after each of the last N"),
        ("--seed", int, "same seed, same bits"),
        ("--threads", int, "default: OMP_NUM_THREADS, else the CPUs this process may use"),
    ):
        steps.add_argument(option, type=kind, metavar="X" if kind is float else "N", help=text)
    steps.add_argument("--schedule", nargs="+", metavar=("NAME", "KEY=NUMBER"), help=SCHEDULE_HELP)
    steps.add_argument(
        "--betas", nargs=2, type=float, metavar=("B1", "B2"), help="of adam and adamw"
    )
    steps.add_argument(
        "--dropout",
        nargs="+",
        type=float,
        metavar="SHARE",
        help="share of each hidden layer's outputs left out in a step: one number, or one a layer",
    )
    steps.add_argument(
        "--batch-norm",
        action=argparse.BooleanOptionalAction,
        help="normalise hidden layers over the batch; folded into the saved network",
    )
    steps.add_argument(
        "--class-weight",
        nargs="+",
        metavar="X",
        help="'balanced', or one number a class: weights in the loss",
    )
    steps.add_argument(
        "--augment", nargs="+", metavar=("image=CxHxW", "KEY=NUMBER"), help=AUGMENT_HELP
    )
    steps.add_argument("--nesterov", action=argparse.BooleanOptionalAction, help="of sgd")
    steps.add_argument(
        "--shuffle",
        action=argparse.BooleanOptionalAction,
        help="draw the rows of each epoch in a new order",
    )


def _add_predict(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "predict",
        help="predict the classes of data with a saved network",
        description="Predict the class of every row. Without --out, one class a line goes to "
        "standard output; with labels in the data, the accuracy goes to standard error.",
    )
    parser.set_defaults(run=predict.run)
    parser.add_argument("model", metavar="MODEL", help="network.npz written by 'twolayer train'")
    parser.add_argument(
        "data",
        nargs="+",
        metavar="DATA",
        help=f"{DATA_HELP}; of CIFAR-10 the test set; or rows without labels: one .npy file, an "
        ".npz file or folder without y; or the word 'digits' for the embedded ones",
    )
    parser.add_argument(
        "--out", metavar="FILE", help=".npy: classes; .csv: row, class, its name, its probability"
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _name_or_number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _normalization(text: str) -> str | tuple[float, float] | None:
    if text == "none":
        return None
    if text in ("standard", "center"):
        return text
    try:
        shift, scale = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"was {text!r}; it should be standard, center, none or two numbers SHIFT,SCALE"
        ) from None
    return shift, scale
