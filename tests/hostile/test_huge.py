"""More elements than 2**31 and 2**32, in sparse files: rows at the far end are found, in little
memory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import twolayer_ext as tl
from hostile.processes import play

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs sparse files"),
]


def sparse_map(folder: Path, dtype: str, shape: tuple[int, int], order: str = "C") -> np.memmap:
    """A file of holes: zeros that take no room."""
    return np.memmap(folder / "x", dtype, "w+", shape=shape, order=order)


@pytest.fixture
def folder():
    """Removed at once: a copy of it may be no file of holes."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("u1", (2**31 // 512 + 99, 512)),
        ("u1", (2**32 // 512 + 99, 512)),
        ("f4", (2**31 // 512 + 99, 512)),
        ("f8", (2**30 // 512 + 99, 512)),
    ],
    ids=str,
)
def test_rows_at_the_far_end_are_found(folder, dtype, shape, order):
    """Of the kernels alone: Python's checks would read every hole."""
    rows, columns = shape
    x = sparse_map(folder, dtype, shape, order)
    planted = np.array([rows - 1, rows // 2, 0, rows - 2])
    values = np.random.default_rng(0).integers(1, 100, (4, columns))
    x[planted] = values
    network = tl.Network((columns, 5), dtype="float64")
    got = network.core.forward(x, planted.astype(np.int64), 2)
    wanted = network.forward(values)
    np.testing.assert_array_equal(got, wanted)


def test_train_on_six_gigabytes_in_little_memory(folder):
    """2 million x 3072 bytes: 200 steps, the first within 5 s of the processor."""
    rows = 2_000_000
    x = sparse_map(folder, "u1", (rows, 3072))
    x[-1] = 255
    x.flush()
    del x
    (folder / "y").write_bytes(np.arange(rows, dtype=np.int64).__mod__(10).tobytes())
    play(
        f"""
x = np.memmap({str(folder / "x")!r}, np.uint8, "r", shape=({rows}, 3072))
y = np.memmap({str(folder / "y")!r}, np.int64, "r", shape=({rows},))
import mmap
x._mmap.madvise(mmap.MADV_RANDOM)  # else the system reads ahead, and counts what it has read
def own():  # MiB besides pages of files
    lines = open("/proc/self/status").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
began = time.process_time()
result = tl.train(x, y, normalize=None, epochs=None, max_steps=1, hidden_sizes=(64,),
                  batch_size=350, progress=False)
first = time.process_time() - began
result = tl.train(x, y, normalize=None, epochs=None, max_steps=200, hidden_sizes=(64,),
                  batch_size=350, progress=False)
assert len(result.history["step_loss"]) == 200
resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(first, resident, own())
assert first < 5, first
assert own() < 1000, own()
assert resident < 1000, resident
found = result.network.forward(x[-1:])
assert not np.array_equal(found, result.network.forward(x[:1]))
""",
        seconds=600,
    )
