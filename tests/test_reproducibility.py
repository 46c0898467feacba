"""The same bits for any number of threads, any instruction set, and any machine.

The hashes below were recorded once. docs/reproducibility.md says what they promise; whoever changes
them changes results, and says so in CHANGELOG.md.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import pytest

from cpp_programs import (
    NO_COMPILER,
    TRAIN_HASH,
    Machine,
    build_with_core,
    emulated_aarch64,
    native,
    run_program,
)
from python_targets import BUILT, run_python, supported_targets

# tests/cpp/train_hash.cpp: parameters and losses after 200 steps, without Python or any library.
TRAINED_BY_CORE = {
    "float32 sgd": "cf92722ac0c2ca1a",
    "float64 sgd": "de4ed5ef15fcb77a",
    "float32 adam": "d17398514d84e550",
    "float64 adam": "6251a383371f8f62",
    "float32 techniques": "3f4087bce3429130",
    "float64 techniques": "306e4fcb945de404",
}
# The same program's results on many odd shapes.
ODD_SHAPES = {"exact": "fa1a428833813232", "techniques exact": "a94c28f108fd7f3a"}
# And with every activation, loss, optimizer, type and order of rows.
EVERY_KIND = "013141a39d2df5f9"

# tests/digits_hash.py: initial weights and the first epoch's order, drawn by NumPy.
START_ON_DIGITS = {"float32": "0097a785c321e54f", "float64": "16cd7c8448c6f8cc"}
# Parameters and losses after 200 steps of train() with settings.SGD.
TRAINED_ON_DIGITS = {"float32": "8bae7b126e995a7c", "float64": "8011d8a616ed29f6"}


# More threads than CPUs take turns, slowly.
LARGEST_TEAM = pytest.mark.parametrize(
    "largest", [2, pytest.param(7, marks=pytest.mark.exhaustive)], ids=lambda n: f"{n} threads"
)


def teams_of(isa: str, largest: int) -> list[str]:
    # The portable target computes fma in function calls, slowly: one number of threads.
    teams = (2,) if isa == "portable" else (1, 2, 3, 4, 7)
    return [str(threads) for threads in teams if threads <= largest]


def build(machine: Machine, folder: Path) -> Path:
    return build_with_core(machine, TRAIN_HASH, folder)


def output(machine: Machine, program: Path, *arguments: str, isa: str | None = None) -> list[str]:
    done = run_program(machine, program, *arguments, isa=isa)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def exact(lines: list[str]) -> dict[str, str]:
    """Return hashes by name, those of bfloat16 left out."""
    hashes = dict(line.rsplit(" ", 1) for line in lines)
    return {name: value for name, value in hashes.items() if "bfloat16" not in name}


def assert_hashes_as_recorded(lines: list[str], teams: list[str]) -> None:
    assert exact(lines) == {
        f"{name} threads {threads}": value
        for name, value in TRAINED_BY_CORE.items()
        for threads in teams
    }
    hashes = dict(line.rsplit(" ", 1) for line in lines)
    for recipe in ("sgd", "adam", "techniques"):  # on one target, and not recorded
        names = [f"bfloat16 {recipe} threads {threads}" for threads in teams]
        assert len({hashes[name] for name in names}) == 1


@pytest.fixture(scope="module")
def machine() -> Machine:
    found = native()
    if found is None:
        pytest.skip(NO_COMPILER)
    return found


@pytest.fixture(scope="module")
def program(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(machine, tmp_path_factory.mktemp("native"))


@pytest.fixture(params=BUILT)
def isa(request: pytest.FixtureRequest) -> str:
    if request.param not in supported_targets():
        pytest.skip(f"this CPU does not support {request.param}")
    return request.param


@pytest.mark.exhaustive  # the core is compiled once more
def test_program_and_package_have_the_same_targets(machine: Machine, program: Path) -> None:
    assert output(machine, program, "targets") == supported_targets()


@pytest.mark.exhaustive  # the core is compiled once more
def test_core_gives_the_recorded_bits(machine: Machine, program: Path, isa: str) -> None:
    teams = teams_of(isa, largest=7)
    assert_hashes_as_recorded(output(machine, program, "hashes", *teams, isa=isa), teams)


@pytest.mark.exhaustive  # the core is compiled once more
def test_core_gives_the_recorded_bits_on_odd_shapes(
    machine: Machine, program: Path, isa: str
) -> None:
    assert exact(output(machine, program, "shapes", isa=isa)) == ODD_SHAPES


def assert_kinds_as_recorded(lines: list[str], teams: list[str]) -> None:
    assert exact(lines) == {f"exact threads {threads}": EVERY_KIND for threads in teams}
    hashes = dict(line.rsplit(" ", 1) for line in lines)
    assert len({hashes[f"bfloat16 threads {threads}"] for threads in teams}) == 1


@pytest.mark.exhaustive  # the core is compiled once more
def test_core_gives_the_recorded_bits_of_every_kind(
    machine: Machine, program: Path, isa: str
) -> None:
    teams = teams_of(isa, largest=7)
    assert_kinds_as_recorded(output(machine, program, "kinds", *teams, isa=isa), teams)


@pytest.mark.exhaustive  # the core is compiled once more
def test_steps_allocate_nothing(machine: Machine, program: Path) -> None:
    lines = output(machine, program, "allocations", "1", "2")
    assert len(lines) == 3 * 3 * 2  # types, recipes, numbers of threads
    for line in lines:
        threads, made, one_step, fifty_steps = map(int, line.split()[-4:])
        assert made > 0, "the trainer's own allocations were not counted"
        if threads == 1:
            assert one_step == fifty_steps, line
        else:  # a team may find its helpers in one call and, on a busy machine, none in the other
            assert abs(fifty_steps - one_step) < 49, line  # less than one a step


@pytest.fixture(scope="module")
def aarch64() -> Machine:
    if platform.machine() in ("aarch64", "arm64"):
        pytest.skip("this is such a machine: the other tests ask it")
    if os.environ.get("TWOLAYER_AARCH64") != "1":
        pytest.skip("takes minutes: .ci/aarch64 runs it")
    found = emulated_aarch64()
    assert found is not None, "needs aarch64-linux-gnu-g++ and qemu-aarch64"
    return found


@pytest.fixture(scope="module")
def aarch64_program(aarch64: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(aarch64, tmp_path_factory.mktemp("aarch64"))


@pytest.mark.exhaustive  # the core is compiled once more
@pytest.mark.parametrize(("target", "teams"), [("neon", ["1", "2"]), ("portable", ["1"])])
def test_emulated_aarch64_gives_the_recorded_bits(
    aarch64: Machine, aarch64_program: Path, target: str, teams: list[str]
) -> None:
    assert output(aarch64, aarch64_program, "targets") == ["neon", "portable"]
    lines = output(aarch64, aarch64_program, "hashes", *teams, isa=target)
    assert_hashes_as_recorded(lines, teams)


@pytest.mark.exhaustive  # the core is compiled once more
def test_emulated_aarch64_gives_the_recorded_bits_on_odd_shapes(
    aarch64: Machine, aarch64_program: Path
) -> None:
    assert exact(output(aarch64, aarch64_program, "shapes")) == ODD_SHAPES


@pytest.mark.exhaustive  # the core is compiled once more
def test_emulated_aarch64_gives_the_recorded_bits_of_every_kind(
    aarch64: Machine, aarch64_program: Path
) -> None:
    assert_kinds_as_recorded(output(aarch64, aarch64_program, "kinds", "2"), ["2"])


@LARGEST_TEAM
def test_train_gives_the_recorded_bits(isa: str, largest: int) -> None:
    teams = teams_of(isa, largest)
    script = Path(__file__).with_name("digits_hash.py")
    result = run_python(str(script), *teams, isa=isa)
    assert result.returncode == 0, result.stderr
    hashes = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines())
    for dtype in ("float32", "float64"):
        assert hashes[f"{dtype} start"] == START_ON_DIGITS[dtype], (
            f"NumPy {np.__version__} draws other random numbers than the versions that the hashes "
            "were recorded with (2.4): initial weights or minibatches differ, so nothing "
            "follows about the training"
        )
        for threads in teams:
            assert hashes[f"{dtype} threads {threads}"] == TRAINED_ON_DIGITS[dtype]
