"""Peak memory of this package on a case, measured in a process of its own.

``python -m twolayer_ext.benchmark.memory CASE ROWS THREADS`` prints one line of JSON.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

import twolayer_ext as tl
from twolayer_ext.benchmark.cases import cases_named

_STATUS = Path("/proc/self/status")
_STEPS = 20
_TIMEOUT = 300


def measure(case_name: str, rows: int, threads: int) -> dict[str, float] | None:
    """Return resident megabytes: "peak", of which "data", and "growth" from when data were there.

    None where the system does not tell (only Linux does).
    """
    if not _STATUS.exists():
        return None
    command = [sys.executable, "-m", __name__, case_name, str(rows), str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def resident(key: str) -> float:
    """Return VmRSS or VmHWM (its highest value so far) of this process, in MB."""
    found = re.search(rf"^{key}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def _run(case_name: str, rows: int, threads: int) -> dict[str, float]:
    (case,) = cases_named([case_name])
    x = np.full((rows, case.layer_sizes[0]), 1, np.uint8)  # memory does not depend on the values
    y = np.arange(rows) % case.layer_sizes[-1]
    before = resident("VmRSS")
    if case.task == "predict":
        tl.Network(case.layer_sizes).predict(x, threads=threads)
    else:
        tl.train(
            x,
            y,
            hidden_sizes=case.layer_sizes[1:-1],
            optimizer=case.own_optimizer,
            learning_rate=case.learning_rate,
            learning_rate_decay=1.0,
            batch_size=case.batch_size,
            epochs=None,
            max_steps=_STEPS,
            threads=threads,
            progress=False,
        )
    peak = resident("VmHWM")
    return {"peak": peak, "data": (x.nbytes + y.nbytes) / 1e6, "growth": peak - before}


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
