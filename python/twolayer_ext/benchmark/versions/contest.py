"""Two versions in turns: each case by both, round after round, in a process each."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from twolayer_ext.benchmark.cases import Case
from twolayer_ext.benchmark.versions.snapshot import PACKAGE
from twolayer_ext.errors import TwolayerError

FEWEST_ROUNDS = 6  # with fewer there is no interval of this confidence
CONFIDENCE = 0.95
# A median that differs by less is called level, whatever the interval: nobody would notice.
NOTICEABLE = 0.01
_START = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    f"import pathlib, {PACKAGE}\n"
    f"found = pathlib.Path({PACKAGE}.__file__).resolve().parent.parent\n"
    "if found != pathlib.Path(sys.argv[1]):\n"
    "    sys.exit(f'{found} is imported in place of {sys.argv[1]}')\n"
    f"from {PACKAGE}.benchmark.versions import worker\n"
    "worker.main()\n"
)


class VersionError(TwolayerError):
    """A version cannot be run here, or cannot do a case."""


@dataclass(frozen=True)
class Comparison:
    """One case: seconds a sample of each round, of the version before and of the one after.

    Attributes
    ----------
    same_bits : bool
        Whether both computed the same, to the bit.
    """

    case: Case
    dtype: str
    threads: int
    before: list[float]
    after: list[float]
    same_bits: bool

    @property
    def ratios(self) -> list[float]:
        """How many times as fast the version after is, round by round, ascending."""
        return sorted(old / new for old, new in zip(self.before, self.after, strict=True))

    @property
    def ratio(self) -> float:
        """The median of `ratios`."""
        return statistics.median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """The median's interval of 95% confidence, from ranks: no distribution is assumed."""
        ratios = self.ratios
        cut = ranks_cut(len(ratios))
        return ratios[cut], ratios[-1 - cut]

    @property
    def verdict(self) -> str:
        """Return "faster", "slower" or "level"."""
        low, high = self.interval
        if low > 1 and self.ratio > 1 + NOTICEABLE:
            return "faster"
        if high < 1 and self.ratio < 1 - NOTICEABLE:
            return "slower"
        return "level"


def ranks_cut(count: int) -> int:
    """Return how many of `count` sorted values to leave out at each end.

    The median of what they are drawn from then lies between the others with the confidence of
    `CONFIDENCE` (the sign test's interval); 0 if there is none that is narrower than all.
    """
    outside = 0.0
    for cut in range((count + 1) // 2):
        outside += 2 * math.comb(count, cut) / 2**count
        if outside > 1 - CONFIDENCE:
            return max(cut - 1, 0)
    return 0


def compare(
    before: Path,
    after: Path,
    cases: Sequence[Case],
    *,
    dtypes: Sequence[str] = ("float32",),
    threads: int = 1,
    rounds: int = 9,
    seconds: float = 0.3,
    rows: int | None = None,
    data: str | None = None,
    say: Callable[[str], None] = print,
    done: Callable[[Comparison], None] = lambda comparison: None,
) -> list[Comparison]:
    """Time the versions of two folders.

    Parameters
    ----------
    before, after : Path
        What `snapshot.check` and `snapshot.running` return.
    seconds : float
        Of one turn, about.
    rows, data
        As `Settings.limit` and `cases.load_images` have them.
    done : function
        Given each comparison as soon as it is there.

    Raises
    ------
    VersionError
        A version does not run, or computes something wrong.
    """
    results = []
    with ExitStack() as stack:
        workers = [stack.enter_context(_Worker(folder)) for folder in (before, after)]
        for case in cases:
            for dtype in dtypes:
                for count in sorted({1, threads}):
                    say(f"{case.name}, {dtype}, threads {count} ...")
                    order = {"case": case.name, "dtype": dtype, "threads": count}
                    order |= {"data": data, "rows": rows}
                    result = _compare(workers, case, order, rounds, seconds)
                    results.append(result)
                    done(result)
    return results


def _compare(
    workers: Sequence[_Worker], case: Case, order: dict[str, Any], rounds: int, seconds: float
) -> Comparison:
    prepared = [worker.ask(order) for worker in workers]
    for worker, answer in zip(workers, prepared, strict=True):
        if "unfit" in answer:
            raise VersionError(f"{worker.folder}: {case.name}: {answer['unfit']}")
    rate, batch, most = prepared[0]["rate"], prepared[0]["batch"], prepared[0]["most"]
    steps = min(most, max(1, math.ceil(seconds * rate / batch)))
    passes = max(1, math.ceil(seconds * rate / (batch * steps)))
    turn = {"steps": steps, "passes": passes}
    samples = steps * passes * batch
    times: list[list[float]] = [[], []]
    for number in range(rounds):
        # Who goes first changes: the second finds another cache and another clock.
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            times[which].append(workers[which].ask(turn)["seconds"] / samples)
    same = prepared[0]["bits"] == prepared[1]["bits"]
    return Comparison(case, order["dtype"], order["threads"], times[0], times[1], same)


class _Worker:
    """A process that runs one version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to an order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise VersionError(
                f"{self.folder}: the version there ended with status {self._process.wait()} where "
                "it was to be timed; what it said stands above"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer
