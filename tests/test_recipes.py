"""The study's settings are those of its text; train() takes them and the best of today."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

import twolayer_ext as tl

COMMON = {
    "activation": "relu",
    "optimizer": "sgd",
    "learning_rate_decay": 0.95,
    "epochs": None,
    "max_steps": 1000,
    "init": 1e-4,
    "normalize": "center",
}


def test_study_sgd():
    assert tl.recipes.study_sgd() == tl.recipes.study_sgd("tuned") == COMMON | {
        "hidden_sizes": (512,), "learning_rate": 1e-3, "reg": 0.01, "batch_size": 350,
    }  # fmt: skip
    assert tl.recipes.study_sgd("baseline") == COMMON | {
        "hidden_sizes": (50,), "learning_rate": 1e-4, "reg": 0.25, "batch_size": 200,
    }  # fmt: skip
    with pytest.raises(ValueError, match="run: 'best'; must be one of 'tuned', 'baseline'"):
        tl.recipes.study_sgd("best")


def test_study_adam():
    expected = {
        "hidden_sizes": (128, 256),
        "activation": "relu",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "learning_rate_decay": 0.95,
        "weight_decay": 1e-3,
        "batch_size": 200,
        "epochs": 30,
        "init": 1e-3,
        "normalize": (127.5, 127.5),
    }
    assert tl.recipes.study_adam() == expected
    changed = tl.recipes.study_adam((64,), epochs=10, learning_rate=0.01, init="he")
    assert changed == expected | {
        "hidden_sizes": (64,), "epochs": 10, "learning_rate": 0.01, "init": "he",
    }  # fmt: skip


def test_study_cured():
    """Only what its text says differs from the study's own settings."""
    cured = tl.recipes.study_cured()
    dead = tl.recipes.study_adam((256, 128, 64, 64), epochs=10)
    schedule, augment = cured.pop("schedule"), cured.pop("augment")
    assert dead.pop("learning_rate_decay") == 0.95
    assert cured == dead | {"init": "glorot"}
    assert cured["learning_rate"] == 1e-3
    assert [schedule(step, 4) for step in (0, 2)] == pytest.approx([1, 0.5])
    assert augment == tl.Augment((3, 32, 32))
    x = np.random.default_rng(0).integers(0, 256, (60, 3072), dtype=np.uint8)
    result = tl.train(x, np.arange(60) % 10, **{**tl.recipes.study_cured(), "epochs": 2})
    assert result.network.layer_sizes == (3072, 256, 128, 64, 64, 10)


def test_recipes_are_arguments_of_train(backend, pixels):
    x, y = pixels
    for recipe in (tl.recipes.study_sgd(), tl.recipes.study_adam()):
        result = backend.train(x, y, **{**recipe, "epochs": 2, "max_steps": 3})
        assert result.network.layer_sizes == (40, *recipe["hidden_sizes"], 5)
        assert np.isfinite(result.history["step_loss"]).all()
    w, b = backend.Network((40, 512, 5), init=1e-4).parameters[0]
    assert w.std() == pytest.approx(1e-4, rel=0.05)
    assert not b.any()


@pytest.mark.parametrize(
    ("recipe", "left_out"),
    [(tl.recipes.study_sgd, {"init", "normalize"}), (tl.recipes.study_adam, {"init"})],
)
def test_going_on_with_a_recipe_less_what_the_network_decides(pixels, recipe, left_out):
    options = {**recipe(), "progress": False}
    if "max_steps" not in options:
        options["epochs"] = 1
    else:
        options["max_steps"] = 2
    network = tl.train(*pixels, **options).network
    for name in left_out:
        with pytest.raises(ValueError, match=f"^{name}: "):
            tl.train(*pixels, network=network, **{name: options[name]})
    rest = {name: value for name, value in options.items() if name not in left_out}
    assert tl.train(*pixels, network=network, **rest).network is network


def test_best_follows_the_budget():
    """The net is that of the nearest budget, and the epochs are in proportion to the seconds."""
    nets = {seconds: tl.recipes.best(seconds) for seconds in (10, 60, 300)}
    assert len({(net["hidden_sizes"], net["augment"]) for net in nets.values()}) == 3
    for known, seconds in ((10, 1), (10, 24), (60, 25), (60, 134), (300, 135), (300, 3000.0)):
        scaled = tl.recipes.best(seconds)
        assert scaled["hidden_sizes"] == nets[known]["hidden_sizes"]
        assert scaled["epochs"] == pytest.approx(nets[known]["epochs"] * seconds / known, abs=3)
    assert tl.recipes.best(1e-3)["epochs"] == 1


@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (0, ValueError),
        (-5, ValueError),
        (math.nan, ValueError),
        (1e308, ValueError),
        (10**400, ValueError),
        ("60", TypeError),
    ],
)
def test_best_of_no_time(seconds, error):
    with pytest.raises(error, match=r"^seconds: "):
        tl.recipes.best(seconds)


def test_best_computes_in_what_the_cpu_has(monkeypatch):
    epochs = {}
    for kind, dtype in (("native", "bfloat16"), ("emulated", "float32")):
        monkeypatch.setattr("twolayer_ext._core.build_info", lambda kind=kind: {"bfloat16": kind})
        options = tl.recipes.best(300)
        assert options["compute_dtype"] == dtype
        epochs[kind] = options["epochs"]
    assert 1.5 < epochs["native"] / epochs["emulated"] < 2


@pytest.mark.skipif(
    "TWOLAYER_CIFAR10" not in os.environ,
    reason="set TWOLAYER_CIFAR10 to a folder that holds cifar-10-batches-py and -bin",
)
def test_best_of_ten_seconds_on_cifar10():
    train, test = tl.datasets.load_cifar10(os.environ["TWOLAYER_CIFAR10"])
    result = tl.train(train.x, train.y, **tl.recipes.best(10), progress=False)
    assert result.network.evaluate(test.x, test.y)[1] >= 0.58
