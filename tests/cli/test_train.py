"""`twolayer train`: what it prints and writes."""

from __future__ import annotations

import errno
import inspect
import json
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import twolayer_ext as tl
from cli_runs import QUICK, assert_one_line_error
from twolayer_ext.cli import main
from twolayer_ext.cli import train as train_command
from twolayer_ext.cli.sources import load_sources
from twolayer_ext.files import writing
from twolayer_ext.training import fit
from twolayer_ext.training.option_table import OPTIONS

FOR_ANY_DATA = sorted(name for name in train_command.RECIPES if name.startswith("study"))


def test_train_on_the_digits_saves_all_and_reaches_96_percent(tmp_path, capsys):
    assert main(["train", "--hidden", "64"]) == 0
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
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")
    network = tl.load(folder / "network.npz")
    sources = load_sources([], [], [], None, None)
    loss, accuracy = network.evaluate(sources.test.x, sources.test.y)
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


def test_the_table_has_every_option_of_train_and_no_other():
    """The command line is made from the table, so it has them, too."""
    words = set(inspect.signature(tl.train).parameters) - {"x", "y"}
    others = {"sample_weight", "validation_data", "callbacks", "network", "state"}
    assert set(OPTIONS) == words - others
    assert all(name == option.name for name, option in OPTIONS.items())


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_in_the_help(name, capsys):
    assert main(["train", "--help"]) == 0
    assert f" {OPTIONS[name].flag}" in capsys.readouterr().out


@pytest.mark.parametrize("name", OPTIONS)
def test_a_message_that_names_an_argument_names_the_option(name, capsys, monkeypatch):
    def wrong(*_):
        raise ValueError(f"{name}: 7; must be another")

    monkeypatch.setattr(train_command, "load_sources", wrong)
    assert_one_line_error(capsys, main(["train"]), f"error: {OPTIONS[name].flag}: 7; must be")


def save_targets(kind, path="any.npz"):
    """60 rows of 4 features with targets of a kind; return x and y."""
    random = np.random.default_rng(2)
    x = random.normal(size=(60, 4)).astype(np.float32)
    truth = x @ np.array([1.0, -2.0, 0.5, 0.0], np.float32)
    y = {
        "int": np.digitize(truth, [-1, 1]),
        "{0, 255}": np.where(truth > 0, 255, 0).astype(np.uint8),
        "text": np.array(["ash", "elm", "oak"])[np.digitize(truth, [-1, 1])],
        "bool": truth > 0,
        "whole floats": np.where(truth > 0, 2.0, 1.0),
        "matrix": np.stack([truth > 0, x[:, 1] > 0], axis=1).astype(np.int64),
        "numbers": truth + 10,
        "columns": np.stack([truth, -truth, x[:, 0]], axis=1),
    }[kind]
    np.savez(path, x=x, y=y)
    return x, y


KINDS = ["int", "{0, 255}", "text", "bool", "whole floats", "matrix", "numbers", "columns"]


def assert_same_run(folder, result):
    """Parameters to the bit, and the history but for the seconds."""
    saved = tl.load(folder / "network.npz")
    for (w, b), (v, c) in zip(saved.parameters, result.network.parameters, strict=True):
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(b, c)
    np.testing.assert_array_equal(saved.shift, result.network.shift)
    assert (saved.classes is None) == (result.network.classes is None)
    if saved.classes is not None:
        np.testing.assert_array_equal(saved.classes, result.network.classes)
    history = json.loads((folder / "history.json").read_text())
    assert set(history) == set(result.history)
    for name in set(history) - {"seconds"}:
        assert history[name] == result.history[name], name


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_line_gives_the_numbers_of_python(kind):
    """With no option but the data; both have a tenth for validation, drawn by the same seed."""
    x, y = save_targets(kind)
    assert main(["train", "--data", "any.npz"]) == 0
    assert_same_run(Path("twolayer-run"), tl.train(x, y, validation_fraction=0.1))


def test_options_give_the_numbers_of_python(blobs):
    line = "--loss logistic --optimizer rmsprop --seed 3 --validation-fraction 0.25 --epochs 3"
    x, y = save_targets("matrix")
    assert main(["train", "--data", "any.npz", *line.split()]) == 0
    options = {"loss": "logistic", "optimizer": "rmsprop", "seed": 3, "epochs": 3}
    assert_same_run(Path("twolayer-run"), tl.train(x, y, validation_fraction=0.25, **options))


