"""The ``twolayer`` command: train, predict, check, info."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from twolayer_ext.cli.arguments import build_parser
from twolayer_ext.cli.options import ARGUMENTS
from twolayer_ext.errors import DivergenceError, TwolayerError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
# Arguments of train() where its messages name them, and not an English word that is spelled alike.
_ARGUMENT = re.compile(
    rf"(?<![\w-])(?:{'|'.join(ARGUMENTS)})(?=[:\[=])"
    rf"|\b(?:{'|'.join(name for name in ARGUMENTS if '_' in name)})\b"
)


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
    command = "twolayer"
    try:
        arguments = build_parser().parse_args(argv)
        command = f"twolayer {arguments.command}"
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except SystemExit as stop:  # argparse: 0 after --help, 2 after a usage error
        return int(stop.code or 0)
    except BrokenPipeError:  # the reader (head, say) has left
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (ValueError, TypeError, TwolayerError, OSError, MemoryError) as error:
        print(f"{command}: error: {_one_line(error)}", file=sys.stderr)
        return EXIT_USAGE
    finally:
        _give_up_broken_streams()


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, (ValueError, TypeError, DivergenceError)):
        return _ARGUMENT.sub(lambda name: f"--{name[0].replace('_', '-')}", text)
    return text


def _give_up_broken_streams() -> None:
    """Point what cannot be written to nowhere, or the interpreter complains at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
