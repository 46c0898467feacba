"""The `twolayer` command: what it writes and prints, exit statuses, one-line errors."""

from __future__ import annotations

import csv
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext import cli
from twolayer_ext.cli import main
from twolayer_ext.cli import train as train_command
from twolayer_ext.cli.sources import load_split

QUICK = ["--epochs", "2", "--hidden", "16"]


@pytest.fixture(autouse=True)
def inside_tmp_path(tmp_path, tmp_path_factory, monkeypatch):
    """Nothing that a command writes by default may land in the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))


@pytest.fixture
def blobs(tmp_path):
    """An .npz of 300 points around 3 centres: any net learns it."""
    random = np.random.default_rng(0)
    y = random.integers(3, size=300)
    x = (random.normal(size=(300, 5)) + 4 * np.eye(3, 5)[y]).astype(np.float32)
    path = tmp_path / "blobs.npz"
    np.savez(path, x=x, y=y)
    return path


@pytest.fixture
def model(tmp_path, blobs, capsys):
    assert main(["train", "--data", str(blobs), *QUICK, "--out", "model"]) == 0
    capsys.readouterr()
    return tmp_path / "model" / "network.npz"


def command(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twolayer_ext", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
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


# train


def test_train_on_the_digits_saves_all_and_reaches_96_percent(tmp_path, capsys):
    assert main(["train"]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""  # no terminal, so no progress
    folder = tmp_path / "twolayer-run"
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.json",
        "network.npz",
        "training.png",
    ]
    history = json.loads((folder / "history.json").read_text())
    assert history["val_accuracy"][-1] >= 0.96
    assert len(history["step_loss"]) == 30 * -(-1197 // 32)
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")
    network = tl.load(folder / "network.npz")
    split = load_split([], [], [], None, None)
    loss, accuracy = network.evaluate(split.test.x, split.test.y)
    assert f"test       300    {loss:.4f}    {accuracy:.2%}" in output
    for heading in ("epoch", "loss", "val accuracy", "learning rate", "seconds"):
        assert heading in output


def test_the_table_has_a_row_for_every_epoch(blobs, capsys):
    assert main(["train", "--data", str(blobs), *QUICK, "--no-save"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows if len(row) == 7 and row[0].isdigit()] == ["1", "2"]


def test_no_save_writes_nothing(tmp_path, blobs):
    assert main(["train", "--data", str(blobs), *QUICK, "--no-save"]) == 0
    assert list(tmp_path.iterdir()) == [blobs]


def test_every_option_of_train_reaches_it(blobs, monkeypatch):
    seen = {}

    def spy(x, y, **options):
        seen.update(options)
        return tl.train(x, y, **options)

    monkeypatch.setattr(train_command, "train", spy)
    line = (
        "--hidden 7 6 --activation tanh --optimizer adamw --learning-rate 0.01 --betas 0.8 0.9 "
        "--learning-rate-decay 0.9 --epsilon 1e-7 --reg 1e-4 --weight-decay 1e-3 --batch-size 50 "
        "--epochs 3 --max-steps 9 --init 0.1 --normalize 1,2 --validation-fraction 0.25 "
        "--no-shuffle --dtype float64 --seed 5 --threads 1 --no-progress --no-save"
    )
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    del seen["callbacks"]
    assert seen == {
        "hidden_sizes": [7, 6],
        "activation": "tanh",
        "optimizer": "adamw",
        "learning_rate": 0.01,
        "betas": [0.8, 0.9],
        "learning_rate_decay": 0.9,
        "epsilon": 1e-7,
        "reg": 1e-4,
        "weight_decay": 1e-3,
        "batch_size": 50,
        "epochs": 3,
        "max_steps": 9,
        "init": 0.1,
        "normalize": (1.0, 2.0),
        "validation_fraction": 0.25,
        "shuffle": False,
        "dtype": "float64",
        "seed": 5,
        "threads": 1,
        "progress": False,
    }
    seen.clear()
    sgd = "--optimizer sgd --momentum 0.9 --nesterov --normalize none --init he --no-save"
    assert main(["train", "--data", str(blobs), "--hidden", *sgd.split()]) == 0
    assert seen["hidden_sizes"] == []
    assert (seen["momentum"], seen["nesterov"]) == (0.9, True)
    assert (seen["normalize"], seen["init"]) == (None, "he")
    seen.clear()
    line = "--average-epochs 2 --schedule one-cycle --epochs 3 --no-save"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    assert seen["average_epochs"] == 2
    assert [seen["schedule"](step, 50) for step in range(50)] == [
        tl.schedules.one_cycle()(step, 50) for step in range(50)
    ]


@pytest.mark.parametrize("recipe", ["", "--recipe study-adam"])
@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("step milestones=0.5,0.75 factor=0.5", [1, 1, 0.5, 0.25]),
        ("step milestones=0.25", [1, 0.1, 0.1, 0.1]),
        ("step every=0.25 factor=0.5", [1, 0.5, 0.25, 0.125]),
        ("cosine final=0.5", [1, 0.5 + (2 + 2**0.5) / 8, 0.75, 0.5 + (2 - 2**0.5) / 8]),
    ],
)
def test_schedule(blobs, recipe, schedule, factors):
    """With a recipe, too, it takes the place of the decay."""
    line = f"{recipe} --schedule {schedule} --epochs 4 --learning-rate 0.01"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    history = json.loads(Path("twolayer-run/history.json").read_text())
    assert history["learning_rate"] == pytest.approx([0.01 * factor for factor in factors])


def test_early_stopping_reports_the_epoch_it_keeps(blobs, capsys):
    line = "--validation-fraction 0.5 --learning-rate 0.3 --epochs 50 --early-stopping 3 --seed 1"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    losses = json.loads(Path("twolayer-run/history.json").read_text())["val_loss"]
    assert len(losses) == losses.index(min(losses)) + 4 < 50
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[1] for line in lines if line[:1] == ["validation"]] == [f"{min(losses):.4f}"]


def test_the_same_seed_gives_the_same_file(blobs):
    for out, threads in (("a", "1"), ("b", "2")):
        arguments = ["--threads", threads, "--seed", "3", "--out", out]
        assert main(["train", "--data", str(blobs), *QUICK, *arguments]) == 0
    assert Path("a/network.npz").read_bytes() == Path("b/network.npz").read_bytes()


def test_going_on_from_a_network(model, blobs, capsys):
    before = tl.load(model).parameters[0][0]
    arguments = ["--network", str(model), "--epochs", "1", "--out", "more"]
    assert main(["train", "--data", str(blobs), *arguments]) == 0
    after = tl.load("more/network.npz").parameters[0][0]
    assert after.shape == before.shape
    assert not np.array_equal(after, before)


@pytest.mark.parametrize("recipe", sorted(train_command.RECIPES))
def test_recipes(recipe, blobs, capsys):
    line = f"--recipe {recipe} --max-steps 3 --normalize standard --no-save"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0


def test_a_recipe_with_epochs_given_counts_epochs(blobs):
    line = "--recipe study-sgd-baseline --epochs 2 --out run"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    assert len(json.loads(Path("run/history.json").read_text())["loss"]) == 2


def test_separate_validation_and_test_data_and_a_limit(blobs, capsys):
    data = ["--data", str(blobs), "--validation-data", str(blobs), "--test-data", str(blobs)]
    assert main(["train", *data, "--limit", "100", *QUICK, "--no-save"]) == 0
    output = capsys.readouterr().out
    assert "100 training rows, 300 for validation, 300 for the test" in output
    assert [line.split()[:2] for line in output.splitlines()[-3:]] == [
        ["training", "100"],
        ["validation", "300"],
        ["test", "300"],
    ]


def test_history_json_has_no_nan(blobs):
    arguments = ["--validation-fraction", "0", "--out", "run"]
    assert main(["train", "--data", str(blobs), *QUICK, *arguments]) == 0
    text = Path("run/history.json").read_text()
    assert json.loads(text)["val_loss"] == [None, None]
    assert "NaN" not in text


def test_idx_files(tmp_path):
    images, labels = tmp_path / "images.idx", tmp_path / "labels.idx"
    digits = tl.datasets.load_digits()
    images.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 1797, 8, 8) + digits.x.tobytes())
    labels.write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 1797) + digits.y.astype(np.uint8).tobytes())
    data = [str(images), str(labels)]
    assert main(["train", "--data", *data, *QUICK, "--out", "run"]) == 0
    assert Path("run/training.png").exists()
    assert main(["predict", "run/network.npz", *data, "--out", "p.npy"]) == 0
    assert np.load("p.npy").shape == (1797,)


def test_images_of_a_shape_that_cannot_be_drawn(tmp_path):
    random = np.random.default_rng(0)
    np.savez("boxes.npz", x=random.integers(9, size=(60, 2, 3, 4)), y=np.arange(60) % 3)
    assert main(["train", "--data", "boxes.npz", *QUICK, "--out", "run"]) == 0
    assert Path("run/training.png").exists()


def test_without_matplotlib_one_line_names_the_extra(blobs, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["train", "--data", str(blobs), *QUICK, "--out", "run"]) == 0
    output, errors = capsys.readouterr()
    assert errors.count("\n") == 1
    assert "twolayer-ext[plot]" in errors
    assert sorted(path.name for path in Path("run").iterdir()) == ["history.json", "network.npz"]
    assert "network.npz, history.json" in output


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_saves_what_there_is(tmp_path):
    arguments = ["train", "--epochs", "1000000", "--batch-size", "8", "--out", "run"]
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
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted after" in errors
    assert "saved in run: network.npz, history.json, training.png" in output
    steps = len(json.loads(Path("run/history.json").read_text())["step_loss"])
    assert f"interrupted after {steps} steps" in errors
    assert tl.load("run/network.npz").layer_sizes == (64, 128, 10)


def test_ctrl_c_elsewhere(blobs, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_command, "load_split", interrupted)
    assert main(["train", "--data", str(blobs)]) == 130
    assert capsys.readouterr().err == "twolayer train: interrupted\n"


def test_divergence_says_what_to_try(blobs, capsys):
    line = "--optimizer sgd --learning-rate 1e30 --no-save"
    status = main(["train", "--data", str(blobs), *line.split()])
    assert_one_line_error(capsys, status, "step", "learning_rate")


# predict


def test_predictions_go_to_standard_output(model, blobs, capsys):
    assert main(["predict", str(model), str(blobs)]) == 0
    output, errors = capsys.readouterr()
    with np.load(blobs) as data:
        expected = tl.load(model).predict(data["x"])
        accuracy = (expected == data["y"]).mean()
    np.testing.assert_array_equal([int(line) for line in output.split()], expected)
    assert errors.startswith(f"accuracy {accuracy:.2%}")


@pytest.mark.parametrize("labelled", [True, False])
def test_predictions_as_npy_and_csv(labelled, model, blobs, capsys):
    data = str(blobs)
    with np.load(blobs) as arrays:
        x = arrays["x"]
    if not labelled:
        np.savez("rows.npz", x=x)
        np.save("rows.npy", x)
        data = "rows.npz"
    probabilities = tl.load(model).predict_proba(x)
    assert main(["predict", str(model), data, "--out", "p.npy"]) == 0
    assert ("accuracy" in capsys.readouterr().err) == labelled
    assert main(["predict", str(model), data if labelled else "rows.npy", "--out", "p.csv"]) == 0
    np.testing.assert_array_equal(np.load("p.npy"), probabilities.argmax(axis=1))
    with Path("p.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["row"]) for row in rows] == list(range(300))
    assert [int(row["class"]) for row in rows] == list(np.load("p.npy"))
    assert [row["name"] for row in rows] == [row["class"] for row in rows]
    np.testing.assert_allclose(
        [float(row["probability"]) for row in rows], probabilities.max(axis=1), atol=5e-7
    )


def test_predict_the_digits_by_name(capsys):
    assert main(["train", *QUICK]) == 0
    assert main(["predict", "twolayer-run/network.npz", "digits", "--out", "p.csv"]) == 0
    assert "1,797" in capsys.readouterr().err


def test_a_pipe_that_closes_early(model, blobs):
    line = f'"{sys.executable}" -m twolayer_ext predict "{model}" "{blobs}" | head -n 1'
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


# info


def test_info(capsys):
    assert main(["info"]) == 0
    output = capsys.readouterr().out
    assert f"{tl.__version__}\n" in output
    for word in ("compiler", "openmp", "threads", tl.build_info()["isa"]):
        assert word in output


# errors

BAD_ARGUMENTS = {
    "no command": ([], "COMMAND"),
    "unknown command": (["fly"], "fly"),
    "unknown option": (["train", "--speed", "9"], "--speed"),
    "not a number": (["train", "--epochs", "many"], "--epochs"),
    "unknown activation": (["train", "--activation", "swish"], "swish"),
    "unknown optimizer": (["train", "--optimizer", "lbfgs"], "lbfgs"),
    "unknown recipe": (["train", "--recipe", "cake"], "cake"),
    "unknown init": (["train", "--init", "magic"], "magic"),
    "bad normalisation": (["train", "--normalize", "1,2,3"], "SHIFT,SCALE"),
    "scale of zero": (["train", "--normalize", "1,0"], "scale"),
    "negative rate": (["train", "--learning-rate", "-1"], "learning_rate"),
    "no units": (["train", "--hidden", "0"], "hidden_sizes"),
    "no threads": (["train", "--threads", "0"], "threads"),
    "no rows": (["train", "--limit", "0"], "--limit"),
    "whole fraction": (["train", "--validation-fraction", "1"], "validation_fraction"),
    "unknown schedule": (["train", "--schedule", "linear"], "cosine, one-cycle, step"),
    "unknown setting": (["train", "--schedule", "cosine", "heat=1"], "warmup, final"),
    "setting without a number": (["train", "--schedule", "cosine", "warmup"], "KEY=NUMBER"),
    "several numbers": (["train", "--schedule", "cosine", "warmup=0,1"], "KEY=NUMBER"),
    "wrong setting": (["train", "--schedule", "cosine", "warmup=2"], "warmup: 2"),
    "step of nothing": (["train", "--schedule", "step"], "milestones: None"),
    "schedule and decay": (
        ["train", "--schedule", "cosine", "--learning-rate-decay", "0.9"],
        "learning_rate_decay",
    ),
    "no patience": (["train", "--early-stopping", "0"], "early_stopping"),
    "too many to average": (["train", "--average-epochs", "99"], "average_epochs"),
    "two validations": (
        ["train", "--validation-fraction", "0.1", "--validation-data", "digits"],
        "--validation-data",
    ),
    "missing data": (["train", "--data", "nowhere"], "nowhere"),
    "missing npz": (["train", "--data", "nowhere.npz"], "nowhere.npz"),
    "missing archive": (["train", "--data", "nowhere.tar.gz"], "nowhere.tar.gz"),
    "missing idx": (["train", "--data", "a.idx", "b.idx"], "a.idx"),
    "too many paths": (["train", "--data", "a", "b", "c"], "3 paths"),
    "missing network": (["train", "--network", "nowhere.npz"], "nowhere.npz"),
    "missing model": (["predict", "nowhere.npz", "digits"], "nowhere.npz"),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_bad_arguments_get_one_line_and_status_2(name, capsys):
    arguments, part = BAD_ARGUMENTS[name]
    assert_one_line_error(capsys, main(arguments), part)


def test_bad_output_names(model, blobs, capsys):
    status = main(["predict", str(model), str(blobs), "--out", "p.txt"])
    assert_one_line_error(capsys, status, "p.txt", ".csv")
    status = main(["predict", str(model), str(blobs), "--out", "no/such/folder/p.npy"])
    assert_one_line_error(capsys, status, "no/such/folder")
    status = main(["train", "--data", str(blobs), "--out", str(blobs)])
    assert_one_line_error(capsys, status, "blobs.npz")


def test_broken_files(tmp_path, model, blobs, capsys):
    for path in (model, blobs):
        path.with_name("cut.npz").write_bytes(path.read_bytes()[:200])
    status = main(["predict", str(model.with_name("cut.npz")), str(blobs)])
    assert_one_line_error(capsys, status, "cut.npz")
    status = main(["train", "--data", str(blobs.with_name("cut.npz"))])
    assert_one_line_error(capsys, status, "cut.npz")
    status = main(["predict", str(blobs), str(blobs)])  # data where a network should be
    assert_one_line_error(capsys, status, "blobs.npz")
    (tmp_path / "empty").mkdir()
    status = main(["train", "--data", "empty"])
    assert_one_line_error(capsys, status, "empty")
    Path("notes.txt").write_text("no data")
    status = main(["train", "--data", "notes.txt"])
    assert_one_line_error(capsys, status, "notes.txt", "IDX")


def test_data_that_does_not_fit_the_network(model, capsys):
    assert_one_line_error(capsys, main(["predict", str(model), "digits"]), "features")
    np.savez("nan.npz", x=np.full((4, 5), np.nan), y=np.arange(4) % 2)
    assert_one_line_error(capsys, main(["train", "--data", "nan.npz"]), "nan")


def test_help_is_status_0(capsys):
    for arguments in (["--help"], ["train", "--help"], ["predict", "--help"], ["check", "-h"]):
        assert main(arguments) == 0
    assert "--learning-rate-decay" in capsys.readouterr().out


def test_as_a_process(tmp_path):
    done = command("train", "--epochs", "1", "--out", "run")
    assert (done.returncode, done.stderr) == (0, "")
    done = command("train", "--activation", "swish")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    done = command("info", env={**os.environ, "TWOLAYER_ISA": "abacus"})
    assert done.returncode != 0
    assert "abacus" in done.stderr


def test_an_unexpected_error_is_not_hidden(monkeypatch):
    """A fault of ours is no bad argument: it must leave its traceback."""

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(train_command, "load_split", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train"])


# CIFAR-10


@pytest.mark.skipif(
    "TWOLAYER_CIFAR10" not in os.environ,
    reason="set TWOLAYER_CIFAR10 to a folder that holds cifar-10-batches-py and -bin",
)
def test_the_studys_split_of_cifar10(capsys):
    path = os.environ["TWOLAYER_CIFAR10"]
    split = load_split([path], [], [], None, None)
    assert [len(part) for part in (split.training, split.validation, split.test)] == [
        49_000,
        1_000,
        10_000,
    ]
    assert split.training.x.base is not None  # a view: nothing was copied
    line = "--recipe study-sgd-tuned --max-steps 2 --out run"
    assert main(["train", "--data", path, *line.split()]) == 0
    assert "training, first    10,000" in capsys.readouterr().out
