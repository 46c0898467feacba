"""The machine: what it is, and what it can do at best while the benchmark runs."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import twolayer_ext as tl
from twolayer_ext import _core

PACKAGES = ("numpy", "torch", "jax", "scikit-learn")


def describe(threads: int) -> dict[str, str | int]:
    """Return CPU, threads in use, instruction set, compiler and versions, for people to read."""
    build = tl.build_info()
    result: dict[str, str | int] = {
        "cpu": cpu_model(),
        "threads": threads,
        "last-level cache": f"{last_level_cache() / 2**20:.0f} MiB",
        "instruction set": f"{build['isa']} ({build['isa_reason']})",
        "compiler": build["compiler"],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "twolayer-ext": tl.__version__,
    }
    for name in PACKAGES:
        try:
            result[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            result[name] = "not installed"
    return result


def cpu_model() -> str:
    """Return the CPU's name for itself."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def stolen_time() -> tuple[int, int] | None:
    """Return ticks of all CPUs that the host gave to others, and all ticks; None if it hides it."""
    try:
        first = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return None
    ticks = [int(text) for text in first[1:9]]
    return ticks[7], sum(ticks)


def stolen_share(before: tuple[int, int] | None) -> float | None:
    """Return the stolen share of the time since then."""
    after = stolen_time()
    if before is None or after is None or after[1] == before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keep so many other processes busy, as on a shared machine."""
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def last_level_cache() -> int:
    """Return the bytes of the largest cache that a CPU core reaches."""
    return int(max(tl.build_info()["caches"]))


@dataclass
class Peaks:
    """What the machine did at best, probed again and again between the contenders' turns.

    Attributes
    ----------
    threads : tuple of int
        The numbers of threads to probe with.
    dtypes : tuple of str
        The types of product to probe.
    seconds : float
        How long a probe lasts.
    gflops : dict
        (dtype, threads) to all probes so far, in GFLOP/s, for the dtypes that the core has.
    bandwidth : list of float
        All threads' reads from memory, in GB/s.
    """

    threads: tuple[int, ...]
    dtypes: tuple[str, ...]
    seconds: float
    gflops: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    bandwidth: list[float] = field(default_factory=list)

    def probe(self) -> None:
        """Measure everything once more."""
        for dtype in self.dtypes:
            for threads in self.threads:
                try:
                    peak = _core.multiply_add_peak(dtype, threads, self.seconds)
                except ValueError:  # the core has no products of this dtype
                    continue
                self.gflops.setdefault((dtype, threads), []).append(peak)
        self.bandwidth.append(_core.read_bandwidth(max(self.threads), self.seconds))

    def peak(self, dtype: str, threads: int | None) -> float:
        """Return the best probe, in GFLOP/s; all threads for None, nan for what cannot be probed.

        Not the median: whoever else uses the machine slows probes down and never speeds them up.
        """
        probes = self.gflops.get((dtype, threads or max(self.threads)), ())
        return max(probes, default=math.nan)

    def best_bandwidth(self) -> float:
        """Return the best probe, in GB/s."""
        return max(self.bandwidth, default=math.nan)
