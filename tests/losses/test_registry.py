"""Losses by name, as objects, from a command line and from a file; every wrong one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from twolayer_ext import losses
from twolayer_ext.errors import FileFormatError


def function(outputs, targets):
    return outputs[:, 0], outputs


def test_names_in_the_cores_order():
    assert list(losses.LOSSES) == [
        *["cross_entropy", "logistic", "squared_error", "absolute_error"],
        *["huber", "poisson", "quantile"],
    ]
    for name, loss in losses.LOSSES.items():
        assert loss.name == name
        assert losses.make(name) == losses.make(loss) == loss()


def test_make():
    huber = losses.Huber(delta=2)
    assert losses.make(huber) is huber
    assert isinstance(huber.delta, float)
    assert losses.make(function) == losses.CustomLoss(function)
    assert losses.Quantile(np.array([0.25, 0.75])).levels == (0.25, 0.75)
    assert hash(losses.Huber()) == hash(losses.Huber(1.0))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: losses.make("mse"), ValueError, r"loss: 'mse'; must be one of 'cross_entropy'"),
        (lambda: losses.make(3), TypeError, r"loss: 3; must be one of .*or a function"),
        (lambda: losses.make(int), TypeError, r"loss: <class 'int'>; must be one of"),
        (lambda: losses.Huber(0), ValueError, r"delta: 0; must be finite and above 0"),
        (lambda: losses.Huber("1"), TypeError, r"delta: '1'; must be a number"),
        (lambda: losses.Quantile(()), ValueError, r"levels: \(\); must be at least one"),
        (lambda: losses.Quantile((0.5, 0.1)), ValueError, r"levels: .*must be .*ascending"),
        (lambda: losses.Quantile((0.5, 0.5)), ValueError, r"levels: .*no two the same"),
        (lambda: losses.Quantile((0.5, 1)), ValueError, r"levels\[1\]: 1; must be .*below 1"),
        (lambda: losses.Quantile(0.5), TypeError, r"levels: 0.5; must be a sequence"),
        (lambda: losses.CrossEntropy(1), ValueError, r"label_smoothing: 1; must be"),
        (lambda: losses.Logistic(-0.1), ValueError, r"label_smoothing: -0.1; must be"),
        (lambda: losses.CustomLoss(3), TypeError, r"function: 3; must be a function"),
        (lambda: losses.CustomLoss(function, "all"), ValueError, r"takes: 'all'; must be one of"),
        (lambda: losses.CustomLoss(function, width=0), ValueError, r"width: 0; must be at least 1"),
        (
            lambda: losses.CustomLoss(function, "labels", 2),
            ValueError,
            r"width: 2; must be None with labels",
        ),
    ],
)
def test_wrong_losses(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_label_smoothing_of_train():
    assert losses.CrossEntropy().with_label_smoothing(0.1) == losses.CrossEntropy(0.1)
    assert losses.CrossEntropy(0.1).with_label_smoothing(0) == losses.CrossEntropy(0.1)
    assert losses.Logistic(0.1).with_label_smoothing(0.1) == losses.Logistic(0.1)
    assert losses.Logistic(0.1).without_smoothing() == losses.Logistic()
    assert losses.Huber().with_label_smoothing(0) == losses.Huber().without_smoothing()
    with pytest.raises(ValueError, match=r"label_smoothing: 0.2 with loss .*0.1.*given once"):
        losses.Logistic(0.1).with_label_smoothing(0.2)
    with pytest.raises(ValueError, match=r"label_smoothing: 0.2 with loss 'huber'; must be 0"):
        losses.Huber().with_label_smoothing(0.2)


def test_command_line():
    assert losses.parse("huber", ["delta=0.5"]) == losses.Huber(0.5)
    assert losses.parse("quantile", ["levels=0.2,0.8"]) == losses.Quantile((0.2, 0.8))
    assert losses.parse("quantile", ["levels=0.2"]) == losses.Quantile((0.2,))
    assert losses.parse("poisson") == losses.Poisson()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mse",), r"--loss: 'mse'; must be one of cross_entropy, logistic"),
        (("huber", "beta=1"), r"--loss: 'beta=1'; huber takes delta=1.0"),
        (("poisson", "beta=1"), r"--loss: 'beta=1'; poisson takes nothing more"),
        (("huber", "delta=1,2"), r"--loss: 'delta=1,2'; delta must be a number"),
        (("huber", "delta"), r"--loss: 'delta'; delta must be a number"),
        (("quantile", "levels=a"), r"--loss: 'levels=a'; levels must be numbers with commas"),
        (("huber", "delta=-1"), r"--loss: delta: -1.0; must be finite and above 0"),
    ],
)
def test_wrong_command_lines(words, message):
    with pytest.raises(ValueError, match=message):
        losses.parse(words[0], words[1:])


def test_help_follows_the_registry():
    assert losses.help_text() == (
        "cross_entropy [label_smoothing=0.0], logistic [label_smoothing=0.0], squared_error, "
        "absolute_error, huber [delta=1.0], poisson, quantile [levels=0.1,0.5,0.9]"
    )


@pytest.mark.parametrize(
    "loss",
    [*(loss() for loss in losses.LOSSES.values()), losses.Huber(0.5), losses.Quantile((0.3, 0.4))],
    ids=repr,
)
def test_through_a_file(loss):
    assert losses.from_description(json.loads(json.dumps(loss.describe()))) == loss


def test_custom_losses_lose_their_function():
    loss = losses.CustomLoss(function, takes="labels")
    loaded = losses.from_description(json.loads(json.dumps(loss.describe())))
    assert (loaded.name, loaded.takes, loaded.function_name) == ("custom", "labels", "function")
    assert loaded.describe() == loss.describe()
    z = np.zeros((2, 2))
    assert loaded.prediction(z) is z
    with pytest.raises(ValueError, match=r"loss: .*the function 'function', which no file holds"):
        loaded.value_and_gradient(z, np.zeros(2, np.int64))


@pytest.mark.parametrize(
    "description",
    [
        None,
        "huber",
        {},
        {"name": 3},
        {"name": "mse"},
        {"name": "huber", "delta": -1},
        {"name": "huber", "beta": 1},
        {"name": "quantile", "levels": "abc"},
        {"name": "custom"},
        {"name": "custom", "function": 3, "takes": "real", "width": None},
        {"name": "custom", "function": "f", "takes": "all", "width": None},
    ],
)
def test_broken_descriptions(description):
    with pytest.raises(FileFormatError, match="loss: "):
        losses.from_description(description)
