"""Checkpoints: what a resumed training gives, which options it takes, and what it refuses."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest

import checkpoint_runs
import twolayer_ext as tl
from checkpoint_runs import RUNS, StoppedError, data, digest, end, options, stop_at
from python_targets import run_python, supported_targets
from twolayer_ext.engine import Techniques
from twolayer_ext.files.safetensors import read_safetensors, write_safetensors
from twolayer_ext.training import (
    DEFAULTS,
    checkpoint,
    checkpointing,
    fingerprint,
    fit,
)
from twolayer_ext.training.plan import Data

QUIET = {"progress": False}


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr("twolayer_ext.training.steps._SHORT_CALL", -1)  # a step a call
    monkeypatch.setattr(os, "fsync", lambda number: None)  # no machine fails here
    return tmp_path / "run.ckpt"


# the same bits


@pytest.mark.parametrize("name", RUNS)
def test_resumed_anywhere_it_ends_with_the_same_bits(backend, path, name, monkeypatch):
    """From each checkpoint of a training that writes one before every call of the engine."""
    own = {"dtype": "float64"} if backend is tl.reference else {}
    expected = backend.train(*data(), **options(name, **own))
    write, copies, positions = checkpoint.write, [], set()

    def and_copy(*arguments, **keywords):
        write(*arguments, **keywords)
        copies.append(path.with_name(f"{len(copies)}.ckpt"))
        copies[-1].write_bytes(path.read_bytes())
        positions.add(arguments[4].position)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write", and_copy)
        chosen = options(name, checkpoint=path, checkpoint_seconds=1e-9, **own)
        assert digest(backend.train(*data(), **chosen)) == digest(expected)
    assert {(0, 0), (0, 1), (1, 0), (1, 4), (2, 2), (3, 0)} <= positions
    for copy in copies if backend is tl else copies[1::4]:
        resumed = backend.train(*data(), resume=copy, threads=2, **QUIET)
        assert digest(resumed) == digest(expected), copy


@pytest.mark.parametrize("call", [3, 7])
def test_bfloat16_on_one_instruction_set(path, call):
    own = {"compute_dtype": "bfloat16"}
    expected = tl.train(*data(), **options("adamw", **own))
    assert stop_at("adamw", path, call, **own)
    assert digest(tl.train(*data(), resume=path, threads=3, **QUIET)) == digest(expected)


def test_resumed_by_another_instruction_set_and_number_of_threads(path):
    expected = {name: digest(tl.train(*data(), **options(name))) for name in ("adamw", "rmsprop")}
    for name, expected_digest in expected.items():
        for isa in supported_targets():
            path.unlink(missing_ok=True)
            assert stop_at(name, path, 7)
            script = checkpoint_runs.__file__
            done = run_python(script, "end", name, str(path), "3", isa=isa, timeout=600)
            assert done.stdout.strip() == expected_digest, (name, isa, done.stderr)


def test_resumed_by_the_other_engine(path):
    assert stop_at("adam", path, 7)
    twin = tl.reference.train(*data(), resume=path, **QUIET).network
    for ours, theirs in zip(
        tl.train(*data(), resume=path, **QUIET).network.parameters, twin.parameters, strict=True
    ):
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9, atol=1e-12)


def test_sparse_rows_and_own_losses_and_text_labels(path):
    scipy = pytest.importorskip("scipy.sparse", exc_type=ImportError)
    x, y = data()
    labels = np.array(["ä", "bb", "c", "dddd", "e"])[y]

    def half(outputs, targets):
        gradient = outputs - np.eye(5, dtype=outputs.dtype)[targets]
        return (gradient**2).mean(axis=1), gradient * 2 / 5

    chosen = {
        "x": scipy.csr_array(x), "y": labels, "batch_size": 64, "epochs": 3,
        "loss": tl.losses.CustomLoss(half, takes="labels"), **QUIET,
    }  # fmt: skip
    expected = tl.train(**chosen)
    result = tl.train(**chosen, checkpoint=path, checkpoint_every=1)
    assert digest(result) == digest(expected)
    again = {name: chosen[name] for name in ("x", "y", "loss")}
    with pytest.raises(ValueError, match=r"^loss: .* the function 'half'"):
        tl.train(chosen["x"], labels, resume=path, **QUIET)
    resumed = tl.train(**again, resume=path.with_name("run.ckpt.previous"), **QUIET)
    assert digest(resumed) == digest(expected)
    assert resumed.network.evaluate(chosen["x"], labels) == expected.network.evaluate(
        chosen["x"], labels
    )
    assert list(resumed.network.classes) == list(expected.network.classes)


def test_goes_on_with_a_network_that_was_given(path, same_bits):
    start = tl.train(*data(), hidden_sizes=(9,), epochs=2, **QUIET).network
    more = {"network": start, "learning_rate": 0.01, "epochs": 3, **QUIET}
    kept = start.state()
    expected = tl.train(*data(), **more)
    more["network"] = tl.Network.from_state(kept)
    chosen = {**DEFAULTS, **more, "checkpoint": path, "checkpoint_every": 1}

    def stop(event):
        if event.epoch == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        fit(tl.Network, *data(), {**chosen, "callbacks": (stop,)})
    assert digest(tl.train(*data(), resume=path, **QUIET)) == digest(expected)


@pytest.mark.parametrize("call", [3, 9, 12])
def test_numbers_and_their_r2(backend, path, call):
    """Sums of scores that are no whole numbers."""
    x, y = data()
    chosen = {"epochs": 4, "batch_size": 16, "validation_fraction": 0.2, **QUIET}
    expected = backend.train(x, y + x[:, 0] / 7, **chosen)
    calls = []

    def watch(share):
        calls.append(share)
        if len(calls) == call:
            raise StoppedError

    if backend is tl.reference:
        chosen["dtype"] = "float64"
    chosen |= {"checkpoint": path, "checkpoint_seconds": 1e-9}
    with pytest.raises(StoppedError):
        fit(backend.Network, x, y + x[:, 0] / 7, {**DEFAULTS, **chosen}, watch=watch)
    resumed = backend.train(x, y + x[:, 0] / 7, resume=path, **QUIET)
    assert digest(resumed) == digest(expected)


def test_a_checkpoint_changes_nothing_and_a_finished_run_is_given_back(path):
    for name in RUNS:
        path.unlink(missing_ok=True)
        expected = digest(tl.train(*data(), **options(name)))
        assert end(name, path, checkpoint_every=1) == expected
        assert end(name, path) == expected


def test_it_goes_on_to_write_where_it_came_from(path, tmp_path):
    assert stop_at("sgd", path, 7)
    path.replace(tmp_path / "run.ckpt.previous")
    with pytest.raises(FileNotFoundError, match=r"the checkpoint before it is whole: .*previous$"):
        tl.train(*data(), resume=path, **QUIET)
    tl.train(*data(), resume=tmp_path / "run.ckpt.previous", **QUIET)
    assert checkpoint.read(path).record.steps == 16
    other = tmp_path / "other.ckpt"
    tl.train(*data(), resume=path, checkpoint=other, **QUIET)
    assert checkpoint.read(other).record.steps == 16


# when


def test_every_so_many_epochs(path, monkeypatch):
    written, write = [], checkpoint.write
    monkeypatch.setattr(
        checkpointing.checkpoint,
        "write",
        lambda *a, **k: (written.append(a[4].position), write(*a, **k)),
    )
    tl.train(*data(), **options("sgd", epochs=7, checkpoint=path, checkpoint_every=3))
    assert written == [(3, 0), (6, 0), (7, 0)]


@pytest.mark.parametrize("seconds", [None, 5.0])
def test_every_so_many_seconds(path, monkeypatch, seconds):
    """By a clock that goes on by 0.7 s whenever it is looked at: about once a step."""
    written, write, now = [], checkpoint.write, [0.0]

    def monotonic():
        now[0] += 0.7
        return now[0]

    class Clock:
        pass

    Clock.monotonic = staticmethod(monotonic)
    monkeypatch.setattr(checkpointing, "time", Clock)
    monkeypatch.setattr(
        checkpointing.checkpoint,
        "write",
        lambda *a, **k: (written.append(a[4].position), write(*a, **k)),
    )
    chosen = options("sgd", epochs=50, checkpoint=path, validation_fraction=0.0)
    tl.train(*data(), **{**chosen, "checkpoint_seconds": seconds})
    assert written[-1] == (50, 0)
    steps = [5 * epochs + done for epochs, done in written]
    gaps = set(np.diff(steps[:-1]).tolist())
    assert min(gaps) > 0
    limit = (60 if seconds is None else seconds) / 0.7
    assert limit * 0.7 < max(gaps) <= limit + 1
    assert any(done for _, done in written)  # within epochs


# options


def test_more_epochs(path):
    """A learning rate that does not know how long training is."""
    more = {"learning_rate_decay": 0.9, "early_stopping": 50}
    expected = digest(tl.train(*data(), **options("sgd", epochs=6, **more)))
    tl.train(*data(), **options("sgd", epochs=3, checkpoint=path, **more))
    assert digest(tl.train(*data(), resume=path, epochs=6, **QUIET)) == expected


def test_more_epochs_need_to_be_told_the_learning_rates(path):
    tl.train(*data(), **options("sgd", epochs=3, learning_rate=0.001, checkpoint=path))
    with pytest.raises(ValueError, match=r"^epochs: 24 steps.* laid out for 12; must come with"):
        tl.train(*data(), resume=path, epochs=6, **QUIET)
    result = tl.train(*data(), resume=path, epochs=6, schedule=lambda step, steps: step, **QUIET)
    np.testing.assert_allclose(
        result.history["learning_rate"][3:], 0.001 * np.array([12, 16, 20]), rtol=1e-12
    )
    assert len(result.history["loss"]) == 6


def test_more_patience(path):
    chosen = options("stopped early", learning_rate_decay=1.0)
    short = tl.train(*data(), **{**chosen, "early_stopping": 1}, checkpoint=path)
    assert len(short.history["loss"]) < 12
    expected = digest(tl.train(*data(), **{**chosen, "early_stopping": 4}))
    assert digest(tl.train(*data(), resume=path, early_stopping=4, **QUIET)) == expected


def test_the_same_options_may_be_given_again(path):
    for name in RUNS:
        path.unlink(missing_ok=True)
        assert stop_at(name, path, 7)
        expected = digest(tl.train(*data(), **options(name)))
        assert digest(tl.train(*data(), resume=path, **options(name))) == expected


def test_arrays_may_be_given_again(path):
    x, y = data()
    pair = x.mean(axis=0), x.std(axis=0) + 1
    own = {"normalize": pair, "sample_weight": np.arange(1.0, 151), "hidden_sizes": np.array([5])}
    tl.train(x, y, epochs=2, checkpoint=path, **own, **QUIET)
    tl.train(x, y, resume=path, sample_weight=own["sample_weight"], **QUIET)
    tl.train(x, y, resume=path, **own, **QUIET)
    other = {**own, "normalize": (pair[0] + 1, pair[1])}
    with pytest.raises(ValueError, match=r"(?s)^normalize: .*leave normalize out$"):
        tl.train(x, y, resume=path, **other, **QUIET)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_sizes", (33, 8)),
        ("activation", "tanh"),
        ("loss", "squared_error"),
        ("optimizer", "adam"),
        ("optimizer", tl.optimizers.Sgd(momentum=0.9)),
        ("learning_rate", 0.02),
        ("momentum", 0.8),
        ("reg", 0.5),
        ("clip_norm", 1.0),
        ("dropout", 0.1),
        ("batch_norm", True),
        ("label_smoothing", 0.1),
        ("class_weight", "balanced"),
        ("class_weight", {0: 3.0}),
        ("augment", tl.Augment((1, 5, 8))),
        ("batch_size", 31),
        ("init", "glorot"),
        ("normalize", None),
        ("validation_fraction", 0.3),
        ("average_epochs", 1),
        ("shuffle", False),
        ("dtype", "float64"),
        ("compute_dtype", "bfloat16"),
        ("seed", 4),
        ("seed", object()),
    ],
)
def test_other_options_than_the_checkpoints(path, name, value):
    tl.train(*data(), **options("sgd", epochs=1, checkpoint=path))
    with pytest.raises(ValueError, match=f"^{name}: .*but the checkpoint has .*; leave {name} out"):
        tl.train(*data(), resume=path, **QUIET, **{name: value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 1}, "^epochs: 4 steps, but the checkpoint has done 12; must be more"),
        ({"max_steps": 3}, "^max_steps: 3 steps, but the checkpoint has done 12"),
        ({"schedule": lambda step, steps: 1.0}, "^schedule, learning_rate_decay: differ"),
        ({"learning_rate_decay": 0.5}, "^schedule, learning_rate_decay: differ"),
        ({"early_stopping": 3}, "^early_stopping: 3, the checkpoint has none"),
        ({"network": tl.Network((40, 33, 7, 5))}, "^network: together with resume"),
        ({"state": {}}, "^state: together with resume"),
    ],
)
def test_options_that_do_not_go_on(path, given, message):
    tl.train(*data(), **options("sgd", epochs=3, checkpoint=path))
    with pytest.raises(ValueError, match=message):
        tl.train(*data(), resume=path, **{**QUIET, **given})


def test_another_schedule(path):
    assert stop_at("rmsprop", path, 7)
    with pytest.raises(ValueError, match=r"^schedule: differs from the checkpoint's; leave"):
        tl.train(*data(), resume=path, schedule=lambda step, steps: 1 / (2 + step), **QUIET)


@pytest.mark.parametrize("name", ["x", "one row", "y", "sample_weight", "validation"])
def test_other_data(path, name):
    x, y = data()
    more = {"validation_data": (x[:20], y[:20]), "sample_weight": np.ones(150), **QUIET}
    tl.train(x, y, epochs=2, checkpoint=path, **more)
    if name == "x":
        x, what = x[:, ::-1], "^x: uint8 of shape .* has other values"
    elif name == "one row":
        x, y, what = x[1:], y[1:], r"^x: uint8 of shape \[149, 40\]; .* shape \[150, 40\]"
        more["sample_weight"] = np.ones(149)
    elif name == "y":
        y, what = np.roll(y, 1), "^y: int64 .* has other values"
    elif name == "sample_weight":
        del more["sample_weight"]
        what = "^weights of the rows: not given; must be given again"
    else:
        more["validation_data"], what = (x[:20], y[1:21]), r"^validation_data\[1\]: "
    with pytest.raises(ValueError, match=what):
        tl.train(x, y, resume=path, **more)


def test_large_data_are_looked_at_here_and_there(monkeypatch):
    """A memory map larger than memory is not read for its checksum, its last row is."""
    x = np.lib.stride_tricks.as_strided(np.zeros(3072, np.uint8), (2**21, 3072), (0, 1))
    rows = np.unique(np.linspace(0, len(x) - 1, 1365).astype(int))
    assert rows[-1] == len(x) - 1
    y = np.zeros(len(x), np.int64)
    seen, take = [], fingerprint.take
    monkeypatch.setattr(fingerprint, "take", lambda x, n: (seen.append(n), take(x, n))[1])
    told = fingerprint.fingerprint(Data(x, y, y, None))
    assert told["x"]["shape"] == [2**21, 3072]
    np.testing.assert_array_equal(seen, [rows])


# misuse


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"checkpoint": 3}, TypeError, "^checkpoint: 3; must be a path"),
        ({"checkpoint": b"a"}, TypeError, "^checkpoint: b'a'; must be a path"),
        ({"checkpoint": ""}, ValueError, "^checkpoint: ''; must be the name of a file"),
        ({"checkpoint": "a\0b"}, ValueError, "^checkpoint: .* must be the name of a file"),
        ({"checkpoint": "{folder}"}, IsADirectoryError, "Is a directory"),
        ({"checkpoint": "{folder}/none/a"}, FileNotFoundError, "No such file or directory"),
        ({"checkpoint": "/dev/null"}, OSError, "Not a regular file"),
        ({"checkpoint": "{folder}/" + "a" * 250}, OSError, "File name too long"),
        ({"checkpoint_every": 2}, ValueError, "^checkpoint_every: 2 without checkpoint"),
        ({"checkpoint_seconds": 2}, ValueError, r"^checkpoint_seconds: 2\.0 without checkpoint"),
        ({"checkpoint": "{folder}/a", "checkpoint_every": 0}, ValueError, "^checkpoint_every: 0"),
        ({"checkpoint": "{folder}/a", "checkpoint_every": 1.5}, TypeError, "^checkpoint_every"),
        ({"checkpoint": "{folder}/a", "checkpoint_seconds": 0}, ValueError, "^checkpoint_seconds"),
        ({"checkpoint": "{folder}/a", "checkpoint_seconds": "x"}, TypeError, "^checkpoint_sec"),
        ({"resume": 3}, TypeError, "^resume: 3; must be a path"),
        ({"resume": "{folder}/none"}, FileNotFoundError, "none: no such file"),
        ({"resume": "{folder}"}, tl.FileFormatError, "not a regular file"),
    ],
)
def test_misuse_is_found_before_anything_is_computed(tmp_path, monkeypatch, given, error, message):
    given = {
        name: value.format(folder=tmp_path) if isinstance(value, str) else value
        for name, value in given.items()
    }

    def computes(*arguments, **options):
        raise AssertionError("a trainer was made")

    monkeypatch.setattr(type(tl.Network.engine), "trainer", computes)
    with pytest.raises(error, match=message):
        tl.train(*data(), **QUIET, **given)
    assert not list(tmp_path.iterdir())


# damaged files


def test_a_damaged_checkpoint_is_named_and_the_one_before_offered(path):
    tl.train(*data(), **options("sgd", checkpoint=path, checkpoint_every=1))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    previous = path.with_name("run.ckpt.previous")
    with pytest.raises(
        tl.FileFormatError, match=r"run.ckpt: .*checksum.* before it is whole: .*run.ckpt.previous$"
    ):
        tl.train(*data(), resume=path, **QUIET)
    resumed = tl.train(*data(), resume=previous, **QUIET)
    assert digest(resumed) == digest(tl.train(*data(), **options("sgd")))
    previous.write_bytes(content)
    path.write_bytes(content)
    with pytest.raises(tl.FileFormatError, match=r"run.ckpt.previous is damaged, too$"):
        tl.train(*data(), resume=path, **QUIET)


def test_a_damaged_checkpoint_does_not_take_the_place_of_the_one_before(path, monkeypatch):
    tl.train(*data(), **options("sgd", checkpoint=path, checkpoint_every=1))
    previous = path.with_name("run.ckpt.previous")
    before = previous.read_bytes()
    path.write_bytes(b"damaged")
    tl.train(*data(), **options("sgd", epochs=1, checkpoint=path))
    assert checkpoint.whole(path)
    assert previous.read_bytes() == before


REWRITTEN = {
    "another format": (lambda a, m: m.update(format="other"), "its format"),
    "no format": (lambda a, m: m.pop("format"), "its format"),
    "options that are a list": (lambda a, m: m.update(options="[]"), "options are no JSON"),
    "progress without end": (lambda a, m: m.update(progress="[" * 10**5), "progress are no JSON"),
    "no progress": (lambda a, m: m.pop("progress"), "progress are no JSON"),
    "no network": (lambda a, m: a.pop("network.W1"), "W1 is missing"),
    "no text": (lambda a, m: m.update(text="{}"), "format"),
    "text of another kind": (
        lambda a, m: m.update(text=m["text"].replace('"U"', '"O"')),
        "is no text",
    ),
    "no characters": (lambda a, m: a["network.task"].fill(0xD800), "not Unicode"),
    "no powers": (lambda a, m: a.pop("trainer.powers"), "trainer.powers is missing"),
    "steps that are many": (
        lambda a, m: a.update({"trainer.steps": np.zeros(2, np.int64)}),
        "trainer.steps",
    ),
    "negative steps": (lambda a, m: a.update({"trainer.steps": np.array(-1)}), "steps"),
    "an optimizer's state missing": (lambda a, m: a.pop("trainer.W1.momentum"), "momentum"),
    "one of another shape": (
        lambda a, m: a.update({"trainer.W1.momentum": np.zeros(3, np.float32)}),
        "momentum",
    ),
    "one too many": (lambda a, m: a.update({"trainer.W9.momentum": np.zeros(3)}), "W9"),
    "no history": (lambda a, m: a.pop("closed.rows"), "closed.rows is missing"),
    "more rows than epochs": (
        lambda a, m: a.update({"closed.rows": np.zeros((99, 6))}),
        "closed.rows",
    ),
    "epochs of no steps": (lambda a, m: a["closed.steps"].fill(0), "closed epochs"),
    "epochs of 2**62 steps": (lambda a, m: a["closed.steps"].fill(2**62), "closed epochs"),
    "negative samples": (
        lambda a, m: m.update(progress=m["progress"].replace('"samples": ', '"samples": -')),
        "samples",
    ),
    "samples that are true": (
        lambda a, m: m.update(progress='{"total": 1, "samples": true}'),
        "samples",
    ),
    "an option of no name": (
        lambda a, m: m.update(options='{"evil": 1}'),
        "an option 'evil'",
    ),
    "an optimizer that is a list": (
        lambda a, m: m.update(options='{"optimizer": {"name": [1]}}'),
        "optimizer",
    ),
    "an optimizer out of its range": (
        lambda a, m: m.update(options='{"optimizer": {"name": "sgd", "momentum": 3}}'),
        "momentum: 3",
    ),
    "a schedule without factors": (
        lambda a, m: m.update(options='{"schedule": "given"}'),
        "schedule's factors",
    ),
    "a schedule of other length": (
        lambda a, m: a.update(factors=np.ones(3)),
        "factors has the shape",
    ),
    "negative factors": (
        lambda a, m: (a.update(factors=-np.ones(16)), m.update(options='{"schedule": "given"}')),
        "schedule's factors",
    ),
    "a part longer than an epoch": (
        lambda a, m: a.update({"epoch.step_loss": np.zeros(5), "epoch.step_scores": np.zeros(5)}),
        "longer than an epoch",
    ),
}


@pytest.mark.parametrize("case", REWRITTEN)
def test_hostile_checkpoints(path, case):
    """Whole by their checksum, and wrong by what they hold."""
    change, message = REWRITTEN[case]
    assert stop_at("sgd", path, 8)  # in the middle of an epoch
    path.with_name("run.ckpt.previous").unlink()
    arrays, metadata = read_safetensors(path)
    change(arrays, metadata)
    write_safetensors(path, arrays, metadata)
    with pytest.raises(tl.FileFormatError, match=message):
        tl.train(*data(), resume=path, **QUIET)


def test_the_file_is_as_it_is_described(path):
    assert stop_at("averaged", path, 9)
    arrays, metadata = read_safetensors(path, checksum_needed=True)
    assert metadata["format"] == checkpoint.FORMAT
    assert json.loads(metadata["options"])["max_steps"] == 14
    assert {name.split(".")[0] for name in arrays} <= {
        "network", "trainer", "closed", "epoch", "best", "sum", "factors",
    }  # fmt: skip
    assert {"trainer.W1", "trainer.running_mean1", "trainer.gamma2"} <= arrays.keys()


# a network and its state


@pytest.mark.parametrize("more", [{}, {"batch_norm": True, "dropout": 0.1}])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lion", "rmsprop"])
def test_a_network_and_its_state_go_on(backend, same_bits, optimizer, more):
    chosen = {
        "hidden_sizes": (9,), "optimizer": optimizer, "learning_rate_decay": 1.0,
        "learning_rate": 1e-3, **more, **QUIET,
    }  # fmt: skip
    if optimizer == "sgd":
        chosen["momentum"] = 0.9
    expected = backend.train(*data(), epochs=5, **chosen)
    first = backend.train(*data(), epochs=2, **chosen)
    second = backend.train(*data(), network=first.network, state=first.state, epochs=2, **chosen)
    third = backend.train(*data(), network=second.network, state=second.state, epochs=1, **chosen)
    assert same_bits(third.network, expected.network)
    assert third.state["epochs"] == 5
    assert (
        first.history["step_loss"] + second.history["step_loss"]
        == (expected.history["step_loss"][: -len(third.history["step_loss"])])
    )


def test_state_survives_a_pickle(same_bits):
    chosen = {"optimizer": "adam", "learning_rate_decay": 1.0, **QUIET}
    expected = tl.train(*data(), hidden_sizes=(9,), epochs=3, **chosen)
    first = tl.train(*data(), hidden_sizes=(9,), epochs=1, **chosen)
    back = pickle.loads(pickle.dumps(first))
    again = tl.train(*data(), network=back.network, state=back.state, epochs=2, **chosen)
    assert same_bits(again.network, expected.network)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: {}, ValueError, "^state: no 'epochs'"),
        (lambda s: 3, TypeError, "^state: 3; must be the state of a TrainResult"),
        (lambda s: {**s, "epochs": -1}, ValueError, r"^state\['epochs'\]: -1"),
        (lambda s: {**s, "steps": 1.5}, TypeError, r"^state\['steps'\]: 1.5"),
        (lambda s: {**s, "W1.momentum": s["b1.momentum"]}, ValueError, r"^state\['W1.momentum'\]"),
        (lambda s: {**s, "more": 1}, ValueError, "^state: holds 'more'"),
        (lambda s: {**s, "gamma1": None}, ValueError, "^state: 'gamma1'"),
        (
            lambda s: {**s, "running_mean1": np.zeros(3)},
            ValueError,
            r"^state: 'running_mean1'; must be \(9,\) of float32",
        ),
    ],
)
def test_another_state(same_bits, change, error, message):
    chosen = {"optimizer": "sgd", "momentum": 0.5, "batch_norm": True, "epochs": 1, **QUIET}
    result = tl.train(*data(), hidden_sizes=(9,), **chosen)
    before = tl.Network.from_state(result.network.state())
    with pytest.raises(error, match=message):
        tl.train(*data(), network=result.network, state=change(result.state), **chosen)
    assert same_bits(result.network, before)


def test_state_without_network():
    with pytest.raises(ValueError, match=r"^state: without network"):
        tl.train(*data(), state={"epochs": 1}, **QUIET)


@pytest.mark.parametrize("name", ["W2", "gamma1", "running_mean1", "running_variance1", "steps"])
@pytest.mark.parametrize("wrong", ["missing", "shape"])
def test_an_engine_takes_all_of_a_state_or_nothing(backend, name, wrong):
    network = backend.Network((6, 8, 3), dtype="float32")
    trainers = [
        network.engine.trainer(
            network.core,
            optimizer=tl.optimizers.Sgd(momentum=0.5),
            loss=network.engine.loss(network.loss, 3, None),
            techniques=Techniques(batch_norm=True),
            reg=0.0,
            batch_size=8,
            threads=1,
            compute_dtype=None,
        )
        for _ in range(2)
    ]
    x, y = np.random.default_rng(1).normal(size=(8, 6)).astype("f4"), np.arange(8) % 3
    trainers[0].run(x, y, np.arange(8), np.ones(1), np.zeros(1))
    state, before = trainers[0].state(), trainers[1].state()
    assert {"W1", "b2", "gamma1", "running_mean1", "running_variance1"} <= state.keys()
    assert any(not np.array_equal(state[key], before[key]) for key in ("gamma1", "running_mean1"))
    damaged = dict(state)
    del damaged[name]
    if wrong == "shape":
        damaged[name] = np.zeros(3, np.float32) if name != "steps" else -1
    with pytest.raises((ValueError, RuntimeError)):
        trainers[1].set_state(damaged)
    for key, value in trainers[1].state().items():
        np.testing.assert_array_equal(value, before[key])
    trainers[1].set_state(state)
    for key, value in trainers[1].state().items():
        np.testing.assert_array_equal(value, state[key])