def test_the_digits_give_the_numbers_of_python():
    """The embedded ones have the defaults of all data."""
    sources = load_sources([], [], [], None, None)
    assert main(["train", "--max-steps", "20"]) == 0
    training, validation = sources.training, sources.validation
    result = tl.train(
        training.x, training.y, validation_data=(validation.x, validation.y), max_steps=20
    )
    assert_same_run(Path("twolayer-run"), result)


@pytest.mark.parametrize(
    ("kind", "line", "headings", "score"),
    [
        ("int", "", "accuracy", "val_accuracy"),
        ("matrix", "", "accuracy", "val_accuracy"),
        ("numbers", "", "R²", "val_r2"),
        ("columns", "--loss huber delta=0.5", "R²", "val_r2"),
        ("int", "--loss poisson", "R²", "val_r2"),
        ("int", "--loss quantile levels=0.2,0.8", "R²", "val_r2"),
    ],
)
def test_tables_speak_of_the_score_that_the_network_has(kind, line, headings, score, capsys):
    save_targets(kind)
    arguments = ["--test-data", "any.npz", *QUICK, *line.split()]
    assert main(["train", "--data", "any.npz", *arguments]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["set", "rows", "loss", headings] in lines
    first = " ".join(next(line for line in lines if line[:1] == ["epoch"]))
    assert first == f"epoch loss {headings} val loss val {headings} learning rate seconds"
    history = json.loads(Path("twolayer-run/history.json").read_text())
    shown = next(line for line in lines if line[:1] == ["validation"])[-1]
    value = history[score][-1]
    assert shown == (f"{value:.2%}" if score == "val_accuracy" else f"{value:.3f}")


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_data_sets_of_scikit_learn_by_name(name, capsys):
    assert main(["train", "--data", name, *QUICK, "--no-save"]) == 0
    data = tl.datasets.load_sklearn(name)
    assert capsys.readouterr().out.startswith(f"{name}: {len(data)} training rows, 10% of them")


def test_without_scikit_learn_one_line_names_the_extra(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert_one_line_error(capsys, main(["train", "--data", "iris"]), "twolayer-ext[sklearn]")


def test_every_option_of_train_reaches_it(blobs, monkeypatch):
    seen = {}
    save_targets("numbers", "numbers.npz")

    def spy(network_class, x, y, options, **others):
        seen.update(options)
        return fit(network_class, x, y, options, **others)

    monkeypatch.setattr(train_command, "fit", spy)
    line = (
        "--hidden 7 6 --activation tanh --optimizer adamw --learning-rate 0.01 --betas 0.8 0.9 "
        "--learning-rate-decay 0.9 --epsilon 1e-7 --reg 1e-4 --weight-decay 1e-3 --batch-size 50 "
        "--epochs 3 --max-steps 9 --init 0.1 --normalize 1,2 --validation-fraction 0.25 "
        "--no-shuffle --dtype float64 --seed 5 --threads 1 --no-progress --no-save "
        "--early-stopping 2 --clip-norm 3 --dropout 0.1 0.2 --batch-norm --label-smoothing 0.1 "
        "--class-weight balanced"
    )
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    given = {
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
        "early_stopping": 2,
        "clip_norm": 3,
        "dropout": [0.1, 0.2],
        "batch_norm": True,
        "label_smoothing": 0.1,
        "class_weight": "balanced",
    }
    assert {name: seen[name] for name in given} == given
    assert set(seen) == set(train_command.DEFAULTS)
    compute = "--compute-dtype float32 --activation silu --no-save"
    assert main(["train", "--data", str(blobs), *QUICK, *compute.split()]) == 0
    assert (seen["compute_dtype"], seen["activation"]) == ("float32", "silu")
    sgd = (
        "--optimizer sgd --momentum 0.9 --nesterov --normalize none --init he --no-save --epochs 2"
    )
    assert main(["train", "--data", str(blobs), "--hidden", *sgd.split()]) == 0
    assert seen["hidden_sizes"] == []
    assert (seen["momentum"], seen["nesterov"]) == (0.9, True)
    assert (seen["normalize"], seen["init"]) == (None, "he")
    line = "--optimizer rmsprop --alpha 0.9 --centred --loss huber delta=0.5 --no-normalize-targets"
    assert main(["train", "--data", "numbers.npz", *QUICK, "--no-save", *line.split()]) == 0
    assert (seen["alpha"], seen["centred"], seen["normalize_targets"]) == (0.9, True, False)
    assert seen["loss"] == tl.losses.Huber(delta=0.5)
    seen.clear()
    line = "--average-epochs 2 --schedule one-cycle --epochs 3 --no-save --dropout 0.1"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    assert (seen["average_epochs"], seen["dropout"]) == (2, 0.1)
    assert seen["loss"] is None
    assert [seen["schedule"](step, 50) for step in range(50)] == [
        tl.schedules.one_cycle()(step, 50) for step in range(50)
    ]


def test_augmentation(blobs, monkeypatch):
    seen = {}

    def spy(network_class, x, y, options, **others):
        seen.update(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(train_command, "fit", spy)
    line = "--augment image=3x32x32 flip=0 shift=4 cutout=8 --no-save"
    assert main(["train", "--data", str(blobs), *line.split()]) == 130
    assert seen["augment"] == tl.Augment((3, 32, 32), flip=False, shift=4, cutout=8)


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


@pytest.mark.parametrize("recipe", FOR_ANY_DATA)
def test_going_on_with_a_recipe_keeps_the_network(recipe, model, blobs):
    line = f"--network {model} --recipe {recipe} --max-steps 2 --out more"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    before, after = tl.load(model), tl.load("more/network.npz")
    assert after.layer_sizes == before.layer_sizes == (5, 16, 3)
    np.testing.assert_array_equal(after.shift, before.shift)


@pytest.mark.parametrize(
    "line",
    ["--hidden 9", "--activation tanh", "--init 0.1", "--normalize center", "--dtype float64"],
)
def test_going_on_with_another_network_than_it_is(line, model, blobs, capsys):
    arguments = f"--network {model} --recipe study-adam --out more {line}".split()
    status = main(["train", "--data", str(blobs), *arguments])
    assert_one_line_error(capsys, status, line.split()[0])
    assert not Path("more").exists()


@pytest.mark.parametrize("recipe", FOR_ANY_DATA)
def test_recipes(recipe, blobs, capsys):
    line = f"--recipe {recipe} --max-steps 3 --normalize standard --no-save"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0


@pytest.mark.parametrize("seconds", [10, 60, 300])
def test_the_best_recipes_are_for_images_of_cifar10s_shape(seconds, blobs, tmp_path, capsys):
    line = f"--recipe best-{seconds} --max-steps 2 --no-save --validation-fraction 0.2"
    status = main(["train", "--data", str(blobs), *line.split()])
    assert_one_line_error(capsys, status, "augment: image_shape")
    x = np.random.default_rng(0).integers(0, 256, (40, 3072), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(40) % 10)
    assert main(["train", "--data", str(tmp_path / "images.npz"), *line.split()]) == 0


def test_a_recipe_with_epochs_given_counts_epochs(blobs):
    line = "--recipe study-sgd-baseline --epochs 2 --out run"
    assert main(["train", "--data", str(blobs), *line.split()]) == 0
    assert len(json.loads(Path("run/history.json").read_text())["loss"]) == 2


@pytest.mark.parametrize("line", ["--optimizer adam", "--learning-rate-decay 0.9", "--epochs 2"])
def test_what_is_given_takes_the_place_of_a_recipes(line, blobs):
    """Of its schedule, its number of steps, and the hyper-parameters of its optimizer."""
    for recipe in FOR_ANY_DATA:
        arguments = f"--recipe {recipe} {line} --max-steps 2 --normalize standard --no-save"
        assert main(["train", "--data", str(blobs), *arguments.split()]) == 0
    np.savez("images.npz", x=np.zeros((20, 3072), np.uint8), y=np.arange(20) % 2)
    arguments = f"--recipe best-10 {line} --max-steps 2 --no-save"
    assert main(["train", "--data", "images.npz", *arguments.split()]) == 0


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


def test_the_network_has_an_output_for_every_class_that_the_data_knows(blobs):
    """Also for those that no training row is of."""
    with np.load(blobs) as arrays:
        order = np.argsort(arrays["y"])
        np.savez("sorted.npz", x=arrays["x"][order], y=arrays["y"][order])
        np.savez("named.npz", **arrays, class_names=np.array(["a", "b", "c", "d"]))
    line = ["--test-data", str(blobs), "--limit", "20", *QUICK, "--out", "run"]
    assert main(["train", "--data", "sorted.npz", *line]) == 0
    assert tl.load("run/network.npz").layer_sizes == (5, 16, 3)
    assert main(["train", "--data", "named.npz", *line]) == 0
    assert tl.load("run/network.npz").layer_sizes == (5, 16, 4)


@pytest.mark.parametrize("option", ["--test-data", "--validation-data"])
@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"x": np.zeros((4, 7), np.float32)}, "7 features a row; must have 5"),
        ({"y": np.array([0, 1, 2, 3])}, "3 in row 3"),
        ({"y": np.array(["a", "b", "c", "d"])}, "type <U1; labels must be numbers"),
        ({"x": np.full((4, 5), np.nan, np.float32)}, "nan in row 0"),
    ],
    ids=["features", "class", "text", "nan"],
)
def test_data_that_does_not_fit_is_refused_before_training(option, wrong, part, blobs, capsys):
    np.savez("other.npz", **{"x": np.zeros((4, 5), np.float32), "y": np.arange(4) % 2} | wrong)
    status = main(["train", "--data", str(blobs), option, "other.npz", *QUICK, "--out", "run"])
    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    assert f" of {option}: " in output.err
    assert part in output.err
    assert not Path("run").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_finished_run_is_saved_before_it_is_evaluated(error, blobs, capsys, monkeypatch):
    def failing(*_):
        raise error

    monkeypatch.setattr(train_command, "_evaluate", failing)
    status = main(["train", "--data", str(blobs), *QUICK, "--out", "run"])
    assert status == (130 if error is KeyboardInterrupt else 2)
    assert tl.load("run/network.npz").layer_sizes == (5, 16, 3)
    assert "saved in run: network.npz, history.json, training.png" in capsys.readouterr().out


