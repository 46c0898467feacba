"""Arguments of the ``twolayer`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from twolayer_ext.cli import check, info, predict, train
from twolayer_ext.cli.options import add_options
from twolayer_ext.datasets.sklearn import SKLEARN_NAMES

DATA_HELP = (
    "CIFAR-10 (its folder, either layout, or the published .tar.gz), an .npz file, a folder of "
    ".npy files, or two IDX files: images and labels (.gz or not); or, with scikit-learn "
    f"installed, {', '.join(name for name in SKLEARN_NAMES if name != 'digits')} (a folder of such "
    "a name is ./iris)"
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
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=train.run)

    groups = {
        name: parser.add_argument_group(name)
        for name in (
            "data",
            "network",
            "optimizer",
            "techniques",
            "training",
            "checkpoints",
            "results",
        )
    }
    data, model, result = groups["data"], groups["network"], groups["results"]
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
    data.add_argument("--limit", type=int, metavar="N", help="use the first N training rows only")

    result.add_argument(
        "--out",
        metavar="DIR",
        default="twolayer-run",
        help="folder for the results, made if need be; files of an earlier run there are "
        "replaced (default: %(default)s)",
    )
    result.add_argument("--no-save", action="store_true", help="train and evaluate, write nothing")
    model.add_argument(
        "--recipe",
        choices=sorted(train.RECIPES),
        help="start from one of the study's settings; options given override it",
    )
    model.add_argument("--network", metavar="FILE", help="go on training from this saved network")
    add_options(groups)


def _add_predict(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "predict",
        help="predict with a saved network",
        description="Predict the label, or the numbers, of every row. Without --out, one line a "
        "row goes to standard output, numbers with commas between; with targets in the data, "
        "accuracy or R² goes to standard error.",
    )
    parser.set_defaults(run=predict.run)
    parser.add_argument("model", metavar="MODEL", help="network.npz written by 'twolayer train'")
    parser.add_argument(
        "data",
        nargs="+",
        metavar="DATA",
        help=f"{DATA_HELP}; of CIFAR-10 the test set; or rows without targets: one .npy file, an "
        ".npz file or folder without y; or the word 'digits' for the embedded ones",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=".npy: labels or numbers; .csv: row, label, its name, its probability; or row and a "
        "column each of the numbers",
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
