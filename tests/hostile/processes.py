"""Programs in processes of their own: a crash fails the test, a hang does after some minutes."""

from __future__ import annotations

import subprocess
import sys

_PREAMBLE = """
import contextlib, copy, os, resource, signal, sys, threading, time, warnings
import numpy as np
import twolayer_ext as tl
warnings.simplefilter("ignore", DeprecationWarning)  # of fork, in a process of several threads
rng = np.random.default_rng(0)
x = rng.standard_normal((2000, 300))
y = rng.integers(0, 10, 2000)
options = dict(hidden_sizes=(200,), batch_size=200, threads=2, epochs=2, progress=False)
def trained(**changes):
    return tl.train(x, y, **(options | changes)).network
def bits(network):
    return b"".join(a.tobytes() for pair in network.parameters for a in pair)
def wait_for(pid, seconds=60):
    # the exit status of a child; a hang is 1000
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 1000
"""


def play(program: str, *, status: int = 0, seconds: int = 180) -> str:
    """Run a program; return what it printed.

    It finds NumPy as np, tl, data x (2000, 300) and y, `options`, trained(**changes),
    bits(network), and wait_for(pid), the exit status of a child.
    """
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _PREAMBLE + program],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == status, f"status {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout
