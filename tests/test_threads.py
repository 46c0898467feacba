"""Threads and caches: how many, how large; forks, and calls from several Python threads at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import twolayer_ext as tl

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 300))
Y = RNG.integers(0, 10, 400)


def trained(**options):
    chosen = {"hidden_sizes": (200,), "epochs": 1, "batch_size": 200, "threads": 2} | options
    return tl.train(X, Y, **chosen).network


def same(a, b):
    return all(
        np.array_equal(p, q)
        for left, right in zip(a.parameters, b.parameters, strict=True)
        for p, q in zip(left, right, strict=True)
    )


LINUX = sys.platform == "linux"


def running_threads():
    return len(list(Path("/proc/self/task").iterdir()))


def printed(
    code="from twolayer_ext import checks; print(checks.thread_count(None))", **environment
):
    kept = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=True,
    )
    return int(result.stdout)


@pytest.mark.skipif(not tl.build_info()["openmp"], reason="built without OpenMP: always one thread")
def test_default_follows_the_environment():
    assert printed(OMP_NUM_THREADS="3") == 3
    assert printed(OMP_NUM_THREADS="2,4") == 2
    assert printed(OMP_NUM_THREADS="1000000") == 4096


@pytest.mark.skipif(not tl.build_info()["openmp"], reason="built without OpenMP: no limits to heed")
def test_default_heeds_threadpoolctl():
    pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed")
    code = """
from threadpoolctl import threadpool_limits
from twolayer_ext import checks
before = checks.thread_count(None)
with threadpool_limits(2):
    inside = checks.thread_count(None)
assert checks.thread_count(None) == before == 3, before
print(inside)
"""
    assert printed(code, OMP_NUM_THREADS="3") == 2


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs CPU affinity")
def test_default_is_at_most_the_cpus_of_this_process():
    assert 1 <= printed() <= len(os.sched_getaffinity(0))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork.*multithreaded:RuntimeWarning")  # JAX, if imported
def test_a_forked_child_trains_to_the_same_bits_and_does_not_hang():
    wanted = trained()  # starts threads, which a fork does not copy
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if same(trained(), wanted) else 2
            if status == 0 and LINUX and running_threads() < 2:
                status = 3  # a team of one
        finally:
            os._exit(status)
    waiter = threading.Timer(60, os.kill, (pid, 9))
    waiter.start()
    _, status = os.waitpid(pid, 0)
    waiter.cancel()
    assert os.waitstatus_to_exitcode(status) == 0


def test_python_threads_train_side_by_side():
    wanted = [trained(seed=seed) for seed in range(4)]
    got = [None] * 4

    def work(seed):
        got[seed] = trained(seed=seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=1800)
    assert all(network is not None for network in got)
    assert all(same(a, b) for a, b in zip(got, wanted, strict=True))


@pytest.mark.skipif(not LINUX, reason="threads are counted in /proc")
def test_python_threads_share_their_helpers():
    code = """
import os, threading
import numpy as np
import twolayer_ext as tl
x = np.random.default_rng(0).standard_normal((400, 300))
y = np.arange(400) % 10
most = 0
def work():
    global most
    tl.train(x, y, hidden_sizes=(200,), batch_size=200, threads=3, epochs=3, progress=False)
    most = max(most, len(os.listdir("/proc/self/task")))
before = len(os.listdir("/proc/self/task"))
workers = [threading.Thread(target=work) for _ in range(8)]
for worker in workers: worker.start()
for worker in workers: worker.join()
print(most - before - len(workers))
"""
    helpers = printed(code)
    assert helpers <= max(2, len(os.sched_getaffinity(0)) - 1)


def test_caches_are_the_systems_or_the_variables():
    code = "import twolayer_ext as tl; print(sum(tl.build_info()['caches']))"
    assert printed(code) > 0
    assert printed(code, TWOLAYER_CACHES="1,20,300") == 321
    here = tl.build_info()["caches"]
    assert printed(code, TWOLAYER_CACHES="7,x") == 7 + here[1] + here[2]