def test_ctrl_c_while_the_picture_is_drawn(blobs, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_command.plots, "plot_training", interrupted)
    assert main(["train", "--data", str(blobs), *QUICK, "--out", "run"]) == 130
    assert "saved in run: network.npz, history.json\n" in capsys.readouterr().out
    assert sorted(path.name for path in Path("run").iterdir()) == ["history.json", "network.npz"]


@pytest.mark.parametrize("out", ["blobs.npz", "blobs.npz/run", "taken", "/dev/null/run"])
def test_results_that_cannot_be_written_are_found_out_before_training(
    out, blobs, capsys, monkeypatch
):
    def trained(*_, **__):
        raise AssertionError

    monkeypatch.setattr(train_command, "fit", trained)
    Path("taken/history.json").mkdir(parents=True)
    status = main(["train", "--data", str(blobs), "--out", out])
    assert_one_line_error(capsys, status, out)


def test_a_folder_without_the_right_to_write(tmp_path, blobs, capsys, monkeypatch):
    def denied(**_):  # as the file system says it, but to root
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(writing.tempfile, "TemporaryFile", denied)
    status = main(["train", "--data", str(blobs), "--out", "a/run"])
    assert_one_line_error(capsys, status, "a/run/network.npz: Permission denied")
    assert list(tmp_path.iterdir()) == [blobs]


