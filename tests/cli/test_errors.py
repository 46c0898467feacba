"""Bad arguments and broken files: one line, status 2, nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cli_runs import assert_one_line_error
from twolayer_ext.cli import main

BAD_ARGUMENTS = {
    "no command": ([], "COMMAND"),
    "unknown command": (["fly"], "fly"),
    "unknown option": (["train", "--speed", "9"], "--speed"),
    "not a number": (["train", "--epochs", "many"], "--epochs"),
    "unknown activation": (["train", "--activation", "swish"], "--activation: 'swish'"),
    "unknown optimizer": (["train", "--optimizer", "lbfgs"], "--optimizer: 'lbfgs'"),
    "unknown recipe": (["train", "--recipe", "cake"], "cake"),
    "unknown init": (["train", "--init", "magic"], "--init: 'magic'"),
    "bad normalisation": (["train", "--normalize", "1,2,3"], "SHIFT,SCALE"),
    "scale of zero": (["train", "--normalize", "1,0"], "--normalize: its scale"),
    "negative rate": (["train", "--learning-rate", "-1"], "--learning-rate: -1"),
    "no units": (["train", "--hidden", "0"], "--hidden-sizes[0]: 0"),
    "no threads": (["train", "--threads", "0"], "--threads: 0"),
    "no rows": (["train", "--limit", "0"], "--limit"),
    "whole fraction": (["train", "--validation-fraction", "1"], "--validation-fraction: 1"),
    "a type in NumPy's grammar": (["train", "--dtype", "1_0"], "--dtype: '1_0'; must be"),
    "weights beyond float32": (["train", "--init", "1e39"], "--init: 1e+39; must be"),
    "more threads than can be": (["train", "--threads", str(10**40)], "--threads: 1"),
    "more units than can be": (["train", "--hidden", str(10**40)], "--hidden-sizes[0]: 1"),
    "no rule of normalisation": (["train", "--normalize", "None"], "--normalize: was 'None'"),
    "two validations": (
        ["train", "--validation-fraction", "0.1", "--validation-data", "digits"],
        "--validation-data",
    ),
    "unknown schedule": (["train", "--schedule", "linear"], "cosine, one-cycle, step"),
    "unknown setting": (["train", "--schedule", "cosine", "heat=1"], "warmup, final"),
    "setting without a number": (["train", "--schedule", "cosine", "warmup"], "KEY=NUMBER"),
    "several numbers": (["train", "--schedule", "cosine", "warmup=0,1"], "KEY=NUMBER"),
    "wrong setting": (["train", "--schedule", "cosine", "warmup=2"], "warmup: 2"),
    "step of nothing": (["train", "--schedule", "step"], "milestones: None"),
    "schedule and decay": (
        ["train", "--schedule", "cosine", "--learning-rate-decay", "0.9"],
        "--learning-rate-decay",
    ),
    "no patience": (["train", "--early-stopping", "0"], "--early-stopping"),
    "too many to average": (["train", "--average-epochs", "99"], "--average-epochs"),
    "unknown loss": (["train", "--loss", "hinge"], "--loss: 'hinge'; must be one of cross_entropy"),
    "unknown parameter": (["train", "--loss", "huber", "size=1"], "huber takes delta=1.0"),
    "wrong parameter": (["train", "--loss", "huber", "delta=-1"], "--loss: delta"),
    "another's parameter": (["train", "--momentum", "0.9"], "--momentum: 0.9 with adamw; only sgd"),
    "labels for numbers": (["train", "--loss", "logistic"], "10 classes with loss 'logistic'"),
    "smoothed numbers": (
        ["train", "--loss", "huber", "--label-smoothing", "0.1"],
        "--label-smoothing: 0.1",
    ),
    "all dropped": (["train", "--dropout", "1"], "--dropout: 1"),
    "unknown weights": (["train", "--class-weight", "even"], "--class-weight: 'even'"),
    "weights that are no numbers": (["train", "--class-weight", "1", "x"], "--class-weight"),
    "images of no shape": (["train", "--augment", "shift=4"], "--augment: without image=CxHxW"),
    "shift beyond the image": (
        ["train", "--augment", "image=1x8x8", "shift=8"],
        "--augment: shift: 8; must be at most 7",
    ),
    "images of another shape": (["train", "--augment", "image=3x8x8"], "192 values"),
    "missing data": (["train", "--data", "nowhere"], "nowhere"),
    "missing npz": (["train", "--data", "nowhere.npz"], "nowhere.npz"),
    "missing archive": (["train", "--data", "nowhere.tar.gz"], "nowhere.tar.gz"),
    "missing idx": (["train", "--data", "a.idx", "b.idx"], "a.idx"),
    "too many paths": (["train", "--data", "a", "b", "c"], "3 paths"),
    "missing network": (["train", "--network", "nowhere.npz"], "nowhere.npz"),
    "folder for a network": (["train", "--network", "."], ".: is not a regular file"),
    "folder for a model": (["predict", ".", "digits"], ".: is not a regular file"),
    "missing model": (["predict", "nowhere.npz", "digits"], "nowhere.npz"),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_bad_arguments_get_one_line_and_status_2(name, capsys):
    arguments, part = BAD_ARGUMENTS[name]
    assert_one_line_error(capsys, main(arguments), part)


def test_bad_output_names(model, blobs, capsys):
    status = main(["predict", str(model), str(blobs), "--out", "p.txt"])
    assert_one_line_error(capsys, status, "p.txt", ".csv")
    status = main(["predict", str(model), str(blobs), "--out", "no/such/folder/p.npy"])
    assert_one_line_error(capsys, status, "no/such/folder")
    status = main(["train", "--data", str(blobs), "--out", str(blobs)])
    assert_one_line_error(capsys, status, "blobs.npz")


def test_broken_files(tmp_path, model, blobs, capsys):
    for path in (model, blobs):
        path.with_name("cut.npz").write_bytes(path.read_bytes()[:200])
    status = main(["predict", str(model.with_name("cut.npz")), str(blobs)])
    assert_one_line_error(capsys, status, "cut.npz")
    status = main(["train", "--data", str(blobs.with_name("cut.npz"))])
    assert_one_line_error(capsys, status, "cut.npz")
    status = main(["predict", str(blobs), str(blobs)])  # data where a network should be
    assert_one_line_error(capsys, status, "blobs.npz")
    (tmp_path / "empty").mkdir()
    status = main(["train", "--data", "empty"])
    assert_one_line_error(capsys, status, "empty")
    Path("notes.txt").write_text("no data")
    status = main(["train", "--data", "notes.txt"])
    assert_one_line_error(capsys, status, "notes.txt", "IDX")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes as POSIX has them")
def test_a_pipe_for_a_network_is_not_waited_for(tmp_path, capsys):
    os.mkfifo("pipe.npz")
    assert_one_line_error(capsys, main(["predict", "pipe.npz", "digits"]), "not a regular file")


def test_data_that_does_not_fit_the_network(model, capsys):
    assert_one_line_error(capsys, main(["predict", str(model), "digits"]), "features")
    np.savez("one.npz", x=np.zeros((4, 5)), y=np.ones(4, int))
    assert_one_line_error(capsys, main(["train", "--data", "one.npz"]), "y of --data: only the")
    np.savez("many.npz", x=np.zeros((3000, 5)), y=np.arange(3000))
    status = main(["train", "--data", "many.npz"])
    assert_one_line_error(capsys, status, "3000 different", "--loss='squared_error'")
    np.savez("nan.npz", x=np.full((4, 5), np.nan), y=np.arange(4) % 2)
    assert_one_line_error(capsys, main(["train", "--data", "nan.npz"]), "nan")
