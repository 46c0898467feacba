from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl


@pytest.fixture(autouse=True)
def inside_tmp_path(tmp_path, tmp_path_factory, monkeypatch):
    """Nothing that a command writes by default may land in the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))


@pytest.fixture
def blobs(tmp_path):
    """An .npz of 300 points around 3 centres: any net learns it."""
    random = np.random.default_rng(0)
    y = random.integers(3, size=300)
    x = (random.normal(size=(300, 5)) + 4 * np.eye(3, 5)[y]).astype(np.float32)
    path = tmp_path / "blobs.npz"
    np.savez(path, x=x, y=y)
    return path


@pytest.fixture
def model(tmp_path, blobs):
    """The file of a network that was trained on the blobs."""
    path = tmp_path / "model" / "network.npz"
    path.parent.mkdir()
    with np.load(blobs) as data:
        result = tl.train(data["x"], data["y"], hidden_sizes=(16,), optimizer="adam")
    result.network.save(path)
    return path
