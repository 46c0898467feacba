"""Distributions, the configurations drawn from them, and what is checked before any is run."""

from __future__ import annotations

import math

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.distributions import integer, log_uniform, uniform
from twolayer_ext.streams import Purpose, generator
from twolayer_ext.sweeping.space import draw, key, plain


def test_distributions_fill_their_range_and_nothing_else():
    rng = np.random.default_rng(1)
    numbers = [uniform(-2, 3).draw(rng) for _ in range(2000)]
    assert -2 <= min(numbers) < -1.9
    assert 2.9 < max(numbers) < 3
    numbers = [log_uniform(1e-4, 1).draw(rng) for _ in range(2000)]
    assert 1e-4 <= min(numbers) < 1.1e-4
    assert 0.9 < max(numbers) <= 1
    assert 0.4 < np.mean(np.array(numbers) < 1e-2) < 0.6
    drawn = [integer(3, 6).draw(rng) for _ in range(200)]
    assert set(drawn) == {3, 4, 5, 6}
    assert {type(n) for n in drawn} == {int}


@pytest.mark.parametrize(
    ("make", "low", "high", "error"),
    [
        (uniform, 1, 1, ValueError),
        (uniform, 0, math.inf, ValueError),
        (uniform, "0", 1, TypeError),
        (uniform, -1e308, 1e308, ValueError),
        (log_uniform, 0, 1, ValueError),
        (log_uniform, 2, 1, ValueError),
        (integer, 3, 3, ValueError),
        (integer, 0.5, 3, TypeError),
        (integer, 0, 2**63, ValueError),
    ],
)
def test_bounds_that_make_no_distribution(make, low, high, error):
    with pytest.raises(error, match=r"^(low|high): .*must be"):
        make(low, high)


def test_a_configuration_depends_on_space_seed_and_number_only(space):
    few, many = draw(space, 3, seed=4), draw(space, 9, seed=4)
    assert many[:3] == few
    assert draw(dict(reversed(space.items())), 9, seed=4) == many
    assert draw(space, 9, seed=5) != many
    assert len({str(config) for config in many}) == 9
    assert all(set(config) == set(space) for config in many)
    assert all(config["hidden_sizes"] in space["hidden_sizes"] for config in many)


def test_a_function_as_space(sweep):
    def space(rng):
        optimizer = ["sgd", "adam"][rng.integers(2)]
        own = {"momentum": rng.uniform(0, 0.9)} if optimizer == "sgd" else {}
        rate = rng.uniform(1e-3, 1e-2)
        return {"epochs": 1, "optimizer": optimizer, "learning_rate": rate, **own}

    result = sweep(space)
    configs = {run.number: run.config for run in result.runs}
    assert configs[2] == space(generator(0, Purpose.SWEEP, 2))
    assert {config["optimizer"] for config in configs.values()} == {"sgd", "adam"}
    assert "momentum" in result.table()


def test_a_configuration_drawn_twice_is_run_once(sweep, trained):
    result = sweep({"hidden_sizes": [(4,), (8,)], "epochs": 1}, configurations=20)
    assert len(result.runs) == len(trained) == 2


@pytest.mark.parametrize(
    "config",
    [
        {"class_weight": dict.fromkeys(range(12), 1.0)},  # 2 sorts before 10, but "10" before "2"
        {"class_weight": {np.int64(1): np.float32(2)}, "dropout": np.float64(0.5)},
        {"augment": tl.Augment((1, 5, 8), shift=2), "dropout": (0.5, 0.1)},
        {"sample_weight": np.arange(100.0)},
    ],
)
def test_a_configuration_is_known_again_after_a_file(config):
    assert key(plain(config)) == key(config)


# errors before anything runs


@pytest.mark.parametrize(
    ("others", "error", "message"),
    [
        ({"space": {"learning_rat": 1}}, ValueError, "'learning_rat' is no argument of train"),
        ({"space": {"threads": 2}}, ValueError, "'threads' is not for a sweep"),
        ({"space": {"epochs": []}}, ValueError, "space: no choices for epochs"),
        ({"space": {"hidden_sizes": [64]}}, TypeError, "hidden_sizes: 64; must be a sequence"),
        ({"space": {"momentum": uniform(-1, 0)}}, ValueError, "momentum: -"),
        (
            {"space": {"optimizer": "adam", "momentum": 0.5}},
            ValueError,
            "only sgd and rmsprop have it",
        ),
        ({"space": 3}, TypeError, "space: int; must be a dict or a function"),
        ({"space": lambda rng: 3}, TypeError, "space: the function returned 3"),
        ({"space": lambda rng: {"init": rng}}, TypeError, "init: "),
        ({"configurations": 0}, ValueError, "configurations: 0; must be at least 1"),
        ({"method": "grid"}, ValueError, "method: 'grid'; must be one of"),
        ({"eta": 1}, ValueError, "eta: 1; must be at least 2"),
        ({"seed": -1}, ValueError, "seed: -1"),
        ({"workers": 0}, ValueError, "workers: 0"),
        ({"progress": 1}, TypeError, "progress: 1"),
        ({"validation_data": None}, TypeError, "validation_data: None; must be a pair"),
        ({"validation_data": ([[1.0]], [0])}, ValueError, r"validation_data\[0\]: 1 features"),
        ({"method": "halving"}, ValueError, "method: 'halving' of 6 .* over 2 epochs"),
        (
            {"method": "halving", "space": {"epochs": integer(3, 99)}},
            ValueError,
            "epochs: .* must be one number",
        ),
        (
            {"method": "halving", "space": {"max_steps": 9, "epochs": None}},
            ValueError,
            "max_steps: given with method 'halving'",
        ),
    ],
)
def test_wrong_arguments_are_found_before_anything_runs(
    sweep, trained, tmp_path, others, error, message
):
    with pytest.raises(error, match=message):
        sweep(**others, out=tmp_path / "out")
    assert trained == []
    assert list(tmp_path.iterdir()) == []


def test_the_last_configuration_is_checked_before_the_first_runs(sweep, trained):
    rates = iter([0.1, 0.1, 0.2, 0.3, -1.0])
    with pytest.raises(ValueError, match=r"learning_rate: -1.0; must be .*above 0") as info:
        sweep(lambda rng: {"learning_rate": next(rates)}, configurations=5)
    assert info.value.__notes__ == ["in configuration 4 of the sweep: {'learning_rate': -1.0}"]
    assert trained == []


def test_data_too_large_for_one_of_the_types(sweep, trained, blobs):
    x, y = blobs
    large = np.where(x > 0, 1e300, x)
    space = {"dtype": ["float64", "float32"], "normalize": None}
    for data, validation, name in (
        ((large, y), blobs, "x"),
        (blobs, (large, y), r"validation_data\[0\]"),
    ):
        with pytest.raises(ValueError, match=rf"^{name}: 1e\+300 .* finite in float32"):
            tl.sweep(space, *data, validation_data=validation, progress=False)
    assert trained == []
