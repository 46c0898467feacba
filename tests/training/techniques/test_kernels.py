"""Techniques on every target this machine has, against the NumPy twin and against each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_targets import BUILT, shapes, supported_targets

SCRIPT = Path(__file__).parents[2] / "technique_shapes.py"


@pytest.fixture(params=BUILT)
def isa(request):
    if request.param not in supported_targets():
        pytest.skip(f"this CPU does not support {request.param}")
    return request.param


@pytest.mark.parametrize(("mode", "comparisons"), [("gradients", 780), ("training", 245)])
def test_every_kernel_agrees_with_the_twin(mode, comparisons, isa):
    *failures, count = shapes(SCRIPT, isa)[mode]
    assert failures == []
    assert count == f"compared {comparisons}"


@pytest.mark.exhaustive
@pytest.mark.parametrize(("mode", "comparisons"), [("gradients", 3774), ("training", 490)])
def test_every_kernel_agrees_with_the_twin_for_all_sizes(mode, comparisons, isa):
    *failures, count = shapes(SCRIPT, isa, "full")[mode]
    assert failures == []
    assert count == f"compared {comparisons}"


@pytest.mark.parametrize("size", [(), pytest.param(("full",), marks=pytest.mark.exhaustive)])
def test_the_same_bits_for_any_number_of_threads_any_cut_into_calls_and_any_target(size, isa):
    lines = shapes(SCRIPT, isa, *size)["bits"]
    assert [line for line in lines if line.startswith("FAILED")] == []
    hashes = [line for line in lines if line.startswith("hash")]
    assert len(hashes) == len(set(hashes)) == 3 * 7  # types, techniques
    # Between targets bfloat16 promises nothing.
    exact = [line for line in hashes if not line.startswith("hash bfloat16")]
    assert len(exact) == 2 * 7
    assert exact == [line for line in shapes(SCRIPT, "portable", *size)["bits"] if line in exact]
