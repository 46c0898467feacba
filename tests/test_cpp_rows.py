"""Builds tests/cpp/test_rows.cpp for each target: every element type, memory order, sparse rows."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cpp_programs import INCLUDE, NO_COMPILER, ROOT, compile_with, run_program, sources
from test_cpp_math import CPU_CANNOT_RUN_IT, TARGETS

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not TARGETS, reason=NO_COMPILER),
]


def build(name: str, folder: Path) -> Path:
    machine = TARGETS[name]
    of_all = sources(machine.processor)
    program = folder / f"test_rows_{name}"
    define = f'-DTARGET_HEADER="kernels/targets/{name}.hpp"'
    source = str(ROOT / "tests" / "cpp" / "test_rows.cpp")
    flags = [*of_all.flags, "-Werror", *of_all.targets()[name], *machine.link_flags]
    compile_with(machine, *flags, define, INCLUDE, source, "-o", str(program))
    return program


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cpp_rows")
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(TARGETS, pool.map(lambda name: build(name, folder), TARGETS), strict=True))


@pytest.mark.parametrize("task", ["dense", "sparse"])
def test_same_bits_in_every_order_and_on_every_target(task: str, programs: dict[str, Path]) -> None:
    hashes = {}
    for name, program in programs.items():
        done = run_program(TARGETS[name], program, task)
        if done.returncode == CPU_CANNOT_RUN_IT:
            continue
        assert done.returncode == 0, f"{name} {task}: exit {done.returncode}\n{done.stderr}"
        hashes[name] = done.stdout
    assert hashes
    assert set(hashes.values()) == {hashes["portable"]}, hashes
