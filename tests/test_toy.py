"""The study's toy check, its five lines, for both engines (after Stanford's CS231n)."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl

PROBABILITIES = [
    [0.36446210, 0.22911264, 0.40642526],
    [0.47590629, 0.17217039, 0.35192332],
    [0.43035767, 0.26164229, 0.30800004],
    [0.41583127, 0.29832280, 0.28584593],
    [0.36328815, 0.32279939, 0.31391246],
]
X = 10 * np.random.RandomState(1).randn(5, 4)
Y = np.array([0, 1, 2, 2, 1])


@pytest.fixture
def toy(backend):
    rng = np.random.RandomState(0)
    first = 0.1 * rng.randn(4, 10)
    second = 0.1 * rng.randn(10, 3)
    net = backend.Network((4, 10, 3), activation="relu", dtype="float64")
    net.set_parameters([(first, np.zeros(10)), (second, np.zeros(3))])
    return net


def test_probabilities(toy):
    assert np.abs(toy.predict_proba(X) - PROBABILITIES).sum() < 1e-7


def test_loss(toy):
    assert abs(toy.loss_and_gradients(X, Y, reg=0.05)[0] - 1.30378789133) < 1e-12


def test_gradients(toy):
    report = tl.check_gradients(toy, X, Y, reg=0.05, h=1e-5)
    assert report.passed(1e-8), str(report)


def test_hundred_steps_on_batches_drawn_with_replacement(toy, backend):
    rows = np.random.RandomState(1).choice(5, size=100 * 200)
    result = backend.train(
        X[rows],
        Y[rows],
        network=toy,
        optimizer="sgd",
        learning_rate=0.1,
        learning_rate_decay=1.0,
        reg=5e-6,
        batch_size=200,
        epochs=1,
        shuffle=False,
        progress=False,
    )
    assert len(result.history["step_loss"]) == 100
    assert result.history["step_loss"][-1] < 0.02


def test_hundred_steps_on_all_five(toy, backend):
    result = backend.train(
        X, Y, network=toy, optimizer="sgd", learning_rate=0.1, learning_rate_decay=0.95, reg=5e-6,
        epochs=100, progress=False,
    )  # fmt: skip
    assert result.history["step_loss"][-1] == pytest.approx(0.0156, abs=5e-5)
