"""The ``twolayer`` command: train, predict, check, info."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from twolayer_ext.cli.arguments import build_parser
from twolayer_ext.errors import TwolayerError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``twolayer`` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process when not given.

    Returns
    -------
    int
        Exit status: 0 success, 1 a check failed, 2 bad arguments or broken files (one line on
        standard error says what to do), 130 interrupted by Ctrl-C.
    """
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as stop:  # argparse: 0 after --help, 2 after a usage error
        return int(stop.code or 0)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader (head, say) has left. Point stdout nowhere, or the interpreter complains
        # when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        print(f"twolayer {arguments.command}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (ValueError, TypeError, TwolayerError, OSError, MemoryError) as error:
        print(f"twolayer {arguments.command}: error: {_one_line(error)}", file=sys.stderr)
        return EXIT_USAGE


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
