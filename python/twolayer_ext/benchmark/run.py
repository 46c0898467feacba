"""Measuring: every contender checked, its fastest variant found, then interleaved rounds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from twolayer_ext.benchmark import machine, memory
from twolayer_ext.benchmark.accuracy import Check, Judge
from twolayer_ext.benchmark.cases import (
    CASES,
    Case,
    Images,
    Workload,
    load_digits,
    load_images,
    made_up_table,
    make_workload,
)
from twolayer_ext.benchmark.contenders import Contender, Session, Variant
from twolayer_ext.benchmark.machine import Peaks
from twolayer_ext.benchmark.roofline import Roofline, roofline

Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How thoroughly to measure.

    Attributes
    ----------
    rounds : int
        Each contender is timed once a round; medians are taken over rounds.
    threads : int
        As many as all contenders may use.
    shortest, longest : float
        Seconds of one measurement: an epoch is repeated until it lasts `shortest`; of one that
        would take more than `longest` only a part is done.
    trial : float
        Seconds of a variant's trial.
    probe : float
        Seconds of a probe of the machine.
    limit : int or None
        Rows of training data to use.
    neighbours : int
        Processes that keep a CPU busy each, all the while.
    """

    rounds: int = 5
    threads: int = 1
    shortest: float = 0.2
    longest: float = 0.6
    trial: float = 0.1
    probe: float = 0.05
    limit: int | None = None
    neighbours: int = 0


@dataclass(frozen=True)
class Timing:
    """A contender's result: seconds of every round for so many samples each."""

    contender: str
    dtype: str
    variant: Variant
    check: Check
    samples: int
    epochs: float  # samples in epochs: 0.5 is half an epoch, 20 is twenty in a row
    seconds: list[float]

    @property
    def rate(self) -> float:
        """Return samples a second, of the median round."""
        return self.samples / statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """Return samples a second of the slowest and of the fastest round."""
        return self.samples / max(self.seconds), self.samples / min(self.seconds)


@dataclass(frozen=True)
class CaseResult:
    """All about one case; `left_out` maps contenders that were not timed to the reason."""

    case: Case
    source: str
    epoch: int  # samples
    timings: list[Timing]
    left_out: dict[str, str]
    peaks: Peaks
    roofline: Roofline
    memory: dict[str, float] | None

    def gflops(self, timing: Timing) -> float:
        """Return useful operations a second, in 10⁹."""
        return timing.rate * self.case.flops_per_sample / 1e9

    def share_of_peak(self, timing: Timing) -> float:
        """Return the share of the peak of its dtype and threads; nan where that is unknown."""
        return self.gflops(timing) / self.peaks.peak(timing.dtype, timing.variant.threads)


@dataclass(frozen=True)
class Report:
    """A whole run."""

    machine: dict[str, str | int]
    settings: Settings
    results: list[CaseResult] = field(default_factory=list)
    stolen: float | None = None  # share of the CPUs' time that went to others on the host


class UnfitError(Exception):
    """A contender computes something else."""


@dataclass
class Entry:
    """A contender that takes part in a case's rounds."""

    contender: Contender
    session: Session
    check: Check
    rate: float  # samples a second of the trial
    steps: int  # of one pass
    passes: int
    seconds: list[float] = field(default_factory=list)


def benchmark(
    contenders: Sequence[Contender],
    settings: Settings,
    *,
    cases: Sequence[Case] = CASES,
    images: Images | None = None,
    data: str | None = None,
    say: Say = print,
    done: Callable[[CaseResult], None] = lambda result: None,
) -> Report:
    """Measure all contenders on all cases.

    Parameters
    ----------
    contenders : sequence of Contender
        Those that are not installed are left out, with the reason in the report.
    settings : Settings
    cases : sequence of Case
    images : Images, optional
        For the cases on CIFAR-10, instead of `data`.
    data : str, optional
        Where CIFAR-10 is; see `cases.load_images`.
    say : function
        Told what is going on, a line at a time.
    done : function
        Given the result of each case as soon as it is there.
    """
    report = Report(machine.describe(settings.threads), settings)
    before = machine.stolen_time()
    with machine.neighbours(settings.neighbours):
        for case in cases:
            if case.data == "cifar10" and images is None:
                say("loading images ...")
                images = load_images(data)
            workload = make_workload(case, data_of(case, images), settings.limit)
            result = measure_case(workload, contenders, settings, say)
            report.results.append(result)
            done(result)
    return replace(report, stolen=machine.stolen_share(before))


def data_of(case: Case, images: Images | None) -> Images:
    """Return what a case works on; `images` are those of the cases on CIFAR-10."""
    if case.data == "digits":
        return load_digits()
    if case.data == "table":
        return made_up_table(case)
    assert images is not None
    return images


