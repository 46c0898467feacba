"""The command ``twolayer info``."""

from __future__ import annotations

import argparse
import platform

import numpy as np

import twolayer_ext as tl
from twolayer_ext.checks import thread_count
from twolayer_ext.tables import described


def run(arguments: argparse.Namespace) -> int:
    """Print versions and what the compiled module tells about itself."""
    build = tl.build_info()
    lines: dict[str, object] = {
        "twolayer-ext": tl.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        **{name.replace("isa", "instruction set"): value for name, value in build.items()},
        "caches": ", ".join(f"{size // 1024} KiB" for size in build["caches"]),
        "threads by default": thread_count(None),
    }
    print(described({name.replace("_", " "): _readable(value) for name, value in lines.items()}))
    return 0


def _readable(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)
