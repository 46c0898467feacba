"""The ``twolayer`` process: its streams, and what may go wrong before the package is there.

A package of its own, because importing anything below ``twolayer_ext`` imports all of it, and
NumPy: Ctrl-C and errors during that would leave a traceback.
"""

from __future__ import annotations

import io
import os
import sys


def main() -> int:
    """Run the ``twolayer`` command on the arguments of the process; return its exit status."""
    try:
        _prepare_streams()
        try:
            from twolayer_ext import cli
        except ImportError as error:
            return _refuse(error)
        return cli.main()
    except KeyboardInterrupt:
        return 130


def import_failed(error: ImportError) -> None:
    """End ``python -m twolayer_ext`` as `main` would: it imports the package before that."""
    # While Python looks for the module to run, sys.argv begins with "-m".
    its_name = sys.orig_argv[-len(sys.argv) :][:1]
    if sys.argv[:1] == ["-m"] and its_name in (["twolayer_ext"], ["-mtwolayer_ext"]):
        raise SystemExit(_refuse(error)) from None


def _refuse(error: ImportError) -> int:
    """Say that NumPy is missing or broken, or TWOLAYER_ISA wrong; return the exit status."""
    print(f"twolayer: error: {' '.join(str(error).split())}", file=sys.stderr)
    return 2


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell: >&-
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper):  # names and paths may hold any character
        sys.stdout.reconfigure(errors="backslashreplace")
