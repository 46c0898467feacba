"""The command ``twolayer study``."""

from __future__ import annotations

import argparse
from pathlib import Path

from twolayer_ext import build_info, datasets
from twolayer_ext.plots import require_matplotlib
from twolayer_ext.study import protocol
from twolayer_ext.study.report import write_report
from twolayer_ext.study.runs import TrainedNet, run_study, study_split
from twolayer_ext.tables import Table, percent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="PATH",
        help="CIFAR-10: its folder, either layout, or the published .tar.gz",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for the report, made if need be; files of an earlier one are replaced",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few steps and epochs, one seed: shows what the report is like, not what it finds",
    )
    parser.add_argument(
        "--compute-dtype",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="what products are computed in; auto: bfloat16 where the CPU has instructions for it, "
        "else float32 (the report says which)",
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show progress on standard error (default: when that is a terminal)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train all nets of the study and write the report."""
    require_matplotlib("the report's pictures")
    data = study_split(*datasets.load_cifar10(arguments.data))
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    table = Table(["net", "seed", "epochs", "validation", "test", "seconds"], [-28, 4, 6, 10, 8, 8])

    def finished(run: TrainedNet) -> None:
        for epochs, snapshot in run.snapshots.items():
            table.row(
                [
                    run.plan.name,
                    str(run.plan.seed),
                    str(epochs),
                    percent(snapshot.validation),
                    percent(snapshot.test),
                    f"{snapshot.seconds:.1f}",
                ]
            )

    scale = protocol.QUICK if arguments.quick else protocol.FULL
    study = run_study(
        data,
        scale,
        compute_dtype=_compute_dtype(arguments.compute_dtype),
        finished=finished,
        progress=arguments.progress,
    )
    names = write_report(study, data, folder)
    print(
        f"\n{study.seconds:.0f} s for all runs in {study.compute_dtype}, "
        f"{study.cpu_seconds:.0f} s of processor time\n"
        f"saved in {folder}: {', '.join(reversed(names))}"
    )
    return 0


def _compute_dtype(choice: str) -> str:
    if choice != "auto":
        return choice
    return "bfloat16" if build_info()["bfloat16"] == "native" else "float32"
