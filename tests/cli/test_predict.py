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


def trained(y, x=None, **options):
    """Train on 40 rows, save network and data; return the network and x."""
    if x is None:
        x = np.random.default_rng(3).normal(size=(40, 3)).astype(np.float32)
    result = tl.train(x, y, epochs=3, hidden_sizes=(8,), **options)
    result.network.save("network.npz")
    np.savez("data.npz", x=x, y=y)
    return result.network, x


LABELS = {
    "text": np.array(["ash", "elm, or oak"])[np.arange(40) % 2],
    "bool": np.arange(40) % 3 > 0,
    "{0, 255}": np.where(np.arange(40) % 2, 255, 0).astype(np.uint8),
    "floats": np.where(np.arange(40) % 2, 2.0, 1.0),
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("loss", ["cross_entropy", "logistic"])
def test_labels_come_back_as_they_were(kind, loss, capsys):
    y = LABELS[kind]
    network, x = trained(y, loss=loss)
    expected = network.predict(x)
    assert main(["predict", "network.npz", "data.npz"]) == 0
    output, errors = capsys.readouterr()
    assert output.splitlines() == [str(label) for label in expected]
    right = int((expected == y).sum())
    assert errors == f"accuracy {right / 40:.2%} ({right} of 40 rows)\n"
    assert main(["predict", "network.npz", "data.npz", "--out", "p.npy"]) == 0
    saved = np.load("p.npy")
    assert saved.dtype == y.dtype
    np.testing.assert_array_equal(saved, expected)
    assert main(["predict", "network.npz", "data.npz", "--out", "p.csv"]) == 0
    with Path("p.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["class"] for row in rows] == [str(label) for label in expected]
    assert [row["name"] for row in rows] == [str(label) for label in expected]
    np.testing.assert_allclose(
        [float(row["probability"]) for row in rows],
        network.predict_proba(x).max(axis=1),
        atol=5e-7,
    )


def test_names_are_those_of_the_data_where_it_speaks_of_the_same_labels(capsys):
    y = LABELS["{0, 255}"]
    network, x = trained(y)
    np.savez("named.npz", x=x, y=y, class_names=np.array(["no", "yes"]))
    assert main(["predict", "network.npz", "named.npz", "--out", "p.csv"]) == 0
    with Path("p.csv").open(newline="") as stream:
        names = [row["name"] for row in csv.DictReader(stream)]
    assert names == ["yes" if label else "no" for label in network.predict(x)]


REAL = np.random.default_rng(4).normal(size=(40, 2))


@pytest.mark.parametrize(
    ("y", "loss", "columns"),
    [
        (REAL[:, 0], None, ["value"]),
        (REAL[:, :1], None, ["value"]),
        (REAL, None, ["value_0", "value_1"]),
        (REAL[:, 0], "quantile", ["value_0.1", "value_0.5", "value_0.9"]),
        (
            REAL,
            tl.losses.Quantile((0.2, 0.8)),
            [f"value_{i}_{q}" for i in (0, 1) for q in (0.2, 0.8)],
        ),
        (np.arange(40) % 7, "poisson", ["value"]),
    ],
    ids=["vector", "column", "columns", "quantiles", "quantiles of columns", "counts"],
)
def test_numbers_have_a_column_each(y, loss, columns, capsys):
    network, x = trained(y, loss=loss)
    expected = network.predict(x)
    flat = expected.reshape(40, -1)
    assert main(["predict", "network.npz", "data.npz"]) == 0
    output, errors = capsys.readouterr()
    lines = [line.split(",") for line in output.splitlines()]
    np.testing.assert_array_equal(np.array(lines, np.float32), flat)
    assert errors == f"R² {network.evaluate(x, y)[1]:.3f} (40 rows)\n"
    assert main(["predict", "network.npz", "data.npz", "--out", "p.npy"]) == 0
    np.testing.assert_array_equal(np.load("p.npy"), expected)
    assert main(["predict", "network.npz", "data.npz", "--out", "p.csv"]) == 0
    with Path("p.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["row", *columns]
    assert [int(row[0]) for row in rows] == list(range(40))
    np.testing.assert_array_equal(np.array(rows, np.float32)[:, 1:], flat)


def test_a_matrix_of_labels(capsys):
    y = (REAL > 0).astype(np.int64)
    network, x = trained(y)
    expected, right = network.predict(x), network.evaluate(x, y)[1]
    assert main(["predict", "network.npz", "data.npz"]) == 0
    output, errors = capsys.readouterr()
    assert output.splitlines() == [f"{a},{b}" for a, b in expected]
    assert errors == f"accuracy {right:.2%} ({round(40 * right)} of 40 rows)\n"
    assert main(["predict", "network.npz", "data.npz", "--out", "p.csv"]) == 0
    with Path("p.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["row", "label_0", "label_1", "label_0_probability", "label_1_probability"]
    values = np.array(rows, float)
    np.testing.assert_array_equal(values[:, 1:3], expected)
    np.testing.assert_allclose(values[:, 3:], network.predict_proba(x), atol=5e-7)


def test_a_loss_that_no_file_holds_gives_predictions_without_a_score(capsys):
    def squared(outputs, targets):
        return ((outputs - targets) ** 2).sum(axis=1), 2 * (outputs - targets)

    network, x = trained(REAL[:, 0], loss=squared)
    assert main(["predict", "network.npz", "data.npz"]) == 0
    output, errors = capsys.readouterr()
    np.testing.assert_array_equal(np.array(output.split(), np.float32), network.predict(x))
    assert errors == ""


@pytest.mark.parametrize(
    ("y", "part"),
    [
        (np.array(["ash", "fir", "ash"]), "'fir' in row 1"),
        (np.array([0, 1, 0]), "int64; labels must be strings"),
        (np.zeros((3, 2)), "shape (3, 2)"),
    ],
    ids=["unknown", "numbers", "columns"],
)
def test_targets_that_the_network_does_not_know(y, part, capsys):
    _, x = trained(LABELS["text"])
    np.savez("other.npz", x=x[:3], y=y)
    for out in ([], ["--out", "p.npy"], ["--out", "p.csv"]):
        status = main(["predict", "network.npz", "other.npz", *out])
        assert_one_line_error(capsys, status, "y of other.npz", part)
    assert not list(Path().glob("p.*"))


def test_a_data_set_of_scikit_learn_by_name(capsys):
    data = tl.datasets.load_sklearn("iris")
    network, _ = trained(data.y, data.x)
    assert main(["predict", "network.npz", "iris", "--out", "p.csv"]) == 0
    with Path("p.csv").open(newline="") as stream:
        names = [row["name"] for row in csv.DictReader(stream)]
    assert names == [data.class_names[label] for label in network.predict(data.x)]
    assert "of 150 rows" in capsys.readouterr().err
