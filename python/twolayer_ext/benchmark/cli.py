"""The command ``twolayer bench``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from twolayer_ext import checks, tables
from twolayer_ext.benchmark import machine
from twolayer_ext.benchmark import report as reports
from twolayer_ext.benchmark.cases import CASES, cases_named
from twolayer_ext.benchmark.contenders import TOLERANCES, Contender, own_contenders
from twolayer_ext.benchmark.estimators import report as estimators_report
from twolayer_ext.benchmark.estimators.contest import NO_IMAGES, contests
from twolayer_ext.benchmark.estimators.contest import Settings as ContestSettings
from twolayer_ext.benchmark.estimators.problems import PROBLEMS, problems_named
from twolayer_ext.benchmark.peers import peer_contenders
from twolayer_ext.benchmark.run import CaseResult, Settings, benchmark
from twolayer_ext.benchmark.time_to_accuracy import report as race_report
from twolayer_ext.benchmark.time_to_accuracy.course import load_split
from twolayer_ext.benchmark.time_to_accuracy.goals import GOALS, goals_named
from twolayer_ext.benchmark.time_to_accuracy.race import race
from twolayer_ext.benchmark.time_to_accuracy.racers import Racer, racers
from twolayer_ext.benchmark.versions import report as versions_report
from twolayer_ext.benchmark.versions import snapshot
from twolayer_ext.benchmark.versions.contest import FEWEST_ROUNDS, compare
from twolayer_ext.files.writing import check_writable

_ROUNDS = 5
_COMPARE_ROUNDS = 9
# Seconds of a turn of --compare.
_TURN = 0.3
_QUICK_TURN = 0.02
_QUICK_ROWS = 7000
_QUICK_CONTEST_ROWS = 400


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
        help="what this package computes in: float32, float64, bfloat16 (default: float32)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="medians are of this many interleaved rounds, or seeds "
        f"(default: {_ROUNDS}, of --compare {_COMPARE_ROUNDS})",
    )
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--plot", metavar="FILE", help="draw bars and roofline (.png, .svg, .pdf)")
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="CIFAR-10, its folder or .tar.gz (default: TWOLAYER_CIFAR10 from the environment, "
        "else made-up images of its shape, with --estimators none)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads at most (default: OMP_NUM_THREADS, else the CPUs this process may use)",
    )
    parser.add_argument(
        "--neighbours",
        type=int,
        metavar="N",
        default=0,
        help="let N other processes keep a CPU busy each, as on a shared machine",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few rows and short measurements: shows that it runs, not how fast",
    )
    parser.add_argument(
        "--time-to-accuracy",
        nargs="*",
        metavar="GOAL",
        help="instead of the cases: seconds of training on CIFAR-10 until a validation accuracy is "
        "reached, here and with --peers in PyTorch; "
        + "; ".join(f"{goal.name}: {goal.accuracy:.1%} with {goal.what}" for goal in GOALS).replace(
            "%", "%%"
        ),
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="with --time-to-accuracy: try every contender's settings anew, a few minutes each, "
        "instead of those on record",
    )
    parser.add_argument(
        "--estimators",
        nargs="*",
        metavar="NAME",
        help="instead of the cases: MLPClassifier and MLPRegressor beside scikit-learn's, scores "
        "and times to fit and to predict; all or these of "
        + ", ".join(problem.name for problem in PROBLEMS),
    )
    parser.add_argument(
        "--save",
        metavar="FOLDER",
        help="measure nothing: keep the package as it is installed, to be compared with later",
    )
    parser.add_argument(
        "--compare",
        metavar="FOLDER",
        help="the cases by the version that was saved there and by this one, in turns, each in a "
        "process of its own: which is faster, and whether both compute the same bits",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmark and print its tables; 1 if a contender was wrong or failed."""
    if arguments.save is not None:
        return _save(arguments)
    if arguments.compare is not None:
        return _compare(arguments)
    if arguments.estimators is not None:
        return _estimators(arguments)
    if arguments.time_to_accuracy is not None:
        return _time_to_accuracy(arguments)
    if arguments.tune:
        raise ValueError("--tune: given; must come with --time-to-accuracy")
    cases = cases_named(arguments.cases)
    settings = Settings(
        rounds=checks.integer("--rounds", _rounds(arguments), minimum=1),
        threads=checks.thread_count(arguments.threads),
        neighbours=checks.integer("--neighbours", arguments.neighbours, minimum=0, maximum=1000),
    )
    if arguments.quick:
        settings = replace(
            settings,
            shortest=0.05,
            longest=0.5,
            trial=0.1,
            probe=0.02,
            limit=_QUICK_ROWS,
        )
    _check_outputs(arguments)
    contenders = own_contenders(settings.threads, _dtypes(arguments))
    if arguments.peers:
        contenders += peer_contenders()

    def done(result: CaseResult) -> None:
        print(f"\n{reports.case_text(result)}", flush=True)

    report = benchmark(contenders, settings, cases=cases, data=arguments.data, say=_say, done=done)
    print(f"\n{reports.machine_text(report)}")
    if arguments.json:
        reports.write_json(reports.as_json(report), arguments.json)
    if arguments.plot:
        from twolayer_ext import plots
        from twolayer_ext.benchmark.figure import plot_benchmark

        plots.save_figure(plot_benchmark(report), arguments.plot)
    return _status(contenders, [result.left_out for result in report.results])


