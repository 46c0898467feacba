"""Memory maps whose files change under them."""

from __future__ import annotations

import mmap
import sys

import numpy as np
import pytest

import twolayer_ext as tl
from hostile.processes import play

SHORT = r"x: its file has 4096 of the 40000 bytes that are mapped; must keep them"


@pytest.fixture
def mapped(tmp_path):
    x = np.memmap(tmp_path / "x", np.uint8, "w+", shape=(4000, 10))
    x[:] = np.random.default_rng(0).integers(0, 255, x.shape)
    x.flush()
    return tmp_path / "x", np.memmap(tmp_path / "x", np.uint8, "r", shape=(4000, 10))


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[::-2, 1:], lambda x: np.asarray(x)])
def test_a_file_cut_before_is_noticed(mapped, view):
    path, x = mapped
    network = tl.Network((view(x).shape[1], 3))
    network.predict(view(x))
    with path.open("r+b") as file:
        file.truncate(4096)
    for call in (network.predict, network.forward, lambda x: tl.train(x, np.arange(4000) % 3)):
        with pytest.raises(ValueError, match=SHORT):
            call(view(x))


def test_labels_of_a_file_cut_before(mapped):
    path, x = mapped
    y = x[:, 0]
    with path.open("r+b") as file:
        file.truncate(4096)
    with pytest.raises(ValueError, match="y: its file has 4096"):
        tl.train(np.zeros((4000, 2)), y)


def test_maps_of_no_file_are_taken():
    x = np.frombuffer(mmap.mmap(-1, 4000), np.uint8).reshape(100, 40)
    tl.train(x, np.arange(100) % 2, epochs=1, progress=False)


def test_a_file_that_grows_is_used_as_it_was(mapped):
    path, x = mapped
    with path.open("ab") as file:
        file.write(bytes(5000))
    tl.train(x, np.arange(4000) % 3, epochs=1, progress=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what Linux does, and docs say")
def test_a_file_cut_while_training_ends_the_process(tmp_path):
    play(
        f"""
path = {str(tmp_path / "x")!r}
whole = np.memmap(path, np.uint8, "w+", shape=(100_000, 64))
del whole
pid = os.fork()
if pid == 0:
    faulthandler = __import__("faulthandler")
    faulthandler.disable()
    mapped = np.memmap(path, np.uint8, "r", shape=(100_000, 64))
    cut = lambda event: os.truncate(path, 4096)
    tl.train(mapped, np.arange(100_000) % 3, normalize=None, epochs=9, progress=False,
             callbacks=[cut])
    os._exit(0)
status = wait_for(pid)
assert status == -signal.SIGBUS, status
"""
    )
