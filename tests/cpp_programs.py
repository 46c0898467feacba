"""Builds the C++ programs of tests/cpp: for this machine and, to be emulated, for AArch64.

The core's files, flags and definitions are read from CMakeLists.txt, so that the programs ask what
is installed.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INCLUDE = f"-I{ROOT / 'src' / 'cpp'}"
# Of the program that tests/cpp/train_hash.cpp describes.
TRAIN_HASH = ["train_hash.cpp", "odd_shapes.cpp", "every_kind.cpp", "allocations.cpp"]
NO_COMPILER = "no C++ compiler: install one as c++ or g++, or name it in CXX"


@dataclass(frozen=True)
class Machine:
    """A kind of processor: what compiles for it, and what runs the result here."""

    processor: str
    compiler: tuple[str, ...]
    link_flags: tuple[str, ...] = ()
    emulator: tuple[str, ...] = ()


@functools.cache
def native() -> Machine | None:
    """This machine, or None without a C++ compiler."""
    compiler = shlex.split(os.environ.get("CXX", ""))
    if not compiler:
        found = shutil.which("c++") or shutil.which("g++")
        compiler = [found] if found else []
    return Machine(platform.machine(), tuple(compiler)) if compiler else None


@functools.cache
def emulated_aarch64() -> Machine | None:
    """An AArch64 processor in emulation, or None where this is one or a tool is missing."""
    compiler, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if platform.machine() in ("aarch64", "arm64") or compiler is None or emulator is None:
        return None
    return Machine("aarch64", (compiler,), ("-static",), (emulator,))


@dataclass(frozen=True)
class Sources:
    """What CMakeLists.txt says of a processor."""

    flags: tuple[str, ...]  # of every file, the definition of the list of targets included
    options: dict[Path, tuple[str, ...]]  # of each file, beside the flags

    def targets(self) -> dict[str, tuple[str, ...]]:
        """Options by the name of an instruction set."""
        files = {file: options for file, options in self.options.items() if "targets" in file.parts}
        return {f.stem: o for f, o in files.items() if f.with_suffix(".hpp").is_file()}


def the_one(pattern: str, text: str) -> str:
    found = re.findall(pattern, text)
    assert len(found) == 1, f"CMakeLists.txt is written in another way: {pattern}"
    return str(found[0])


@functools.cache
def sources(processor: str) -> Sources:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8").partition("pybind11_add_module")[0]
    of_all, *cases = re.split(r'if\(CMAKE_SYSTEM_PROCESSOR MATCHES "([^"]+)"\)', text)
    *cases, last = cases
    last, _, otherwise = last.partition("else()")
    cases.append(last)
    of_this = otherwise.partition("endif()")[0]
    for pattern, case in zip(cases[::2], cases[1::2], strict=True):
        if re.search(pattern, processor):
            of_this = case
    targets = the_one(r"set\(targets ([^)]+)\)", of_this).split()
    files = [
        *the_one(r"set\(core\s+([^)]+)\)", of_all).split(),
        *re.findall(r"list\(APPEND core (\S+)\)", of_this),
        *(f"src/cpp/kernels/targets/{target}.cpp" for target in targets),
    ]
    options = dict(
        re.findall(
            r'set_source_files_properties\((\S+) PROPERTIES\s+COMPILE_OPTIONS "(.*?)"', of_this
        )
    )
    standard = the_one(r"set\(CMAKE_CXX_STANDARD (\d+)\)", of_all)
    flags = the_one(r"set\(common_flags ([^)]+)\)", of_all).split()
    declared = "".join(f"TWOLAYER_TARGET({target}) " for target in targets)
    return Sources(
        (f"-std=c++{standard}", *flags, f"-DTWOLAYER_TARGETS={declared}"),
        {ROOT / file: tuple(filter(None, options.get(file, "").split(";"))) for file in files},
    )


def compile_with(machine: Machine, *arguments: str) -> None:
    command = [*machine.compiler, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"


@functools.cache
def openmp(machine: Machine) -> tuple[str, ...]:
    """Return the flag that turns on OpenMP, if that works; without it its limits are not heard."""
    command = [*machine.compiler, "-fopenmp", "-x", "c++", "-E", "-include", "omp.h", "-"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=1800, check=False)
    return ("-fopenmp",) if done.returncode == 0 else ()


def build_with_core(
    machine: Machine, files: Sequence[str], folder: Path, extra_flags: Sequence[str] = ()
) -> Path:
    """Compile files of tests/cpp and link them with the core; extra flags come last, and win."""
    of_all = sources(machine.processor)
    options = {ROOT / "tests" / "cpp" / file: () for file in files} | of_all.options
    common = [*of_all.flags, *openmp(machine), "-pthread", *extra_flags]

    def compile_one(file: Path) -> str:
        result = str(folder / f"{file.stem}.o")
        compile_with(machine, *common, *options[file], INCLUDE, "-c", str(file), "-o", result)
        return result

    with ThreadPoolExecutor(max_workers=2) as pool:
        # The kernels take longest: first.
        ordered = sorted(options, key=lambda file: "targets" not in file.parts)
        objects = list(pool.map(compile_one, ordered))
    program = folder / "program"
    compile_with(machine, *common, *machine.link_flags, *objects, "-o", str(program))
    return program


def run_program(
    machine: Machine, program: Path, *arguments: str, isa: str | None = None, timeout: float = 3600
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "TWOLAYER_ISA"}
    if isa is not None:
        environment["TWOLAYER_ISA"] = isa
    return subprocess.run(
        [*machine.emulator, str(program), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