def _estimators(arguments: argparse.Namespace) -> int:
    """Compare the estimators with scikit-learn's; 1 if one computed something else."""
    _refuse(arguments, "estimators", "cases", "dtypes", "plot", "peers", "tune", "time_to_accuracy")
    problems = problems_named(arguments.estimators)
    settings = ContestSettings(
        seeds=checks.integer("--rounds", _rounds(arguments), minimum=2),
        threads=None if arguments.threads is None else checks.thread_count(arguments.threads),
    )
    if arguments.quick:
        settings = replace(settings, shortest=0.001, limit=_QUICK_CONTEST_ROWS, max_iter=3)
    _check_outputs(arguments)
    table = tables.Table(estimators_report.HEADINGS, estimators_report.WIDTHS)
    results, left_out = contests(
        problems,
        settings,
        data=arguments.data,
        say=_say,
        done=lambda result: table.row(estimators_report.row(result)),
    )
    about = estimators_report.describe(settings)
    print("".join(f"\n{name}: not timed; {reason}" for name, reason in left_out.items()))
    print(f"{estimators_report.machine_text(about)}\n\n{estimators_report.summary(results)}")
    if arguments.json:
        values = estimators_report.as_json(about, settings, results, left_out)
        reports.write_json(values, arguments.json)
    return int(any(reason != NO_IMAGES for reason in left_out.values()))


def _save(arguments: argparse.Namespace) -> int:
    """Keep this version as a folder."""
    _refuse(arguments, "save", "compare", "cases", "dtypes", "peers", "json", "plot", "quick")
    _refuse(arguments, "save", "estimators", "time_to_accuracy", "tune")
    snapshot.save(arguments.save)
    print(f"saved {snapshot.running() / snapshot.PACKAGE} as {arguments.save}")
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    """Give turns to a saved version and this one; 1 if this one is slower anywhere."""
    _refuse(arguments, "compare", "peers", "plot", "estimators", "time_to_accuracy", "tune")
    before = snapshot.check(arguments.compare)
    rounds = _COMPARE_ROUNDS if arguments.rounds is None else arguments.rounds
    threads = checks.thread_count(arguments.threads)
    _check_outputs(arguments)
    table = tables.Table(versions_report.HEADINGS, versions_report.WIDTHS)
    results = compare(
        before,
        snapshot.running(),
        cases_named(arguments.cases),
        dtypes=_dtypes(arguments),
        threads=threads,
        rounds=checks.integer("--rounds", rounds, minimum=FEWEST_ROUNDS),
        seconds=_QUICK_TURN if arguments.quick else _TURN,
        rows=_QUICK_ROWS if arguments.quick else None,
        data=arguments.data,
        say=_say,
        done=lambda result: table.row(versions_report.row(result)),
    )
    about = machine.describe(threads)
    print(f"\n{versions_report.summary(results)}")
    if arguments.json:
        reports.write_json(versions_report.as_json(about, results), arguments.json)
    return int(any(result.verdict == "slower" for result in results))


def _rounds(arguments: argparse.Namespace) -> int:
    return _ROUNDS if arguments.rounds is None else int(arguments.rounds)


def _dtypes(arguments: argparse.Namespace) -> list[str]:
    return [
        checks.choice("--dtypes", name, tuple(TOLERANCES))
        for name in arguments.dtypes or ["float32"]
    ]


def _refuse(arguments: argparse.Namespace, mode: str, *names: str) -> None:
    """Raise ValueError if one of these was given beside `mode`."""
    for name in names:
        if getattr(arguments, name) not in (None, False):
            option, other = name.replace("_", "-"), mode.replace("_", "-")
            raise ValueError(f"--{option}: given; must be left out with --{other}")


def _time_to_accuracy(arguments: argparse.Namespace) -> int:
    """Race to the goals and print a table each; 1 if a contender failed."""
    _refuse(arguments, "time_to_accuracy", "cases", "dtypes")
    goals = goals_named(arguments.time_to_accuracy)
    rounds = checks.integer("--rounds", _rounds(arguments), minimum=1)
    threads = checks.thread_count(arguments.threads)
    _check_outputs(arguments)
    split = load_split(arguments.data, _QUICK_ROWS if arguments.quick else None)
    racing = racers(split, threads, peers=arguments.peers)
    results = []
    for goal in goals:
        result = race(goal, racing, rounds=rounds, tune_anew=arguments.tune, say=_say)
        print(f"\n{race_report.goal_text(result, split)}", flush=True)
        results.append(result)
    about = machine.describe(threads)
    print(f"\n{tables.described({name: str(value) for name, value in about.items()})}")
    if arguments.json:
        reports.write_json(race_report.as_json(about, split, results), arguments.json)
    if arguments.plot:
        from twolayer_ext import plots
        from twolayer_ext.benchmark.time_to_accuracy.figure import plot_race

        plots.save_figure(plot_race(results), arguments.plot)
    return _status(racing, [result.left_out for result in results])


def _status(took_part: Sequence[Contender | Racer], left_out: Sequence[dict[str, str]]) -> int:
    """Return 1 if one was left out that could have run."""
    names = {contender.name for contender in took_part if contender.unavailable() is None}
    return int(any(not names.isdisjoint(reasons) for reasons in left_out))


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Say now, not after minutes of work, what cannot be written."""
    for path in filter(None, (arguments.json, arguments.plot)):
        check_writable(path)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
