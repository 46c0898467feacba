"""A process limited to little memory: MemoryError, or fewer threads, but no abort."""

from __future__ import annotations

import sys

import pytest

from hostile.processes import play

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc are Linux's"
)

_PROGRAM = """
def leave_room(megabytes):
    pages = int(open("/proc/self/statm").read().split()[0])
    room = pages * resource.getpagesize() + int(megabytes * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
big = tl.Network((300, 1000, 10))
%s
outcomes = []
for megabytes in (0, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 400):
    leave_room(megabytes)
    try:
        work()
        outcomes.append(True)
    except MemoryError:
        outcomes.append(False)
    except RuntimeError as error:  # Python's own threads
        assert "start new thread" in str(error), error
        outcomes.append(False)
leave_room(2**20)
work()
assert bits(trained()) == wanted or not wanted
print(outcomes)
assert outcomes[-1] and not outcomes[0]
"""


@pytest.mark.parametrize(
    "work",
    [
        "tl.train(x, y, hidden_sizes=(2000, 1000), optimizer='adam', max_steps=3, threads=2)",
        "tl.train(x, y, hidden_sizes=(3000,), compute_dtype='bfloat16', max_steps=3, threads=2)",
        "tl.train(x, y, hidden_sizes=(2000,), batch_norm=True, clip_norm=1, max_steps=3)",
        "big.predict(np.broadcast_to(x[:1], (20_000, 300)), threads=2)",
        "big.loss_and_gradients(np.tile(x, (2, 1)), np.tile(y, 2), threads=2)",
        "tl.Network((3000, 3000, 10))",
    ],
    ids=["train", "bfloat16", "batch_norm", "predict", "gradients", "network"],
)
def test_memory_error_or_result(work):
    play(_PROGRAM % f"wanted = bits(trained())\ndef work():\n    {work}")


def test_before_there_are_threads():
    work = "tl.train(x, y, hidden_sizes=(2000, 1000), optimizer='adam', max_steps=3, threads=2)"
    play(_PROGRAM % f"wanted = b''\ndef work():\n    {work}")


def test_threads_that_cannot_be_begun_are_done_without():
    play("""
import ctypes
alone = bits(trained(threads=1))           # imports what the other user may not read
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
libc = ctypes.CDLL(None)
if os.getuid() == 0:                       # to whom the limit does not apply
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.setresuid(65534, 65534, 65534) == 0
assert bits(trained(threads=4)) == alone
""")
