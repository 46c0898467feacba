"""Types as type checkers see them, and that the names they allow are those that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from twolayer_ext import names
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.losses import LOSSES
from twolayer_ext.network import initializers, normalization
from twolayer_ext.optimizers import OPTIMIZERS
from twolayer_ext.training import DEFAULTS, TrainOptions, option_table

ROOT = Path(__file__).resolve().parents[1]


def test_names_are_those_that_there_are():
    assert get_args(names.ActivationName) == tuple(ACTIVATIONS)
    assert get_args(names.LossName) == tuple(LOSSES)
    assert get_args(names.OptimizerName) == tuple(OPTIMIZERS)
    assert get_args(names.InitName) == initializers.NAMES
    assert set(get_args(names.NormalizeName)) == set(normalization.NAMES)
    assert get_args(names.DtypeName) == tuple(option_table.OPTIONS["dtype"].choices)


def test_options_are_those_of_train():
    assert list(TrainOptions.__annotations__) == list(DEFAULTS)
    assert option_table.OPTIONS.keys() <= DEFAULTS.keys()
    named_elsewhere = {
        "alpha",
        "sample_weight",
        "validation_data",
        "callbacks",
        "network",
        "state",
    }
    assert DEFAULTS.keys() - option_table.OPTIONS.keys() <= named_elsewhere


def test_type_checkers_know_what_comes_back_and_what_is_wrong():
    pytest.importorskip("mypy", reason="mypy is not installed: pip install .[lint]")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "tests/typed_use.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in done.stdout.splitlines() if line.startswith("tests/typed_use.py")]
    assert errors == []
    assert done.returncode in (0, 1), done.stderr  # 1: an error elsewhere; 2: mypy did not run
