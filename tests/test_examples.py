"""The examples run, and do what they say; so does the code in the documentation."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


def example(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def _one_thread(monkeypatch):
    """Threads of small nets wait for each other; on a busy machine they would do little else."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.importorskip("threadpoolctl").threadpool_limits(1):
        yield


def test_the_pole_is_balanced():
    cart_pole = example("cart_pole")
    _, lengths = cart_pole.train()
    assert np.mean(lengths[:3]) < 60  # an untrained network lets it fall
    assert np.mean(lengths[-10:]) > 0.95 * cart_pole.STEPS


@pytest.mark.usefixtures("_one_thread")
def test_a_frame_goes_through_the_pipeline(capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    scores = example("pipeline").main()
    assert scores["MLPRegressor"] > scores["Ridge"] + 0.1  # rents that are no sum over columns
    assert "at the harbour" in capsys.readouterr().out


@pytest.mark.usefixtures("_one_thread")
def test_the_halving_search_finds_good_settings(capsys):
    pytest.importorskip("sklearn")
    search = example("halving_search").main(n_jobs=1)
    assert search.n_candidates_ == [24, 8, 3]
    assert search.best_params_["max_iter"] == 27
    last = capsys.readouterr().out.splitlines()[-1]
    assert float(last.split(": ")[1]) > 0.95


@pytest.mark.usefixtures("_one_thread")
def test_calibrated_probabilities_are_better(tmp_path, capsys, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    pytest.importorskip("matplotlib")
    picture = tmp_path / "calibration.png"
    losses = example("calibration").main(picture)
    assert losses["calibrated"] < losses["MLPClassifier"] - 0.1
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture) in capsys.readouterr().out


@pytest.mark.parametrize("page", ["docs/losses.md"])
def test_code_in_the_documentation_runs(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