def measure_case(
    workload: Workload, contenders: Sequence[Contender], settings: Settings, say: Say
) -> CaseResult:
    """Check, choose variants, and time in rounds."""
    case = workload.case
    say(f"{case.name}: the float64 twin's {case.title} ...")
    judge = Judge(workload)
    entries: list[Entry] = []
    left_out: dict[str, str] = {}
    for contender in contenders:
        reason = contender.unavailable()
        if reason is None:
            say(f"{case.name}: trying {contender.name} ...")
            try:
                entries.append(prepare(contender, judge, settings))
            except UnfitError as error:
                reason = str(error)
            except Exception as error:  # whatever a library of any version may raise
                reason = f"failed: {type(error).__name__}: {error}"
        if reason is not None:
            say(f"{case.name}: {contender.name} left out: {reason}")
            left_out[contender.name] = reason

    peaks = Peaks(
        tuple(sorted({1, settings.threads})),
        tuple(sorted({"float32", *(entry.contender.dtype for entry in entries)})),
        settings.probe,
    )
    peaks.probe()
    for number in range(settings.rounds):
        say(f"{case.name}: round {number + 1} of {settings.rounds} ...")
        for entry in entries:
            entry.seconds.append(time_once(entry.session, entry.steps, entry.passes))
        peaks.probe()
    return CaseResult(
        case=case,
        source=workload.source,
        epoch=len(workload.order),
        timings=[_timing(entry) for entry in entries],
        left_out=left_out,
        peaks=peaks,
        roofline=roofline(
            case,
            len(workload.x),
            peak=peaks.peak("float32", settings.threads),
            bandwidth=peaks.best_bandwidth(),
            cache=machine.last_level_cache(),
        ),
        memory=memory.measure(case.name, len(workload.x), settings.threads)
        if case in CASES
        else None,
    )


def prepare(contender: Contender, judge: Judge, settings: Settings) -> Entry:
    """Return the contender's fastest variant, checked; raise UnfitError if it is wrong."""
    workload = judge.workload
    best: tuple[float, Session] | None = None
    for variant in contender.variants(workload.case, settings.threads):
        session = contender.start(workload, variant)
        rate = _trial(session, settings.trial)
        if best is None or rate > best[0]:
            best = rate, session
    if best is None:
        raise UnfitError(f"does not {workload.case.task} in {contender.dtype}")
    rate, session = best
    check = judge.check(session, contender.tolerance(workload.case))
    if not check.passed:
        raise UnfitError(
            f"wrong: loss {check.loss:.8g} where the float64 twin has {check.expected:.8g}, "
            f"a relative deviation of {check.deviation:.1e}; at most {check.tolerance:.0e} "
            f"is allowed"
        )
    steps, passes = _plan(session, rate, settings)
    time_once(session, steps, 1)  # warm-up: what is new in shape is compiled here
    return Entry(contender, session, check, rate, steps, passes)


def steps_of_epoch(workload: Workload) -> int:
    """Return the steps of an epoch, or 1 for a prediction."""
    return len(workload.order) // workload.case.batch_size or 1


def _trial(session: Session, seconds: float) -> float:
    """Return samples a second of a short run, which is made longer until it lasts `seconds`."""
    case = session.case
    most = steps_of_epoch(session.workload)
    steps, passes = min(2, most), 1
    time_once(session, steps, passes)  # warm-up
    while True:
        elapsed = time_once(session, steps, passes)
        if elapsed >= seconds / 2:
            return steps * passes * case.batch_size / elapsed
        grow = min(8.0, 1.2 * seconds / elapsed) if elapsed > 0 else 8.0
        if steps < most:
            steps = min(most, math.ceil(steps * grow))
        else:
            passes = math.ceil(passes * grow)


def _plan(session: Session, rate: float, settings: Settings) -> tuple[int, int]:
    """Return steps a pass, and passes: a whole epoch, several, or a part of one."""
    most = steps_of_epoch(session.workload)
    epoch_seconds = most * session.case.batch_size / rate
    if epoch_seconds > settings.longest:
        return max(1, int(most * settings.longest / epoch_seconds)), 1
    return most, math.ceil(settings.shortest / epoch_seconds)


def time_once(session: Session, steps: int, passes: int) -> float:
    """Return the seconds of the work alone, from the initial parameters on."""
    session.reset()
    rows = session.workload.order[: steps * session.case.batch_size]
    with session.ready():
        started = time.perf_counter()
        if session.case.task == "predict":
            for _ in range(passes):
                session.predict()
        else:
            session.train(rows, passes)
        return time.perf_counter() - started


def _timing(entry: Entry) -> Timing:
    session = entry.session
    rows = entry.steps * session.case.batch_size
    return Timing(
        contender=entry.contender.name,
        dtype=entry.contender.dtype,
        variant=session.variant,
        check=entry.check,
        samples=rows * entry.passes,
        epochs=rows * entry.passes / len(session.workload.order),
        seconds=entry.seconds,
    )
