"""Backpropagation through training techniques against central differences."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl

# As in network/test_gradients.py: no gradient may be much smaller than 1e-3, no relu near its
# kink. Of the first sixty seeds these are the best for all techniques together; their errors are
# below 2e-8.
H = 3e-5
SEEDS = {
    "relu": (55, 16, 5),
    "tanh": (56, 28, 33),
    "logistic": (9, 54, 32),
    "identity": (15, 26, 14),
}
TECHNIQUES = ("dropout", "batch_norm", "label_smoothing", "sample_weight", "all")
ROWS = 5


def arguments(name, rng, hidden):
    techniques = {
        "dropout": {"dropout": 0.3, "seed": 3},
        "batch_norm": {"gammas": [rng.uniform(0.5, 1.5, size) for size in hidden]},
        "label_smoothing": {"label_smoothing": 0.2},
        "sample_weight": {"sample_weight": rng.uniform(0.5, 1.5, ROWS)},
    }
    if name == "all":
        return {key: value for one in techniques.values() for key, value in one.items()}
    return techniques[name]


def problem(backend, layers, activation, name):
    rng = np.random.default_rng(SEEDS[activation][layers - 2])
    sizes = (3, *[4] * (layers - 1), 3)
    net = backend.Network(sizes, activation=activation, dtype="float64")
    net.set_parameters(
        [
            (1.5 / np.sqrt(len(w)) * rng.normal(size=w.shape), 0.5 * rng.normal(size=b.shape))
            for w, b in net.parameters
        ]
    )
    x, y = rng.normal(size=(ROWS, 3)), rng.integers(0, 3, ROWS)
    return (net, x, y), arguments(name, rng, sizes[1:-1])


@pytest.mark.parametrize("name", TECHNIQUES)
@pytest.mark.parametrize("activation", SEEDS)
@pytest.mark.parametrize("layers", [2, 3, 4])
def test_against_central_differences(backend, layers, activation, name):
    data, techniques = problem(backend, layers, activation, name)
    plain, _ = data[0].loss_and_gradients(*data[1:], reg=0.05)
    changed, _ = data[0].loss_and_gradients(*data[1:], reg=0.05, **techniques)
    assert changed != plain  # else nothing was asked
    report = tl.check_gradients(*data, reg=0.05, h=H, **techniques)
    assert report.passed(1e-7), str(report)


def test_the_report_has_a_row_for_every_gamma(backend):
    data, techniques = problem(backend, 3, "tanh", "batch_norm")
    report = tl.check_gradients(*data, **techniques)
    assert [(p.name, p.shape) for p in report.parameters] == [
        ("W1", (3, 4)), ("b1", (4,)), ("gamma1", (4,)),
        ("W2", (4, 4)), ("b2", (4,)), ("gamma2", (4,)),
        ("W3", (4, 3)), ("b3", (3,)),
    ]  # fmt: skip


def test_a_wrong_gradient_of_gamma_is_found(monkeypatch):
    data, techniques = problem(tl.reference, 2, "tanh", "batch_norm")
    engine = type(data[0].core)
    right = engine.loss_and_gradients

    def wrong(self, *positional, **named):
        loss, gradients = right(self, *positional, **named)
        gradients[0][2][1] *= 1.001
        return loss, gradients

    monkeypatch.setattr(engine, "loss_and_gradients", wrong)
    report = tl.check_gradients(*data, h=H, **techniques)
    errors = {p.name: p.max_relative_error for p in report.parameters}
    assert errors.pop("gamma1") == pytest.approx(0.0005, rel=0.01)
    assert max(errors.values()) < 1e-7
