"""Trainings that are killed, told to end, or cannot write: what is left, and what is said."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import checkpoint_runs
import twolayer_ext as tl
from checkpoint_runs import data, digest, options
from python_targets import run_python
from twolayer_ext.training import DEFAULTS, checkpoint, fit


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr("twolayer_ext.training.steps._SHORT_CALL", -1)  # a step a call
    return tmp_path / "run.ckpt"


def resumed(path):
    return digest(tl.train(*data(), resume=path, progress=False))


# killed


def run_kills(count, seed):
    script = checkpoint_runs.__file__
    done = run_python(script, "kills", str(count), str(seed), timeout=3600)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= count


def test_killed_at_each_operation_and_at_random_moments():
    run_kills(len(checkpoint_runs.INJECTED) + 4, 0)


@pytest.mark.exhaustive
def test_killed_300_times():
    run_kills(300, 1)


# told to end


def signalled(number, share, seen):
    """A watch that sends this process a signal once, when so much is done."""

    def watch(done):
        if done >= share and not seen:
            seen.append(number)
            os.kill(os.getpid(), number)

    return watch


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_make_a_last_checkpoint(path, number, share):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    expected = digest(tl.train(*data(), **options("adamw")))
    chosen = {**DEFAULTS, **options("adamw"), "checkpoint": path, "checkpoint_seconds": 1e9}
    raised = tl.TrainingInterrupted if number == signal.SIGINT else SystemExit
    with pytest.raises(raised) as caught:
        fit(tl.Network, *data(), chosen, watch=signalled(number, share, []))
    if number == signal.SIGTERM:
        assert caught.value.code == 143
    else:
        assert len(caught.value.result.history["step_loss"]) >= share * 16 - 1
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    record = checkpoint.read(path).record
    done = record.steps + (len(record.part.losses) if record.part else 0)
    assert share * 16 <= done <= share * 16 + 2
    assert not path.with_name("run.ckpt.previous").exists()
    assert resumed(path) == expected


def test_a_signal_in_the_last_epoch_is_answered_after_it(path):
    """Its callback is the last thing that runs before the last checkpoint."""

    def stop(event):
        if event.epoch == 4:
            os.kill(os.getpid(), signal.SIGTERM)
            return True
        return False

    expected = digest(tl.train(*data(), **options("sgd")))
    with pytest.raises(SystemExit):
        tl.train(*data(), **options("sgd", checkpoint=path, callbacks=(stop,)))
    assert resumed(path) == expected


def test_a_second_signal_does_not_wait(path):
    ends = []

    def twice(event):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        ends.append(event.epoch)

    with pytest.raises(tl.TrainingInterrupted) as caught:
        tl.train(*data(), **options("sgd", checkpoint=path, callbacks=(twice,)))
    assert not ends
    assert not path.exists()
    assert len(caught.value.result.history["loss"]) == 1


def test_a_handler_of_ones_own_is_called_and_training_goes_on(path):
    calls = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
    try:
        chosen = {**DEFAULTS, **options("sgd"), "checkpoint": path, "checkpoint_seconds": 1e9}
        watch = signalled(signal.SIGTERM, 0.5, [])
        result = fit(tl.Network, *data(), chosen, watch=watch)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert calls == [signal.SIGTERM]
    assert len(result.history["loss"]) == 4
    record = checkpoint.read(path.with_name("run.ckpt.previous")).record
    assert (record.steps, len(record.part.losses)) == (4, 4)  # before the validation


def test_ignored_signals_stay_ignored(path):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        chosen = {**DEFAULTS, **options("sgd"), "checkpoint": path}
        fit(tl.Network, *data(), chosen, watch=signalled(signal.SIGTERM, 0.5, []))
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_without_checkpoint_and_in_threads_no_handler_is_changed(path):
    handlers, seen = signal.getsignal(signal.SIGTERM), []
    callbacks = (lambda event: seen.append(signal.getsignal(signal.SIGTERM)),)
    tl.train(*data(), **options("sgd", callbacks=callbacks))
    chosen = options("sgd", callbacks=callbacks, checkpoint=path)
    thread = threading.Thread(target=tl.train, args=data(), kwargs=chosen)
    thread.start()
    thread.join()
    assert len(seen) == 8
    assert set(seen) == {handlers}
    assert checkpoint.whole(path)


def test_the_command_ends_as_a_signal_ends_it(tmp_path):
    """A process told to end while it trains leaves a checkpoint that it can go on with."""
    code = (
        "import os, signal, sys\n"
        "from twolayer_ext.cli import main, train\n"
        "row = train._EpochTable.row\n"
        "def told(self, event):\n"
        "    row(self, event)\n"
        "    if event.epoch == 3: os.kill(os.getpid(), signal.SIGTERM)\n"
        "if 'tell' in sys.argv: train._EpochTable.row = told\n"
        "sys.exit(main([a for a in sys.argv[1:] if a != 'tell']))\n"
    )
    file = tmp_path / "run.ckpt"
    common = ["-c", code, "train", "--epochs", "6", "--hidden", "8", "--no-save"]
    whole = run_python(*common, timeout=600)
    told = run_python(*common, "--checkpoint", str(file), "tell", timeout=600)
    assert told.returncode == 143, told.stderr
    again = run_python("-c", code, "train", "--no-save", "--resume", str(file), timeout=600)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-4:] == whole.stdout.splitlines()[-4:]
    assert len([line for line in again.stdout.splitlines() if line.strip()[:1] in "123"]) < 6


# no room, no right


def failing(monkeypatch, error, begin, end=10**9):
    """Let the calls of fsync numbered begin ... end - 1 fail; return what counts them."""
    real, calls = os.fsync, []

    def fsync(number):
        calls.append(number)
        if begin <= len(calls) < end:
            raise OSError(error, os.strerror(error))
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_checkpoint_that_cannot_be_written_is_a_warning(path, monkeypatch, error):
    expected = digest(tl.train(*data(), **options("adamw")))
    failing(monkeypatch, error, 3, 5)
    with pytest.warns(RuntimeWarning) as caught:
        result = tl.train(*data(), **options("adamw", checkpoint=path, checkpoint_every=1))
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 2
    said = f"^checkpoint: {path}: {os.strerror(error)}; training goes on, the last one holds 1 "
    assert all(message.startswith(said[1:]) for message in messages)
    assert digest(result) == expected
    assert resumed(path) == expected


def test_where_there_is_none_yet_it_says_so(path, monkeypatch):
    failing(monkeypatch, errno.ENOSPC, 1, 2)
    with pytest.warns(RuntimeWarning, match="none is there yet$"):
        tl.train(*data(), **options("sgd", checkpoint=path, checkpoint_every=1))


def test_of_the_last_one_it_is_an_error_that_holds_the_result(path, monkeypatch):
    expected = tl.train(*data(), **options("stopped early"))
    last = 2 * len(expected.history["loss"]) - 1
    failing(monkeypatch, errno.ENOSPC, last)
    chosen = options("stopped early", checkpoint=path, checkpoint_every=1)
    said = "No space left on device; training is done"
    with (
        pytest.warns(RuntimeWarning, match="training goes on"),
        pytest.raises(tl.CheckpointError, match=said) as info,
    ):
        tl.train(*data(), **chosen)
    assert isinstance(info.value, OSError)
    assert digest(info.value.result) == digest(expected)
    monkeypatch.undo()
    assert resumed(path) == digest(expected)


def test_a_signal_is_answered_though_nothing_can_be_written(path, monkeypatch):
    failing(monkeypatch, errno.EROFS, 1)
    chosen = {**DEFAULTS, **options("sgd"), "checkpoint": path, "checkpoint_seconds": 1e9}
    with (
        pytest.warns(RuntimeWarning, match="Read-only file system"),
        pytest.raises(SystemExit),
    ):
        fit(tl.Network, *data(), chosen, watch=signalled(signal.SIGTERM, 0.5, []))


def test_no_checkpoint_of_parameters_that_are_not_finite(path):
    """The one before is better."""
    more = {"schedule": lambda step, steps: 1e40 if step == 11 else 1.0, "dtype": "float32"}
    with pytest.raises(tl.DivergenceError):
        tl.train(*data(), **options("sgd", checkpoint=path, checkpoint_seconds=1e-9, **more))
    record = checkpoint.read(path).record
    assert record.steps + (len(record.part.losses) if record.part else 0) <= 11


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(b"\0" * 4096)


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_disk_that_takes_no_more(small_disk, how):
    expected = digest(tl.train(*data(), **options("adamw")))
    path = small_disk / "run.ckpt"

    def then(event):
        if event.epoch == 2:
            if how == "full":
                fill(small_disk)
            else:
                remount = ["mount", "-o", "remount,ro", str(small_disk)]
                subprocess.run(remount, check=True)

    chosen = options("adamw", checkpoint=path, checkpoint_every=1, callbacks=(then,))
    reason = "No space left on device" if how == "full" else "Read-only file system"
    with (
        pytest.warns(RuntimeWarning, match=f"run.ckpt: {reason}; training goes on"),
        pytest.raises(tl.CheckpointError, match=reason) as caught,
    ):
        tl.train(*data(), **chosen)
    assert digest(caught.value.result) == expected
    assert checkpoint.read(path).record.steps == 4
    copy = small_disk.parent / "copy.ckpt"
    copy.write_bytes(path.read_bytes())
    assert resumed(copy) == expected
    if how == "full":
        (small_disk / "filler").unlink()
        assert resumed(path) == expected


def test_the_command_saves_its_network_though_the_last_checkpoint_fails(
    tmp_path, monkeypatch, capsys
):
    from twolayer_ext.cli import main

    file, out = tmp_path / "run.ckpt", tmp_path / "out"
    real = checkpoint.write

    def write(*arguments, **keywords):
        if arguments[4].steps == 0:
            return real(*arguments, **keywords)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

    monkeypatch.setattr(checkpoint, "write", write)
    common = ["train", "--epochs", "2", "--hidden", "8", "--out", str(out)]
    status = main([*common, "--checkpoint", str(file), "--checkpoint-every", "1"])
    assert status == 2
    said = capsys.readouterr().err
    assert f"twolayer train: checkpoint: {file}: No space left on device; training goes on" in said
    assert "error: checkpoint: " in said
    np.testing.assert_equal(len(tl.load(out / "network.npz").parameters), 2)
