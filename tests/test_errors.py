"""The package's exceptions: what they carry survives a copy, a pickle and another process."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import twolayer_ext as tl


@pytest.fixture
def result(blobs):
    return tl.train(*blobs, hidden_sizes=(3,), epochs=2, progress=False)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_errors_can_be_copied(duplicate, result, same_bits):
    errors = [
        tl.CheckpointError("no space left", result),
        tl.DivergenceError("the loss became nan", result),
        tl.TrainingInterrupted(result),
        tl.MissingExtraError("plotting", "plot"),
        tl.FileFormatError("net.npz: broken"),
        tl.DownloadError("no answer"),
        tl.NetworkBusyError("network: is being trained"),
    ]
    for error in errors:
        error.add_note("seen in a test")
        back = duplicate(error)
        assert type(back) is type(error)
        assert str(back) == str(error)
        assert back.__notes__ == ["seen in a test"]
        if hasattr(error, "result"):
            assert back.result.history["step_loss"] == result.history["step_loss"]
            assert same_bits(back.result.network, result.network)
        if isinstance(error, tl.MissingExtraError):
            assert back.extra == "plot"


def test_divergence_in_another_process(blobs):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        x, y = blobs  # pixels of 1e280 by weights of 1e35: the first loss is infinite
        options = {"init": 1e35, "normalize": None, "dtype": "float64", "progress": False}
        future = pool.submit(tl.train, 1e280 * x, y, **options)
        with pytest.raises(tl.DivergenceError, match="at step 1") as caught:
            future.result(timeout=1800)
    assert caught.value.result.network.layer_sizes == (6, 512, 3)
    assert not np.isfinite(caught.value.result.history["step_loss"][0])
