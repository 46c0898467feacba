"""Kernels of every target this machine has, against the NumPy twin and against each other.

A process uses one target, chosen at import, so each runs in a process of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from python_targets import BUILT, run_python, shapes, supported_targets

SCRIPT = Path(__file__).with_name("kernel_shapes.py")


@pytest.fixture(params=BUILT)
def isa(request):
    if request.param not in supported_targets():
        pytest.skip(f"this CPU does not support {request.param}")
    return request.param


@pytest.mark.parametrize(
    ("mode", "comparisons"),
    [("single", 1250), ("hidden", 720), ("activations", 1080), ("losses", 4950), ("trainer", 408)],
)
def test_every_kernel_agrees_with_the_twin(mode, comparisons, isa):
    *failures, count = shapes(SCRIPT, isa)[mode]
    assert failures == []
    assert count == f"compared {comparisons}"


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("mode", "comparisons"),
    [("single", 17280), ("hidden", 7776), ("activations", 2592), ("losses", 28512), ("trainer", 0)],
)
def test_every_kernel_agrees_with_the_twin_for_all_sizes(mode, comparisons, isa):
    *failures, count = shapes(SCRIPT, isa, "full")[mode]
    assert failures == []
    assert count == f"compared {comparisons}"


def check_bits(isa, *full):
    lines = shapes(SCRIPT, isa, *full)["bits"]
    assert [line for line in lines if line.startswith("FAILED")] == []
    hashes = [line for line in lines if line.startswith("hash")]
    assert len(hashes) == len(set(hashes)) == 3 * 20  # types, optimizers and losses
    # Between targets bfloat16 promises nothing.
    exact = [line for line in hashes if not line.startswith("hash bfloat16")]
    assert exact == [
        line for line in shapes(SCRIPT, "portable", *full)["bits"] if line in set(exact)
    ]


def test_parameters_have_the_same_bits_for_any_number_of_threads_and_target(isa):
    check_bits(isa)


@pytest.mark.exhaustive
def test_parameters_have_the_same_bits_after_many_steps(isa):
    check_bits(isa, "full")


def test_the_best_supported_target_is_chosen():
    code = "import twolayer_ext as tl; print(tl.build_info()['isa'])"
    assert run_python("-c", code).stdout.strip() == supported_targets()[0]


def test_a_target_can_be_forced(isa):
    code = "import twolayer_ext as tl; i = tl.build_info(); print(i['isa'], i['isa_reason'])"
    assert run_python("-c", code, isa=isa).stdout.strip() == f"{isa} forced by TWOLAYER_ISA"


def test_an_unknown_target_is_an_error_that_lists_the_known():
    result = run_python("-c", "import twolayer_ext", isa="mmx")
    assert result.returncode != 0
    assert "TWOLAYER_ISA=mmx: unknown; built in are " + ", ".join(BUILT) in result.stderr
