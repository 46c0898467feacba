"""`twolayer` as a process: streams, signals, exit statuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import twolayer_ext as tl
from cli_runs import QUICK, command
from twolayer_ext import cli
from twolayer_ext.cli import main
from twolayer_ext.cli import train as train_command


def test_info(capsys):
    assert main(["info"]) == 0
    output = capsys.readouterr().out
    assert f"{tl.__version__}\n" in output
    for word in ("compiler", "openmp", "threads", tl.build_info()["isa"]):
        assert word in output


def test_help_is_status_0(capsys):
    for arguments in (["--help"], ["train", "--help"], ["predict", "--help"], ["check", "-h"]):
        assert main(arguments) == 0
    assert "--learning-rate-decay" in capsys.readouterr().out


def test_as_a_process(tmp_path):
    done = command("train", *QUICK, "--out", "run")
    assert (done.returncode, done.stderr) == (0, "")
    done = command("train", "--activation", "swish")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_an_unexpected_error_is_not_hidden(monkeypatch):
    """A fault of ours is no bad argument: it must leave its traceback."""

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(train_command, "load_sources", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train"])


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_saves_what_there_is(tmp_path):
    arguments = ["train", "--epochs", "1000", "--batch-size", "4", "--out", "run"]
    process = subprocess.Popen(
        [sys.executable, "-m", "twolayer_ext", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:  # until the first epoch has been printed
        if line.split()[:1] == ["1"]:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=1800)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted after" in errors
    assert "saved in run: network.npz, history.json, training.png" in output
    steps = len(json.loads(Path("run/history.json").read_text())["step_loss"])
    assert f"interrupted after {steps} steps" in errors
    assert tl.load("run/network.npz").layer_sizes == (64, 512, 10)


def test_ctrl_c_elsewhere(blobs, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_command, "load_sources", interrupted)
    assert main(["train", "--data", str(blobs)]) == 130
    assert capsys.readouterr().err == "twolayer train: interrupted\n"


def test_a_pipe_that_closes_early(model, blobs):
    line = f'"{sys.executable}" -m twolayer_ext predict "{model}" "{blobs}" | head -n 1'
    done = subprocess.run(
        line, shell=True, capture_output=True, text=True, timeout=1800, check=True
    )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


# The console script that pip writes does this.
SCRIPT = f'"{sys.executable}" -c "import sys; from twolayer_command import main; sys.exit(main())"'


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("twolayer ", f"{SCRIPT} ")],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_closed_streams(closed):
    done = shell(f"twolayer info {closed}")
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (closed == "2>&-")


@pytest.mark.parametrize(
    "line", ["--help", "train --help", "info", "train --epochs 2 --hidden 16 --no-save", "check"]
)
def test_a_reader_that_left(line):
    done = shell(f"twolayer {line} | true")
    assert done.returncode in (0, 141)
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output():
    done = shell("twolayer info > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("twolayer info: error: ")
    assert len(done.stderr.splitlines()) == 1


def test_ascii_output():
    done = shell("twolayer train --help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--reg X" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "twolayer info",
        f"{sys.executable} -m twolayer_ext info --help",
        f"{sys.executable} -mtwolayer_ext",
    ],
)
def test_a_wrong_instruction_set_is_one_line(command):
    done = shell(command, TWOLAYER_ISA="abacus")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("twolayer: error: TWOLAYER_ISA=abacus: unknown")
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_instruction_set_is_an_error_of_whoever_imports():
    for code in ("import twolayer_ext", "import sys; sys.argv = ['-m'] * 9; import twolayer_ext"):
        done = shell(f'{sys.executable} -c "{code}" twolayer_ext', TWOLAYER_ISA="abacus")
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("ImportError: TWOLAYER_ISA=abacus")


def test_ctrl_c_while_modules_are_imported(tmp_path):
    """A module of NumPy's name stands for any that is slow to import."""
    Path("numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = shell("twolayer info", PYTHONPATH=path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
