"""Coverage-guided fuzzing of one reader with Atheris (libFuzzer): python -m fuzz READER.

Run it in tests/, with `pip install atheris`. Inputs that are findings are written to the folder
--out, with the name of what they did; those that reach new code to --out/READER. It ends at the
first finding, with exit status 77, or when --executions or --seconds are used up.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["twolayer_ext", "zipfile", "numpy.lib"]):
    from fuzz import readers

_ROOM_RENEWED = 64  # executions; libFuzzer's own memory grows between them


def main() -> None:
    """Fuzz the reader that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("reader", choices=readers.READERS)
    parser.add_argument("--executions", type=int, default=-1)
    parser.add_argument("--seconds", type=int, default=0, help="0: no limit")
    parser.add_argument("--seed", type=int, default=0, help="0: another each time")
    parser.add_argument("--out", type=Path, default=Path("fuzz-out"))
    options = parser.parse_args()
    found = options.out / options.reader
    found.mkdir(parents=True, exist_ok=True)
    reader = readers.READERS[options.reader]
    executions = 0

    def one_input(content: bytes) -> None:
        nonlocal executions
        if executions % _ROOM_RENEWED == 0:
            readers.leave_room(readers.MOST_MEMORY)
        executions += 1
        readers.execute(reader, content)

    arguments = [
        sys.argv[0],
        f"-runs={options.executions}",
        f"-max_total_time={options.seconds}",
        f"-seed={options.seed}",
        f"-artifact_prefix={options.out}/{options.reader}-",
        "-timeout=20",  # of the clock, for what never ends; a second of the processor is ours
        "-rss_limit_mb=4096",
        "-max_len=16384",
        "-print_final_stats=1",
        str(found),
        str(readers.CORPUS / options.reader),
    ]
    with readers.checksums_ignored(), readers.small_batches():
        atheris.Setup(arguments, one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
