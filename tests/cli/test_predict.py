"""`twolayer predict`: what it reads and writes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import twolayer_ext as tl
from cli_runs import QUICK, assert_one_line_error
from twolayer_ext.cli import main
from twolayer_ext.cli import predict as predict_command


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


def test_predict_reads_rows_in_every_form(model, capsys):
    """Whatever the type, the memory order and the file: the same rows, the same classes."""
    x = np.random.default_rng(1).integers(0, 5, size=(40, 5))
    expected = tl.load(model).predict(x)
    for dtype in ("uint8", "int8", "float16", "float32", ">f4", "float64", "int64", "uint32"):
        np.save("rows.npy", np.asfortranarray(x.astype(dtype)))
        assert main(["predict", str(model), "rows.npy", "--out", "p.npy"]) == 0
        np.testing.assert_array_equal(np.load("p.npy"), expected)
    np.save("images.npy", x.reshape(40, 1, 5))
    np.savez_compressed("images.npz", x=x.reshape(40, 5, 1))
    Path("folder").mkdir()
    np.save("folder/x.npy", x)
    for data in ("images.npy", "images.npz", "folder"):
        assert main(["predict", str(model), data, "--out", "p.npy"]) == 0
        np.testing.assert_array_equal(np.load("p.npy"), expected)
    assert "accuracy" not in capsys.readouterr().err


def test_images_without_labels(capsys):
    assert main(["train", *QUICK]) == 0
    digits = tl.datasets.load_digits()
    np.save("images.npy", digits.x.reshape(-1, 8, 8))
    capsys.readouterr()
    assert main(["predict", "twolayer-run/network.npz", "images.npy"]) == 0
    expected = tl.load("twolayer-run/network.npz").predict(digits.x)
    np.testing.assert_array_equal([int(k) for k in capsys.readouterr().out.split()], expected)


@pytest.mark.parametrize(
    "x",
    [
        np.array(1.0),
        np.zeros(5),
        np.zeros((0, 5)),
        np.zeros((3, 0)),
        np.zeros((3, 6)),
        np.full((3, 5), np.inf),
        np.zeros((3, 5), complex),
        np.full((3, 5), "a"),
        np.array([None]),
    ],
    ids=["0-d", "1-d", "no rows", "no features", "features", "inf", "complex", "text", "objects"],
)
def test_rows_that_are_none(x, model, capsys):
    y = np.zeros(len(x) if x.ndim else 1, int)
    np.save("rows.npy", x)
    np.savez("rows.npz", x=x)
    np.savez("labelled.npz", x=x, y=y)
    for folder in ("folder", "both"):
        Path(folder).mkdir()
        np.save(f"{folder}/x.npy", x)
    np.save("both/y.npy", y)
    for form in ("rows.npy", "rows.npz", "labelled.npz", "folder", "both"):
        assert_one_line_error(capsys, main(["predict", str(model), form]), form)


def test_an_out_that_cannot_be_written_is_found_out_first(model, blobs, capsys, monkeypatch):
    monkeypatch.setattr(predict_command, "load_rows", None)
    Path("p.npy").mkdir()
    for out in ("p.npy", "no/such/p.csv"):
        status = main(["predict", str(model), str(blobs), "--out", out])
        assert_one_line_error(capsys, status, out)
