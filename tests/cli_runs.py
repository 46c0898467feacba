"""Runs of the `twolayer` command, and what every one-line error must be."""

from __future__ import annotations

import subprocess
import sys

QUICK = ["--epochs", "2", "--hidden", "16"]


def command(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twolayer_ext", *arguments],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        **options,
    )


def assert_one_line_error(capsys, status: int, *parts: str) -> None:
    output, errors = capsys.readouterr()
    assert status == 2, errors
    assert len(errors.splitlines()) == 1, errors
    assert errors.startswith("twolayer")
    assert "Traceback" not in output + errors
    for part in parts:
        assert part in errors
