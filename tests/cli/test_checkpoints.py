"""Checkpoints by the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import twolayer_ext as tl
from cli_runs import assert_one_line_error
from twolayer_ext.cli import main


@pytest.fixture
def words():
    """A file of 60 rows of 4 features, y one of three words."""
    random = np.random.default_rng(2)
    x = random.normal(size=(60, 4)).astype(np.float32)
    y = np.array(["ash", "elm", "oak"])[np.digitize(x[:, 0], [-0.5, 0.5])]
    np.savez("words.npz", x=x, y=y)
    return ["--data", "words.npz"]


SETTINGS = [
    "--epochs",
    "4",
    "--hidden",
    "6",
    "--dropout",
    "0.1",
    "--seed",
    "2",
    "--betas",
    ".8",
    ".9",
]


@pytest.mark.parametrize("split", [[], ["--validation-fraction", "0.25"]])
def test_nothing_but_data_has_to_be_given_again(words, split, same_bits):
    begun = [
        "train",
        *words,
        *split,
        *SETTINGS,
        "--checkpoint",
        "a.ckpt",
        "--checkpoint-every",
        "1",
    ]
    assert main([*begun, "--out", "whole"]) == 0
    assert main(["train", *words, "--resume", "a.ckpt.previous", "--out", "again"]) == 0
    assert same_bits(tl.load("whole/network.npz"), tl.load("again/network.npz"))
    assert main([*begun, "--resume", "a.ckpt", "--threads", "2", "--out", "third"]) == 0
    assert same_bits(tl.load("whole/network.npz"), tl.load("third/network.npz"))


def test_errors_are_one_line(words, capsys):
    begun = ["train", *words, *SETTINGS, "--no-save"]
    assert main([*begun, "--checkpoint", "a.ckpt"]) == 0
    capsys.readouterr()
    for arguments, message in (
        (["--resume", "none.ckpt"], "none.ckpt: no such file"),
        (["--resume", "words.npz"], "words.npz: is no safetensors file, or truncated"),
        (["--checkpoint", "none/a.ckpt"], "none/a.ckpt: No such file or directory"),
        (["--checkpoint", "."], "Is a directory"),
        (["--checkpoint-every", "2"], "--checkpoint-every: 2 without checkpoint"),
        (["--checkpoint", "b", "--checkpoint-every", "0"], "--checkpoint-every: 0; must be"),
        (["--resume", "a.ckpt", "--seed", "3"], "--seed: 3, but the checkpoint has 2"),
        (["--resume", "a.ckpt", "--epochs", "5"], "--epochs: 10 steps, but the learning rates"),
        (["--resume", "a.ckpt", "--limit", "50"], "x: float32 of shape [50, 4]; the saved"),
    ):
        assert_one_line_error(capsys, main(["train", *words, "--no-save", *arguments]), message)
    assert not Path("b").exists()
