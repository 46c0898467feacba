"""What a sweep takes for x and y, what it ranks by, and which losses compare."""

from __future__ import annotations

import math

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.sweeping import search, trial

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 6)).astype(np.float32)
NUMBERS = X[:, 0] - 2 * X[:, 1] + 0.1 * RNG.normal(size=240)
WORDS = np.where(X[:, 2] > 0, "yes", "no")


def cut(x, y):
    """The first arguments, and validation_data, of a sweep."""
    return (x[:180], y[:180]), (x[180:], y[180:])


def run(x, y, **space):
    training, validation = cut(x, y)
    space = {"hidden_sizes": (8,), "epochs": 3, "batch_size": 20, **space}
    return tl.sweep(
        space, *training, validation_data=validation, configurations=8, progress=False, seed=3
    )


def assert_repeats(result, x, y):
    """The best run is that of `train` with its arguments."""
    best = result.runs[0]
    training, validation = cut(x, y)
    network = tl.train(*training, **result.best, progress=False).network
    np.testing.assert_equal(network.evaluate(*validation), (best.val_loss, best.val_score))
    assert network.score_name == best.score_name == result.score_name


RATES = {"learning_rate": [1e-3, 1e-2, 1e-1]}


def test_numbers_are_ranked_by_r2():
    result = run(X, NUMBERS, **RATES)
    values = [r.val_score for r in result.runs]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.8
    assert_repeats(result, X, NUMBERS)
    heading, _, first, *_ = result.table().splitlines()
    cells = [cell.strip() for cell in heading.strip("|").split("|")]
    assert cells[:3] == ["val R²", "val loss", "R²"]
    assert f"{values[0]:.3f}" in first


def test_no_score_no_number_but_the_loss():
    def gaussian(outputs, targets):
        """-log p of a normal distribution, whose mean and log deviation the outputs are."""
        mean, log_deviation = outputs[:, :1], outputs[:, 1:]
        z = (targets - mean) * np.exp(-log_deviation)
        losses = (z**2 / 2 + log_deviation)[:, 0]
        return losses, np.hstack([-z * np.exp(-log_deviation), 1 - z**2])

    result = run(X, NUMBERS, loss=tl.losses.CustomLoss(gaussian, width=2), **RATES)
    values = [r.val_loss for r in result.runs]
    assert values == sorted(values)
    assert all(math.isnan(r.val_score) and not r.diverged for r in result.runs)
    assert_repeats(result, X, NUMBERS)
    assert result.table().startswith("| val loss |")
    assert search._best(result.runs) == f"best val loss {values[0]:.5g}"


@pytest.mark.parametrize("y", [WORDS, WORDS == "yes", (WORDS == "yes") * 255.0, list(WORDS)])
def test_labels_of_any_type(y):
    result = run(X, y, **RATES)
    assert result.score_name == "accuracy"
    assert result.runs[0].val_score > 0.8
    assert_repeats(result, X, y)


def test_sparse_rows_are_shared(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    seen = []
    fit = trial.fit

    def noting(network_class, x, y, options, **others):
        seen.append((x, options["normalize"]))
        return fit(network_class, x, y, options, **others)

    monkeypatch.setattr(trial, "fit", noting)
    x = sparse.csr_array(np.where(np.abs(X) > 1, X, 0))
    result = run(x, NUMBERS, optimizer=["adam", "sgd", "lion"])
    assert result.swept == ("optimizer",)
    assert all(rows is seen[0][0] and pair is seen[0][1] for rows, pair in seen)
    assert_repeats(result, x, NUMBERS)


def test_columns_of_a_frame_in_another_order():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    labels = pandas.Series(WORDS)
    space = {"hidden_sizes": (8,), "epochs": 2}
    validation = frame[list("fedcba")], labels
    options = {"configurations": 1, "progress": False}
    result = tl.sweep(space, frame, labels, validation_data=validation, **options)
    plain = tl.sweep(space, X, WORDS, validation_data=(X, WORDS), **options)
    assert result.runs[0].val_loss == plain.runs[0].val_loss


@pytest.mark.parametrize(
    ("y", "choices"),
    [
        (NUMBERS, ["squared_error", "huber", tl.losses.Huber(delta=0.5), "absolute_error"]),
        (WORDS, ["cross_entropy", "logistic"]),
    ],
)
def test_losses_of_the_same_score_compare(y, choices):
    result = run(X, y, loss=choices)
    assert result.swept == ("loss",)
    assert len(result.runs) > 1
    assert_repeats(result, X, y)


def test_losses_that_do_not_compare(monkeypatch):
    monkeypatch.setattr(search, "run_side_by_side", None)  # nothing is run
    counts = RNG.integers(0, 5, 240)
    message = "^loss: .*'cross_entropy' is judged by accuracy.*; those of one sweep must all"
    with pytest.raises(ValueError, match=message):
        run(X, counts, loss=["cross_entropy", "poisson"])


def test_halving_with_the_epochs_of_train():
    training, validation = cut(X, WORDS)
    space = {"hidden_sizes": (4,), **RATES}
    options = {"validation_data": validation, "method": "halving", "progress": False}
    result = tl.sweep(space, *training, configurations=9, **options)
    longest = max(r.epochs for r in result.runs)
    assert longest == len(tl.train(*training, hidden_sizes=(4,), progress=False).history["loss"])