def test_a_bad_option_leaves_no_folder_behind(tmp_path, blobs, capsys):
    Path("there").mkdir()
    for out in ("a/b/run", "there", "there/run"):
        status = main(["train", "--data", str(blobs), "--momentum", "2", "--out", out])
        assert_one_line_error(capsys, status, "--momentum: 2.0")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["blobs.npz", "there"]


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


def test_divergence_says_what_to_try(blobs, capsys):
    line = "--optimizer sgd --learning-rate 1e30 --no-save"
    status = main(["train", "--data", str(blobs), *line.split()])
    assert_one_line_error(capsys, status, "step", "a smaller --learning-rate")


@pytest.mark.skipif(
    "TWOLAYER_CIFAR10" not in os.environ,
    reason="set TWOLAYER_CIFAR10 to a folder that holds cifar-10-batches-py and -bin",
)
def test_the_studys_split_of_cifar10(capsys):
    path = os.environ["TWOLAYER_CIFAR10"]
    sources = load_sources([path], [], [], None, None)
    assert [len(part) for part in (sources.training, sources.validation, sources.test)] == [
        49_000,
        1_000,
        10_000,
    ]
    assert sources.training.x.base is not None  # a view: nothing was copied
    line = "--recipe study-sgd-tuned --max-steps 2 --out run"
    assert main(["train", "--data", path, *line.split()]) == 0
    assert "training, first    10,000" in capsys.readouterr().out
