"""The core on odd shapes and every kind, under Address-, UndefinedBehavior- and ThreadSanitizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpp_programs import NO_COMPILER, TRAIN_HASH, build_with_core, native, run_program
from python_targets import BUILT, supported_targets

pytestmark = pytest.mark.exhaustive
FLAGS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
THREADS = ["-O1", "-g", "-fsanitize=thread"]


def build(folder: Path, flags: list[str]) -> Path:
    machine = native()
    if machine is None:
        pytest.skip(NO_COMPILER)
    return build_with_core(machine, TRAIN_HASH, folder, flags)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sanitizers"), FLAGS)


@pytest.mark.parametrize("arguments", [("hashes", "3"), ("kinds", "3"), ("shapes",)])
def test_threads_do_not_race(arguments: tuple[str, ...], threads_program: Path) -> None:
    machine = native()
    assert machine is not None
    done = run_program(machine, threads_program, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.fixture(scope="module")
def threads_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("thread_sanitizer"), THREADS)


@pytest.mark.parametrize("arguments", [("shapes",), ("kinds", "2")])
@pytest.mark.parametrize("isa", BUILT)
def test_sanitizers_have_nothing_to_report(
    isa: str, arguments: tuple[str, ...], program: Path
) -> None:
    if isa not in supported_targets():
        pytest.skip(f"this CPU does not support {isa}")
    machine = native()
    assert machine is not None
    done = run_program(machine, program, *arguments, isa=isa)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
