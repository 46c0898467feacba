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


def test_the_pole_is_balanced():
    cart_pole = example("cart_pole")
    _, lengths = cart_pole.train()
    assert np.mean(lengths[:3]) < 60  # an untrained network lets it fall
    assert np.mean(lengths[-10:]) > 0.95 * cart_pole.STEPS


@pytest.mark.parametrize("page", ["docs/losses.md"])
def test_code_in_the_documentation_runs(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
