"""Ctrl-C, and how long the main thread goes on computing after it.

Its own CPU time is counted, not the clock on the wall: a busy machine makes no test fail.
"""

from __future__ import annotations

import os
import signal
import threading
import time


class CtrlC:
    """Sends this process SIGINT, once."""

    def __init__(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        self._clock = time.pthread_getcpuclockid(main)
        self._sent = 0.0

    def send_after(self, seconds: float) -> None:
        """Send it so many seconds from now."""
        threading.Timer(seconds, self._send).start()

    def _send(self) -> None:
        self._sent = time.clock_gettime(self._clock)
        os.kill(os.getpid(), signal.SIGINT)

    def worked_on(self) -> float:
        """Return the seconds that the main thread has computed since it was sent."""
        return time.clock_gettime(self._clock) - self._sent
