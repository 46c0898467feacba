"""`twolayer check`: it passes here, fails when it should, and demands the right figures."""

from __future__ import annotations

import numpy as np
import pytest

from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.cli import main
from twolayer_ext.losses import LOSSES
from twolayer_ext.training import study_check
from twolayer_ext.training.study_check import Finding


def test_check_passes(capsys):
    assert main(["check"]) == 0
    output = capsys.readouterr().out
    assert output.endswith("all checks passed\n")
    assert output.count(" ok\n") == 5 + (1 + 4 * len(ACTIVATIONS) + len(LOSSES)) + 3
    assert "FAILED" not in output


@pytest.mark.parametrize("measured", [2.0, float("nan")])
def test_check_fails_with_status_1(measured, capsys, monkeypatch):
    monkeypatch.setattr(study_check, "thread_check", lambda: [Finding("broken", measured, 1.0)])
    assert main(["check"]) == 1
    output = capsys.readouterr().out
    assert output.count("FAILED") == 2
    assert output.endswith("a check FAILED\n")


def test_every_activation_and_loss_is_checked():
    assert set(study_check.GRADIENT_SEEDS) == set(ACTIVATIONS)
    assert set(study_check.LOSS_SEEDS) == set(LOSSES)


def test_toy_figures_are_those_of_numpy():
    """The figures that the check demands do not come from the kernels it checks."""
    _, x, y = study_check.toy_problem()
    random = np.random.RandomState(0)
    w1, w2 = 0.1 * random.randn(4, 10), 0.1 * random.randn(10, 3)
    logits = np.maximum(x @ w1, 0) @ w2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.abs(probabilities - study_check.TOY_PROBABILITIES).sum() < 1e-7
    loss = -np.log(probabilities[np.arange(5), y]).mean()
    loss += 0.05 * ((w1**2).sum() + (w2**2).sum())
    assert abs(loss - study_check.TOY_LOSS) < 1e-12
