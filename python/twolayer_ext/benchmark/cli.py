"""The command ``twolayer bench``."""

from __future__ import annotations

import argparse
import sys

from twolayer_ext import checks
from twolayer_ext.benchmark import report as reports
from twolayer_ext.benchmark.cases import CASES, cases_named
from twolayer_ext.benchmark.contenders import TOLERANCES, own_contenders
from twolayer_ext.benchmark.peers import peer_contenders
from twolayer_ext.benchmark.run import CaseResult, Settings, benchmark
from twolayer_ext.serialization import check_writable

_ROUNDS = 5
_QUICK_ROWS = 7000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--peers",
        action="store_true",
        help="with PyTorch, JAX and scikit-learn, those that are installed: "
        "pip install 'twolayer-ext[peers]'",
    )
    parser.add_argument(
        "--cases",
        nargs="+",
        metavar="NAME",
        help=f"only these of {', '.join(case.name for case in CASES)}",
    )
    parser.add_argument(
        "--dtypes",
        nargs="+",
        metavar="NAME",
        default=["float32"],
        help="what this package computes in: float32, float64, bfloat16 (default: float32)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        default=_ROUNDS,
        help="medians are of this many interleaved rounds (default: %(default)s)",
    )
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--plot", metavar="FILE", help="draw bars and roofline (.png, .svg, .pdf)")
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="CIFAR-10, its folder or .tar.gz (default: TWOLAYER_CIFAR10 from the environment, "
        "else made-up images of its shape)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads at most (default: OMP_NUM_THREADS, else the CPUs this process may use)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few rows and short measurements: shows that it runs, not how fast",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmark and print its tables; 1 if a contender was wrong or failed."""
    cases = cases_named(arguments.cases)
    settings = Settings(
        rounds=checks.integer("--rounds", arguments.rounds, minimum=1),
        threads=checks.thread_count(arguments.threads),
    )
    if arguments.quick:
        settings = Settings(
            rounds=settings.rounds,
            threads=settings.threads,
            shortest=0.05,
            longest=0.5,
            trial=0.1,
            probe=0.02,
            limit=_QUICK_ROWS,
        )
    for path in filter(None, (arguments.json, arguments.plot)):
        check_writable(path)  # said now, not after minutes of work
    dtypes = [checks.choice("--dtypes", name, tuple(TOLERANCES)) for name in arguments.dtypes]
    contenders = own_contenders(settings.threads, dtypes)
    if arguments.peers:
        contenders += peer_contenders()

    def done(result: CaseResult) -> None:
        print(f"\n{reports.case_text(result)}", flush=True)

    report = benchmark(contenders, settings, cases=cases, data=arguments.data, say=_say, done=done)
    print(f"\n{reports.machine_text(report)}")
    if arguments.json:
        reports.write_json(report, arguments.json)
    if arguments.plot:
        from twolayer_ext import plots
        from twolayer_ext.benchmark.figure import plot_benchmark

        plots.save_figure(plot_benchmark(report), arguments.plot)
    failed = any(
        contender.unavailable() is None and contender.name in result.left_out
        for result in report.results
        for contender in contenders
    )
    return int(failed)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
