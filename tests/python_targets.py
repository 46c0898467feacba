"""Runs Python with a chosen instruction set: a process uses one target, chosen at import."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import twolayer_ext as tl

BUILT = tl.build_info()["isa_built"]


def run_python(*arguments, isa=None, timeout=1800):
    environment = dict(os.environ)
    environment.pop("TWOLAYER_ISA", None)
    if isa is not None:
        environment["TWOLAYER_ISA"] = isa
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@functools.cache
def supported_targets():
    imports = {isa: run_python("-c", "import twolayer_ext", isa=isa) for isa in BUILT}
    return [isa for isa, result in imports.items() if result.returncode == 0]


@functools.cache
def shapes(script, isa, *arguments):
    """Run kernel_shapes.py or technique_shapes.py; return the lines that each of its modes prints.

    A script that does not end within an hour hangs.
    """
    result = run_python(str(script), *arguments, isa=isa, timeout=3600)
    assert result.returncode == 0, result.stderr
    modes: dict[str, list[str]] = {}
    for line in result.stdout.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "mode":
            modes[rest] = []
        else:
            modes[list(modes)[-1]].append(line)
    return modes
