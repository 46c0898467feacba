"""Techniques on every target this machine has, against the NumPy twin and against each other."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from python_targets import BUILT, run_python, supported_targets


@functools.cache
def shapes(mode, isa):
    script = Path(__file__).parents[2] / "technique_shapes.py"
    result = run_python(str(script), mode, isa=isa)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture(params=BUILT)
def isa(request):
    if request.param not in supported_targets():
        pytest.skip(f"this CPU does not support {request.param}")
    return request.param


@pytest.mark.parametrize(("mode", "comparisons"), [("gradients", 3774), ("training", 245)])
def test_every_kernel_agrees_with_the_twin(mode, comparisons, isa):
    *failures, count = shapes(mode, isa)
    assert failures == []
    assert count == f"compared {comparisons}"


def test_the_same_bits_for_any_number_of_threads_any_cut_into_calls_and_any_target(isa):
    lines = shapes("bits", isa)
    assert [line for line in lines if line.startswith("FAILED")] == []
    hashes = [line for line in lines if line.startswith("hash")]
    assert len(hashes) == len(set(hashes)) == 3 * 7  # types, techniques
    # Between targets bfloat16 promises nothing.
    exact = [line for line in hashes if not line.startswith("hash bfloat16")]
    assert exact == [line for line in shapes("bits", "portable") if line in exact]
