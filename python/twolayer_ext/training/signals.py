"""Ctrl-C and SIGTERM, held back to where training can be left and gone on with."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class HeldSignals:
    """Within the block the signals are noted; `answer` lets one have its ordinary effect.

    A second one does not wait. Only the main thread can do this; elsewhere, and for signals that
    are ignored or that C code handles, nothing is changed. The handlers before are put back.
    """

    def __init__(self) -> None:
        self.pending: int | None = None
        self._previous: dict[int, Callable[[int, FrameType | None], Any] | int] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if handler is not None and handler != signal.SIG_IGN:
                    self._previous[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            if signal.getsignal(number) == self._note:
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.pending is not None:
            self.answer()
        self.pending = number

    def answer(self) -> None:
        """Do what the noted signal would have done: KeyboardInterrupt, SystemExit(143), ..."""
        number, self.pending = self.pending, None
        if number is None:
            return
        handler = self._previous[number]
        if callable(handler):
            handler(number, None)
        else:
            raise SystemExit(128 + number)
