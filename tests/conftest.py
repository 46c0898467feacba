from __future__ import annotations

import signal

import numpy as np
import pytest

import twolayer_ext as tl


def pytest_addoption(parser):
    parser.addoption("--exhaustive", action="store_true", help="also the long sweeps")


def pytest_collection_modifyitems(config, items):
    """Deselect what is marked exhaustive, unless the option asks for it."""
    if config.getoption("--exhaustive"):
        return
    long = [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_interrupts():
    """A shell without job control starts background processes with SIGINT ignored.

    The tests of Ctrl-C, and the processes they start, need Python's own handler back.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=[tl, tl.reference], ids=["compiled", "numpy"])
def backend(request):
    """Both engines: each has Network, train and load."""
    return request.param


@pytest.fixture
def blobs():
    """Three noisy clouds in 6 dimensions: x (90, 6) float64, y (90,)."""
    rng = np.random.default_rng(5)
    y = np.arange(90) % 3
    centers = rng.normal(size=(3, 6))
    return centers[y] + 0.4 * rng.normal(size=(90, 6)), y


@pytest.fixture
def pixels():
    """Noise to fit: x (150, 40) uint8, y (150,) of 5 classes."""
    rng = np.random.default_rng(6)
    return rng.integers(0, 256, (150, 40), dtype=np.uint8), rng.integers(0, 5, 150)


@pytest.fixture
def same_bits():
    """A comparison of two networks' parameters, to the bit."""

    def compare(a, b) -> bool:
        pairs = zip(a.parameters, b.parameters, strict=True)
        return a.layer_sizes == b.layer_sizes and all(
            p.dtype == q.dtype and p.tobytes() == q.tobytes()
            for left, right in pairs
            for p, q in zip(left, right, strict=True)
        )

    return compare
