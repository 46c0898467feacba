"""Builds tests/cpp/test_math.cpp for each target and runs it: accuracy, same bits on all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cpp_programs import (
    INCLUDE,
    NO_COMPILER,
    ROOT,
    Machine,
    compile_with,
    emulated_aarch64,
    native,
    run_program,
    sources,
)

CPU_CANNOT_RUN_IT = 77
# Each target on the first machine that has it.
TARGETS: dict[str, Machine] = {}
for machine in filter(None, (native(), emulated_aarch64())):
    for name in sources(machine.processor).targets():
        TARGETS.setdefault(name, machine)
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not TARGETS, reason=NO_COMPILER),
]


def build(name: str, folder: Path) -> Path:
    machine = TARGETS[name]
    of_all = sources(machine.processor)
    program = folder / f"test_math_{name}"
    define = f'-DTARGET_HEADER="kernels/targets/{name}.hpp"'
    source = str(ROOT / "tests" / "cpp" / "test_math.cpp")
    flags = [*of_all.flags, "-Werror", *of_all.targets()[name], *machine.link_flags]
    compile_with(machine, *flags, define, INCLUDE, source, "-o", str(program))
    return program


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cpp_math")
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(TARGETS, pool.map(lambda name: build(name, folder), TARGETS), strict=True))


def run(name: str, program: Path, task: str) -> str | None:
    """What the program printed; None where this CPU lacks the target's instructions."""
    done = run_program(TARGETS[name], program, task)
    if done.returncode == CPU_CANNOT_RUN_IT:
        return None
    assert done.returncode == 0, f"{name} {task}: exit {done.returncode}\n{done.stderr}"
    return done.stdout


# Not emulated for accuracy: its long double is slow there, and equal hashes say as much.
CASES = [(name, "operations") for name in TARGETS]
CASES += [(name, "accuracy") for name, machine in TARGETS.items() if not machine.emulator]


@pytest.mark.parametrize(("name", "task"), CASES)
def test_target(name: str, task: str, programs: dict[str, Path]) -> None:
    if run(name, programs[name], task) is None:
        pytest.skip(f"this CPU has no {name}")


def test_same_bits_on_every_target(programs: dict[str, Path]) -> None:
    hashes = {name: run(name, program, "hashes") for name, program in programs.items()}
    by_target = {name: text.splitlines() for name, text in hashes.items() if text is not None}
    reference = by_target["portable"]
    assert len(reference) == 2 * (16 + 2 * 12)  # dtypes; functions, activations and slopes
    for name, lines in by_target.items():
        assert lines == reference, name
