"""Small sweeps over the digits."""

from __future__ import annotations

import pytest

import twolayer_ext as tl
from twolayer_ext.distributions import integer, log_uniform, uniform
from twolayer_ext.sweeping.trial import Trial


@pytest.fixture(scope="session")
def digits():
    """Training and validation rows, as the first arguments and validation_data."""
    data = tl.datasets.load_digits()
    return (data.x[:600], data.y[:600]), (data.x[600:900], data.y[600:900])


@pytest.fixture
def space():
    """Four arguments varied, and one the same for all."""
    return {
        "hidden_sizes": [(8,), (16,), (8, 8)],
        "optimizer": "sgd",
        "learning_rate": log_uniform(1e-2, 1),
        "momentum": uniform(0, 0.9),
        "batch_size": integer(8, 64),
        "epochs": 2,
    }


@pytest.fixture
def sweep(digits, space):
    """A function of space and other arguments."""
    training, validation = digits

    def run(space=space, **others):
        options = {"validation_data": validation, "configurations": 6, "progress": False}
        return tl.sweep(space, *training, **{**options, **others})

    return run


@pytest.fixture
def trained(monkeypatch):
    """The configurations that are really trained, as they are."""
    configs = []
    run = Trial.run

    def noting(trial, advance):
        configs.append(trial.config)
        return run(trial, advance)

    monkeypatch.setattr(Trial, "run", noting)
    return configs


@pytest.fixture
def outcome():
    """A function: all of a result that must not depend on time or threads."""

    def of(result):
        return [(r.number, r.config, r.val_score, r.val_loss, r.score) for r in result.runs]

    return of
