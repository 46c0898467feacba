"""Finished runs stay finished: files, going on, Ctrl-C, being killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.distributions import uniform
from twolayer_ext.sweeping.side_by_side import THREAD_NAMES


def lines(folder):
    return [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]


def test_files(sweep, tmp_path):
    out = tmp_path / "new" / "folder"
    result = sweep(out=out)
    assert sorted(p.name for p in out.iterdir()) == ["runs.jsonl", "sweep.png", "table.md"]
    assert (out / "table.md").read_text() == result.table()
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    header, *runs = lines(out)
    assert header["format"] == "twolayer-ext sweep 2"
    by_number = {run.number: run for run in result.runs}
    assert len(runs) == 6
    for entry in runs:
        run = by_number[entry["number"]]
        assert entry["config"] == {**run.config, "hidden_sizes": list(run.config["hidden_sizes"])}
        assert (entry["score_name"], entry["val_score"]) == ("accuracy", run.val_score)


def test_nothing_is_repeated(sweep, trained, tmp_path):
    first = sweep(out=tmp_path)
    content = (tmp_path / "runs.jsonl").read_bytes()
    assert len(trained) == 6
    second = sweep(out=tmp_path, workers=1)
    assert len(trained) == 6
    assert (tmp_path / "runs.jsonl").read_bytes() == content
    assert second == first  # seconds, too


def test_techniques_of_training_are_not_repeated_either(sweep, trained, tmp_path):
    space = {
        "augment": [tl.Augment((1, 8, 8), flip=False, shift=n) for n in (1, 2)],
        "class_weight": {label: 1.0 + label for label in range(10)},
        "sample_weight": np.ones(600),
        "dropout": uniform(0, 0.5),
        "hidden_sizes": (8,),
        "epochs": 1,
    }
    first = sweep(space, out=tmp_path, configurations=3)
    assert len(trained) == 3
    assert outcomes(sweep(space, out=tmp_path, configurations=3)) == outcomes(first)
    assert len(trained) == 3


def outcomes(result):
    return [(run.number, run.val_loss, run.config["augment"]) for run in result.runs]


def test_more_configurations_and_halving_use_what_is_there(sweep, trained, tmp_path, outcome):
    sweep(out=tmp_path, configurations=4)
    more = sweep(out=tmp_path, configurations=7)
    assert len(trained) == 7
    assert outcome(more) == outcome(sweep(configurations=7))
    trained.clear()
    sweep(out=tmp_path, configurations=7, method="halving", eta=2)
    assert {config["epochs"] for config in trained} == {1}


def test_a_torn_last_line_is_done_again(sweep, trained, tmp_path, outcome):
    expected = sweep(out=tmp_path)
    path = tmp_path / "runs.jsonl"
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for length in (last + 1, last + 30, len(whole) - 1):
        trained.clear()
        path.write_bytes(whole[:length])
        assert outcome(sweep(out=tmp_path)) == outcome(expected)
        assert len(trained) == 1
        assert len(lines(tmp_path)) == 7


def test_diverged_runs_are_kept_too(sweep, trained, tmp_path):
    space = {"hidden_sizes": (8,), "learning_rate": 1e30, "reg": 0.1, "epochs": 2}
    sweep(space, out=tmp_path)
    (run,) = sweep(space, out=tmp_path).runs
    assert run.diverged
    assert len(trained) == 1


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        (
            {"space": {"momentum": uniform(0, 0.5)}},
            r"space momentum was uniform\(0.0, 0.9\), is uniform\(0.0, 0.5\)",
        ),
        ({"space": {"init": "he"}}, "space init was absent, is he"),
        ({"validation_data": "halved"}, r"validation_data\[0\] shape was \[300, 64\], is \[150"),
        ({"validation_data": "other"}, r"validation_data\[0\] sha256 was"),
    ],
)
def test_another_sweep_is_an_error_that_says_what_differs(
    sweep, digits, space, trained, tmp_path, others, message
):
    sweep(out=tmp_path)
    trained.clear()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    x, y = digits[1]
    data = {"halved": (x[::2], y[::2]), "other": (x[::-1], y)}
    if "validation_data" in others:
        others = {"validation_data": data[others["validation_data"]]}
    if "space" in others:
        others = {"space": space | others["space"]}
    with pytest.raises(ValueError, match=rf"^out: .* another sweep: .*{message}.*; must be"):
        sweep(**others, out=tmp_path)
    assert trained == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, b""),
        (1, b"{}"),
        (1, b'{"format": "another"}'),
        (2, b"\xff\x00"),
        (2, b"[]"),
        (2, b"[" * 100_000),
        (2, b'{"config": {}}'),
        (2, b'{"config": 1, "epochs": 1, "score_name": "r2", "val_score": 1.0, '
            b'"val_loss": 1.0, "score": 1.0, "seconds": 1.0}'),
        (2, b'{"config": {}, "epochs": 1, "score_name": "r2", "val_score": NaN, '
            b'"val_loss": 1.0, "score": 1.0, "seconds": 1.0}'),
        (2, b'{"config": {}, "epochs": 1, "score_name": "r3", "val_score": 1.0, '
            b'"val_loss": 1.0, "score": 1.0, "seconds": 1.0}'),
    ],
)  # fmt: skip
def test_a_broken_file_is_an_error(sweep, trained, tmp_path, number, line):
    sweep(out=tmp_path, configurations=2)
    trained.clear()
    path = tmp_path / "runs.jsonl"
    content = path.read_bytes().splitlines(keepends=True)
    content[number - 1] = line + b"\n"
    path.write_bytes(b"".join(content))
    with pytest.raises(tl.FileFormatError, match=r"runs\.jsonl: "):
        sweep(out=tmp_path)
    assert trained == []
    assert path.read_bytes() == b"".join(content)


@pytest.mark.skipif(os.name != "posix", reason="sends itself SIGINT, which is POSIX")
def test_interrupt_keeps_what_is_finished(trained, tmp_path):
    # The first is quick; an epoch of each other takes longer than this test may.
    x = np.broadcast_to(np.arange(784, dtype=np.uint8), (200_000, 784))
    y = np.arange(200_000) % 10
    numbers, sent = iter(range(5)), []
    # Without vector instructions a multiply-add is emulated, some hundred times slower.
    units = 8 if tl.build_info()["isa"] == "portable" else 1024

    def space(rng):
        size = {"hidden_sizes": (units,), "epochs": 20}
        if next(numbers) == 0:
            size = {"hidden_sizes": (8,), "max_steps": 1}
        return {**size, "normalize": (127.5, 127.5), "learning_rate": rng.uniform(1e-4, 1e-3)}

    def interrupt():
        until = time.monotonic() + 60
        path = tmp_path / "runs.jsonl"
        while time.monotonic() < until:
            if len(trained) == 3 and path.read_bytes().count(b"\n") == 2:
                break
            time.sleep(0.01)
        time.sleep(0.2)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(tl.SweepInterrupted) as info:
        tl.sweep(
            space,
            x,
            y,
            validation_data=(x[:50], y[:50]),
            configurations=5,
            workers=2,
            out=tmp_path,
            progress=False,
        )
    delay = time.perf_counter() - sent[0]
    assert delay < 1  # an epoch takes several times as long
    assert isinstance(info.value, KeyboardInterrupt)
    assert [run.number for run in info.value.result.runs] == [0]
    assert len(lines(tmp_path)) == 2
    assert len(trained) == 3
    assert not [t for t in threading.enumerate() if t.name.startswith(THREAD_NAMES)]


PROGRAM = """
import sys
import twolayer_ext as tl
data = tl.datasets.load_digits()
space = {"hidden_sizes": (64,), "learning_rate": tl.distributions.log_uniform(1e-3, 0.1)}
tl.sweep(
    {**space, "epochs": 30}, data.x[:900], data.y[:900], workers=2, out=sys.argv[1],
    configurations=int(sys.argv[2]), validation_data=(data.x[900:], data.y[900:]),
)
"""


def test_a_killed_sweep_goes_on(tmp_path):
    path = tmp_path / "runs.jsonl"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), "1000"])
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and (
            not path.exists() or path.read_bytes().count(b"\n") < 4
        ):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    before = path.read_bytes()
    done = before.count(b"\n") - 1
    assert 3 <= done < 1000
    # Runs beyond this number would have to have been started out of order.
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(done + 2)], check=True, timeout=1800
    )
    after = path.read_bytes()
    assert after.startswith(before[: before.rfind(b"\n") + 1])
    numbers = [entry["number"] for entry in lines(tmp_path)[1:]]
    assert sorted(numbers) == list(range(done + 2))  # each once
