"""Builds tests/cpp/test_math.cpp for each target and runs it: accuracy, same bits on all."""

import os
import platform
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["-std=c++17", "-O3", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
CPU_CANNOT_RUN_IT = 77


@dataclass(frozen=True)
class Target:
    """How the program is built for an instruction set, and what runs it."""

    compiler: tuple[str, ...]
    flags: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()


def available_targets() -> dict[str, Target]:
    targets: dict[str, Target] = {}
    compiler = tuple(shlex.split(os.environ.get("CXX", "")))
    if not compiler:
        found = shutil.which("c++") or shutil.which("g++")
        compiler = (found,) if found else ()
    machine = platform.machine().lower()
    if compiler:
        targets["portable"] = Target(compiler)
        if machine in ("x86_64", "amd64"):
            avx512 = ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma")
            targets["avx2"] = Target(compiler, ("-mavx2", "-mfma"))
            targets["avx512"] = Target(compiler, avx512)
        elif machine in ("aarch64", "arm64"):
            targets["neon"] = Target(compiler)
    cross, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if "neon" not in targets and cross and emulator:
        targets["neon"] = Target((cross,), ("-static",), (emulator,))
    return targets


TARGETS = available_targets()
pytestmark = pytest.mark.skipif(
    not TARGETS, reason="no C++ compiler: install one as c++ or g++, or name it in CXX"
)


def build(name: str, folder: Path) -> Path:
    target = TARGETS[name]
    program = folder / f"test_math_{name}"
    define = f'-DTARGET_HEADER="kernels/targets/{name}.hpp"'
    source = str(ROOT / "tests" / "cpp" / "test_math.cpp")
    include = f"-I{ROOT / 'src' / 'cpp'}"
    command = [*target.compiler, *FLAGS, *target.flags, define, include, source, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
    return program


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cpp_math")
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(TARGETS, pool.map(lambda name: build(name, folder), TARGETS), strict=True))


def run(name: str, program: Path, task: str) -> str | None:
    """What the program printed; None where this CPU lacks the target's instructions."""
    command = [*TARGETS[name].runner, str(program), task]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == CPU_CANNOT_RUN_IT:
        return None
    assert done.returncode == 0, f"{name} {task}: exit {done.returncode}\n{done.stderr}"
    return done.stdout


# Not emulated for accuracy: its long double is slow there, and equal hashes say as much.
CASES = [(name, "operations") for name in TARGETS]
CASES += [(name, "accuracy") for name, target in TARGETS.items() if not target.runner]


@pytest.mark.parametrize(("name", "task"), CASES)
def test_target(name: str, task: str, programs: dict[str, Path]) -> None:
    if run(name, programs[name], task) is None:
        pytest.skip(f"this CPU has no {name}")


def test_same_bits_on_every_target(programs: dict[str, Path]) -> None:
    hashes = {name: run(name, program, "hashes") for name, program in programs.items()}
    by_target = {name: text.splitlines() for name, text in hashes.items() if text is not None}
    reference = by_target["portable"]
    assert len(reference) == 2 * 14  # dtypes, functions
    for name, lines in by_target.items():
        assert lines == reference, name
