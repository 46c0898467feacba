"""Hours of everything at once: MALLOC_ARENA_MAX=1 python benchmarks/soak.py --minutes 30.

Threads train, predict, save, load, interrupt and fail side by side, and compare each result with
what it was at the beginning. Printed every tenth of the time: rounds, resident memory, open files
and threads. The exit status is 1 if a result changed, if memory grew by more than 2% between the
end of the first third and the end, or if files stayed open. MALLOC_ARENA_MAX=1 because glibc's
heaps, one for every thread, go on fragmenting for a long time, which would hide a leak.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import twolayer_ext as tl

_RNG = np.random.default_rng(0)
X = _RNG.integers(0, 256, (4000, 200), dtype=np.uint8)
Y = _RNG.integers(0, 10, 4000)
OPTIONS = {"hidden_sizes": (64,), "batch_size": 100, "epochs": 1, "progress": False}
CHANGES = (
    {"optimizer": "adam"},
    {"optimizer": "sgd", "dtype": "float64"},
    {"batch_norm": True, "dropout": 0.2},
    {"compute_dtype": "bfloat16", "clip_norm": 1.0},
    {"loss": "squared_error", "validation_fraction": 0.2, "early_stopping": 1},
)


class _StopError(Exception):
    pass


def _bits(network: tl.Network) -> bytes:
    return b"".join(array.tobytes() for pair in network.parameters for array in pair)


def _train(worker: int, folder: Path) -> Iterator[bytes]:
    for i, changes in enumerate(CHANGES):
        yield _bits(tl.train(X, Y, **OPTIONS | changes, threads=1 + (worker + i) % 3).network)


def _save_and_load(worker: int, folder: Path) -> Iterator[bytes]:
    network = tl.train(X, Y, **OPTIONS, seed=worker).network
    path = folder / f"{worker}.npz"
    network.save(path)
    loaded = tl.load(path)
    yield _bits(loaded)
    yield loaded.predict_proba(X, threads=2).tobytes()
    path.write_bytes(path.read_bytes()[:-100])
    try:
        tl.load(path)
    except tl.FileFormatError:
        yield b"refused"


def _from_files(worker: int, folder: Path) -> Iterator[bytes]:
    place = folder / f"data{worker}"
    place.mkdir(exist_ok=True)
    np.save(place / "x.npy", X)
    np.save(place / "y.npy", Y)
    data = tl.datasets.load_arrays(place)
    yield _bits(tl.train(data.x, data.y, **OPTIONS, seed=worker).network)


def _interrupt(worker: int, folder: Path) -> Iterator[bytes]:
    """End trainings from a callback: by an exception, and by Ctrl-C's."""

    def stop(event: tl.EpochEvent) -> None:
        raise _StopError if event.epoch == 1 else AssertionError

    def ctrl_c(event: tl.EpochEvent) -> None:
        raise KeyboardInterrupt

    network = tl.Network((200, 64, 10), seed=worker)
    try:
        tl.train(X, Y, network=network, batch_size=100, epochs=9, progress=False, callbacks=[stop])
    except _StopError:
        yield _bits(network)
    try:
        tl.train(X, Y, **OPTIONS | {"epochs": 9}, seed=worker, callbacks=[ctrl_c])
    except tl.TrainingInterrupted as interrupted:
        yield _bits(interrupted.result.network)
    try:
        tl.train(X, Y, **OPTIONS | {"epochs": 0})
    except ValueError:
        yield b"refused"


WORK: tuple[Callable[[int, Path], Iterator[bytes]], ...] = (
    _train,
    _save_and_load,
    _from_files,
    _interrupt,
)


def _resident() -> float:
    """MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _entries(what: str) -> int:
    """Number of open files ("fd") or threads ("task")."""
    return sum(1 for _ in Path("/proc/self", what).iterdir())


class Soak:
    """The threads, what they found, and when they end."""

    def __init__(self, threads: int, seconds: float, folder: Path) -> None:
        self.begin = time.monotonic()
        self.end = self.begin + seconds + 5  # beyond the last look
        self.folder = folder
        self.rounds = [0] * threads
        self.changed: list[str] = []

    def work(self, worker: int) -> None:
        """Do one kind of work over and over."""
        kind = WORK[worker % len(WORK)]
        try:
            first = list(kind(worker, self.folder))
            while time.monotonic() < self.end:
                if list(kind(worker, self.folder)) != first:
                    self.changed.append(f"{kind.__name__} of thread {worker}")
                self.rounds[worker] += 1
        except BaseException as error:
            self.changed.append(f"{kind.__name__} of thread {worker}: {error!r}")

    def run(self, seconds: float) -> bool:
        """Tell whether all went well."""
        files = _entries("fd")
        threads = [
            threading.Thread(target=self.work, args=(worker,)) for worker in range(len(self.rounds))
        ]
        for thread in threads:
            thread.start()
        memory = []
        print("minutes  rounds  MiB  files  threads")
        for i in range(1, 11):
            time.sleep(max(0.0, self.begin + seconds * i / 10 - time.monotonic()))
            # The mean of some moments: what trainings hold for a while is no growth.
            memory.append(float(np.mean([(_resident(), time.sleep(0.05))[0] for _ in range(40)])))
            print(
                f"{i * seconds / 600:7.1f} {sum(self.rounds):7d} {memory[-1]:6.1f} "
                f"{_entries('fd'):4d} {_entries('task'):6d}",
                flush=True,
            )
        for thread in threads:
            thread.join()
        gc.collect()
        left = _entries("fd") - files
        growth = memory[-1] / memory[2] - 1
        print(f"memory {growth:+.2%} since the first third; {left} more files open at the end")
        print("changed: " + "; ".join(self.changed) if self.changed else "no result changed")
        return not self.changed and growth <= 0.02 and left <= 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=8)
    options = parser.parse_args()
    seconds = options.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        right = Soak(options.threads, seconds, Path(folder)).run(seconds)
    raise SystemExit(not right)


if __name__ == "__main__":
    main()
