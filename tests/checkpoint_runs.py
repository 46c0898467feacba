"""Trainings to stop and to resume, by name; run as a script, one process a training.

    checkpoint_runs.py end NAME CHECKPOINT THREADS    resumes, or begins where there is no file
    checkpoint_runs.py kills COUNT SEED               see `kills`

Prints the hash of everything that a training gives, but for times.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import twolayer_ext as tl
from twolayer_ext.training import DEFAULTS, checkpoint, fit, steps

COMMON = {
    "hidden_sizes": (33, 7),
    "batch_size": 32,
    "epochs": 4,
    "validation_fraction": 0.2,
    "seed": 3,
    "progress": False,
}
RUNS = {
    "sgd": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "reg": 1e-3},
    "adam": {"optimizer": "adam", "learning_rate_decay": 0.9, "dtype": "float64"},
    "adamw": {
        "optimizer": "adamw", "batch_norm": True, "dropout": 0.2,
        "augment": tl.Augment((1, 5, 8), shift=1, cutout=2),
    },
    "lion": {"optimizer": "lion", "clip_norm": 0.5, "class_weight": "balanced"},
    "rmsprop": {
        "optimizer": tl.optimizers.RmsProp(centred=True, momentum=0.5), "label_smoothing": 0.1,
        "schedule": lambda step, steps: 1 / (1 + step),
    },
    "stopped early": {"early_stopping": 2, "learning_rate": 0.05, "epochs": 12},
    "averaged": {"average_epochs": 2, "batch_norm": True, "max_steps": 14, "epochs": None},
    "weights by label": {"class_weight": {0: 2.0, 3: 0.5}, "clip_norm": 1.0, "batch_norm": True},
}  # fmt: skip


def data():
    """Noise to fit: x (150, 40) uint8, y (150,) of 5 classes."""
    rng = np.random.default_rng(6)
    return rng.integers(0, 256, (150, 40), dtype=np.uint8), rng.integers(0, 5, 150)


def options(name, **more):
    return {**COMMON, **RUNS[name], **more}


def digest(result) -> str:
    """Return a hash of parameters, history but for times, best epoch and trainer's state."""
    sha256 = hashlib.sha256()
    for pair in result.network.parameters:
        for array in pair:
            sha256.update(array.tobytes())
    for key, values in sorted(result.history.items()):
        if key != "seconds":
            sha256.update(np.array(values).tobytes())
    for key, value in sorted(result.state.items()):
        sha256.update(key.encode() + np.asarray(value).tobytes())
    sha256.update(repr(result.best_epoch).encode())
    return sha256.hexdigest()


def end(name, path, threads=1, **more):
    """Train to the end, from the checkpoint if there is one; return the hash."""
    if Path(path).exists():
        return digest(tl.train(*data(), resume=path, threads=threads, progress=False, **more))
    return digest(tl.train(*data(), **options(name, checkpoint=path, threads=threads, **more)))


class StoppedError(Exception):
    """A training was stopped between two calls of the engine."""


def stop_at(name, path, call, module=tl, **more):
    """Train, a step a call and a checkpoint before each, until so many calls; tell if it stopped.

    The caller has set `steps._SHORT_CALL` below 0.
    """
    calls = 0

    def watch(share):
        nonlocal calls
        calls += 1
        if calls == call:
            raise StoppedError

    chosen = {**options(name, **more), "checkpoint": path, "checkpoint_seconds": 1e-9}
    try:
        fit(module.Network, *data(), {**DEFAULTS, **chosen}, watch=watch)
    except StoppedError:
        return True
    return False


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def inject(operation, number) -> None:
    """Let this process die at the `number`-th write, fsync, link, rename or unlink.

    A write is half done by then, the others are done where `number` is even.
    """
    seen = 0

    if operation == "write":

        class Raw(io.FileIO):
            def write(self, content):
                nonlocal seen
                seen += 1
                if seen == number:
                    super().write(bytes(content)[: len(content) // 2])
                    die()
                return super().write(content)

        Path.open = lambda self, mode: Raw(self, mode.replace("b", ""))
        return
    name = {"rename": "replace"}.get(operation, operation)
    real = getattr(os, name)

    def counted(*arguments, **keywords):
        nonlocal seen
        seen += 1
        if seen == number and number % 2:
            die()
        try:
            return real(*arguments, **keywords)
        finally:
            if seen == number:
                die()

    setattr(os, name, counted)


INJECTED = [
    (operation, number)
    for operation in ("write", "fsync", "link", "rename", "unlink")
    for number in (1, 2, 3, 4)
]


def child(name, path, injected=None, delay=None) -> tuple[bool, str]:
    """Train in a forked process; return whether it was killed, and else its hash."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if injected is not None:
                inject(*injected)
            more = {} if injected is None and delay is None else {"checkpoint_seconds": 1e-9}
            os.write(writing, b"!")
            os.write(writing, end(name, path, **more).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        stream.read(1)
        if delay is not None:
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
        text = stream.read().decode()
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, status
    return killed and len(text) < 64, text


def kills(count, seed) -> None:
    """Kill so many trainings, at each kind of operation and at random moments between.

    After each, the checkpoint must be whole if ever one was written, and resuming it must end with
    the bits of the training that nobody stopped. The same training is then killed again.
    """
    rng = random.Random(seed)
    steps._SHORT_CALL = -1  # a step a call, so that there is a checkpoint at each
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder, "run.ckpt"), Path(folder, "copy.ckpt")
        expected = {}
        for name in RUNS:
            path.unlink(missing_ok=True)
            expected[name] = child(name, path)[1]
        killed = attempts = 0
        name = ""
        while killed < count:
            attempts += 1
            assert attempts < 20 * count, f"only {killed} of {attempts} trainings could be killed"
            if not name or rng.random() < 0.3:
                name = rng.choice(list(RUNS))
                for left in Path(folder).iterdir():
                    left.unlink()
            before = path.exists()
            if killed < len(INJECTED):
                was, text = child(name, path, injected=INJECTED[killed])
            elif rng.random() < 0.5:
                injected = rng.choice(INJECTED)[0], rng.randrange(1, 60)
                was, text = child(name, path, injected=injected)
            else:
                was, text = child(name, path, delay=rng.uniform(0, 0.1))
            killed += was
            if path.exists():
                assert checkpoint.whole(path)
            else:
                assert not before
            shutil.copy(path, copy) if path.exists() else copy.unlink(missing_ok=True)
            resumed = child(name, copy)[1] if was else text
            assert resumed == expected[name], name
            if not was:
                name = ""
        leftovers = sum(1 for left in Path(folder).iterdir() if left.suffix == ".tmp")
        assert leftovers <= 2  # of the last kill: whoever begins tidies up
        print(f"{killed} killed, {attempts} attempts")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "kills":
        kills(int(arguments[0]), int(arguments[1]))
    else:
        print(end(arguments[0], arguments[1], int(arguments[2])))
