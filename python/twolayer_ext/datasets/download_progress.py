"""How far a download has come, on stderr: tqdm where it is installed, else plain lines."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

_LINE_SECONDS = 0.5


class Bar(Protocol):
    """What a download tells of itself."""

    def set(self, done: int) -> None:
        """`done` bytes are there: at the start of an attempt, which may be a new one."""

    def add(self, count: int) -> None:
        """`count` bytes more are there."""


@contextlib.contextmanager
def show_progress(name: str, total: int, wanted: bool | None) -> Iterator[Bar]:
    """Show the progress of `name` with `total` bytes; `wanted` None means: on a terminal."""
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield _Silent()
        return
    try:
        from tqdm import tqdm
    except ImportError:
        line = _Line(name, total)
        try:
            yield line
        finally:
            line.show()
            sys.stderr.write("\n")
        return
    with tqdm(total=total, desc=name, unit="B", unit_scale=True, unit_divisor=1024) as bar:
        yield _Tqdm(bar)


class _Silent:
    def set(self, done: int) -> None:
        pass

    def add(self, count: int) -> None:
        pass


class _Tqdm:
    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def set(self, done: int) -> None:
        self.bar.n = done
        self.bar.refresh()

    def add(self, count: int) -> None:
        self.bar.update(count)


class _Line:
    """One line, written over itself twice a second."""

    def __init__(self, name: str, total: int) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.shown = 0.0

    def set(self, done: int) -> None:
        self.done = done
        self.show()

    def add(self, count: int) -> None:
        self.done += count
        if time.monotonic() - self.shown > _LINE_SECONDS:
            self.show()

    def show(self) -> None:
        self.shown = time.monotonic()
        percent = 100 * self.done // max(self.total, 1)
        sys.stderr.write(
            f"\r{self.name}: {self.done / 1e6:.1f} of {self.total / 1e6:.1f} MB ({percent}%)"
        )
        sys.stderr.flush()
