"""train(): protocol, history, stopping, continuing, and every wrong argument."""

from __future__ import annotations

import copy
import math
import time
import tracemalloc

import numpy as np
import pytest

import twolayer_ext as tl
from interrupts import CtrlC
from recorder import Recorder
from twolayer_ext.streams import Purpose, generator

EPOCH_KEYS = ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]
QUICK = {
    "hidden_sizes": (8,),
    "optimizer": "sgd",
    "batch_size": 16,
    "learning_rate": 0.1,
    "progress": False,
}


# the protocol


def test_learns(backend, blobs):
    result = backend.train(*blobs, **QUICK, epochs=30)
    assert isinstance(result.network, backend.Network)
    assert result.network.evaluate(*blobs)[1] > 0.95
    assert result.history["loss"][-1] < 0.5 * result.history["loss"][0]
    expected = "float64" if backend is tl.reference else "float32"
    assert result.network.dtype == expected


def test_defaults(backend, blobs, same_bits):
    """Said in full they give the same bits."""
    result = backend.train(*blobs, epochs=2)
    assert result.network.layer_sizes == (6, 512, 3)
    said = {
        "hidden_sizes": (512,),
        "activation": "relu",
        "loss": "cross_entropy",
        "optimizer": "adamw",
        "weight_decay": 3.0,  # of so few rows
        "learning_rate": 1e-3,
        "schedule": tl.schedules.cosine(),
        "batch_size": 32,
        "init": "he",
        "normalize": "standard",
    }
    assert same_bits(result.network, backend.train(*blobs, **said, epochs=2).network)
    np.testing.assert_allclose(result.network.shift, blobs[0].mean(axis=0))
    np.testing.assert_allclose(result.network.scale, blobs[0].std(axis=0))


def test_history(backend, blobs):
    x, y = blobs
    result = backend.train(x, y, **QUICK, epochs=4, learning_rate_decay=0.5, validation_data=(x, y))
    history = result.history
    assert list(history) == [*EPOCH_KEYS, "step_loss"]
    assert all(len(history[key]) == 4 for key in EPOCH_KEYS)
    assert all(isinstance(v, float) for values in history.values() for v in values)
    assert history["learning_rate"] == [0.1, 0.05, 0.025, 0.0125]
    assert len(history["step_loss"]) == 4 * 6  # 90 rows: five batches of 16 and one of 10
    weights = [16, 16, 16, 16, 16, 10]
    for epoch in range(4):
        steps = history["step_loss"][6 * epoch : 6 * epoch + 6]
        assert history["loss"][epoch] == pytest.approx(np.average(steps, weights=weights))
        assert 0 <= history["accuracy"][epoch] <= 1
        assert history["seconds"][epoch] > 0
    loss, accuracy = result.network.evaluate(x, y)
    assert (history["val_loss"][-1], history["val_accuracy"][-1]) == (loss, accuracy)


def test_without_validation_data_its_entries_are_nan(backend, blobs):
    history = backend.train(*blobs, **QUICK, epochs=2).history
    assert all(math.isnan(v) for key in ("val_loss", "val_accuracy") for v in history[key])


def test_every_step_is_form_4_on_its_batch_before_the_update(backend, blobs, same_bits):
    """The whole protocol once more, in a few lines, with the public pieces."""
    x, y = blobs
    options = {"dtype": "float64", "seed": 11, "normalize": (0.1, 2), "init": "lecun"}
    result = backend.train(x, y, **QUICK, **options, epochs=3, reg=0.01, learning_rate_decay=0.5)
    net = backend.Network((6, 8, 3), **options)
    losses, correct, rate = [], [], 0.1
    for epoch in range(3):
        order = generator(11, Purpose.SHUFFLE, epoch).permutation(90)
        for start in range(0, 90, 16):
            rows = order[start : start + 16]
            correct.append((net.predict(x[rows]) == y[rows]).sum())
            loss, gradients = net.loss_and_gradients(x[rows], y[rows], reg=0.01)
            losses.append(loss)
            net.set_parameters(
                [
                    (w - rate * dw, b - rate * db)
                    for (w, b), (dw, db) in zip(net.parameters, gradients, strict=True)
                ]
            )
        rate *= 0.5
    # The compiled core updates with one fused operation where this loop rounds twice, each step.
    bound = 18 * 90 * np.finfo(float).eps
    np.testing.assert_allclose(result.history["step_loss"], losses, rtol=bound)
    for pairs in zip(result.network.parameters, net.parameters, strict=True):
        for a, b in zip(*pairs, strict=True):
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound)
    np.testing.assert_allclose(
        result.history["accuracy"], np.reshape(correct, (3, 6)).sum(axis=1) / 90
    )


def test_every_row_once_an_epoch_in_another_order(backend, blobs, monkeypatch):
    seen = []

    class Seeing(Recorder):
        def run(self, x, targets, rows, *others):
            seen.extend(rows.tolist())
            return super().run(x, targets, rows, *others)

    Seeing.take_the_place(backend, monkeypatch)
    backend.train(*blobs, **QUICK, epochs=3)
    orders = [tuple(seen[i : i + 90]) for i in (0, 90, 180)]
    assert all(sorted(order) == list(range(90)) for order in orders)
    assert len(set(orders)) == 3
    seen.clear()
    backend.train(*blobs, **QUICK, epochs=2, shuffle=False)
    assert seen == 2 * list(range(90))
    seen.clear()
    backend.train(*blobs, **QUICK, epochs=2, validation_fraction=0.3)
    assert len(seen) == 2 * 63
    assert sorted(seen[:63]) == sorted(seen[63:])
    assert len(set(seen)) == 63


def test_seed_decides(backend, blobs, same_bits):
    nets = [backend.train(*blobs, **QUICK, epochs=2, seed=s).network for s in (3, 3, 4)]
    assert same_bits(nets[0], nets[1])
    assert not same_bits(nets[0], nets[2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "optimizer",
    [
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
        {"optimizer": "adam", "weight_decay": 1e-3},
        {"optimizer": "adamw", "weight_decay": 1e-3},
    ],
    ids=["sgd", "nesterov", "adam", "adamw"],
)
def test_threads_do_not_change_a_bit(pixels, same_bits, optimizer, dtype):
    x, y = pixels
    results = [
        tl.train(
            x, y, hidden_sizes=(150, 33), batch_size=65, max_steps=30, reg=1e-4,
            learning_rate=1e-3, dtype=dtype, threads=threads, validation_fraction=0.2, **optimizer,
        )
        for threads in (1, 2, 3, 4)
    ]  # fmt: skip
    for result in results[1:]:
        assert same_bits(result.network, results[0].network)
        for key in ("loss", "accuracy", "val_loss", "val_accuracy", "step_loss"):
            assert result.history[key] == results[0].history[key]


def test_number_of_batches_a_call_does_not_change_a_bit(backend, pixels, same_bits, monkeypatch):
    results = []
    for short, long in ((1e9, 1e9), (-1, 0)):  # ever more batches; one at a time
        monkeypatch.setattr("twolayer_ext.training.steps._SHORT_CALL", short)
        monkeypatch.setattr("twolayer_ext.training.steps._LONG_CALL", long)
        results.append(
            backend.train(
                *pixels, **{**QUICK, "optimizer": "adam"}, epochs=4, dtype="float32", threads=1
            )
        )
    assert same_bits(results[0].network, results[1].network)
    assert results[0].history["step_loss"] == results[1].history["step_loss"]
    assert results[0].history["accuracy"] == results[1].history["accuracy"]


# how long


@pytest.mark.parametrize(
    ("epochs", "max_steps", "steps", "entries"),
    [
        (2, None, 12, 2),
        (None, 7, 7, 2),
        (None, 12, 12, 2),
        (3, 7, 7, 2),
        (1, 7, 6, 1),
        (9, 1, 1, 1),
    ],
)
def test_epochs_and_max_steps(backend, blobs, epochs, max_steps, steps, entries):
    history = backend.train(*blobs, **QUICK, epochs=epochs, max_steps=max_steps).history
    assert len(history["step_loss"]) == steps
    assert all(len(history[key]) == entries for key in EPOCH_KEYS)


def test_epoch_cut_short_still_has_its_validation(backend, blobs):
    history = backend.train(*blobs, **QUICK, max_steps=2, validation_fraction=0.2).history
    assert len(history["val_loss"]) == 1
    assert math.isfinite(history["val_loss"][0])
    assert history["loss"][0] == pytest.approx(np.mean(history["step_loss"]))


def test_callbacks_are_told_and_can_stop(backend, blobs):
    events = []

    def second(event):
        events.append((event.epoch, event.steps, len(event.history["loss"]), event.network))
        return event.epoch == 3

    first = []
    callbacks = iter([lambda event: first.append(event.epoch) or "no reason to stop", second])
    result = backend.train(*blobs, **QUICK, epochs=10, callbacks=callbacks)
    assert first == [1, 2, 3]
    assert [event[:3] for event in events] == [(1, 6, 1), (2, 12, 2), (3, 18, 3)]
    assert all(event[3] is result.network for event in events)
    assert len(result.history["loss"]) == 3


def test_error_in_a_callback_comes_through(backend, blobs):
    def broken(event):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        backend.train(*blobs, **QUICK, callbacks=(broken,))


def test_interrupt_in_a_callback(backend, blobs):
    def interrupt(event):
        if event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(tl.TrainingInterrupted) as info:
        backend.train(*blobs, **QUICK, callbacks=(interrupt,))
    result = info.value.result
    assert isinstance(info.value, KeyboardInterrupt)
    assert all(len(result.history[key]) == 2 for key in EPOCH_KEYS)
    assert len(result.history["step_loss"]) == 12
    assert 0 <= result.network.evaluate(*blobs)[1] <= 1


@pytest.mark.parametrize("own_loss", [False, True])
def test_steps_of_an_interrupted_call_count(backend, blobs, monkeypatch, own_loss):
    """They were done, though the call did not come to say so."""

    class Interrupted(Recorder):
        def run(self, *arguments):
            done = super().run(*arguments)
            if self.calls == 2:
                raise KeyboardInterrupt
            return done

        def begin(self, *arguments):
            self.calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return self.trainer.begin(*arguments)

        def finish(self, *arguments):
            return self.trainer.finish(*arguments)

    x, y = blobs
    options = {**QUICK, "learning_rate_decay": 1.0}
    if own_loss:
        y = y.astype("float32")
        options["loss"] = squared
    with monkeypatch.context() as patch:
        Interrupted.take_the_place(backend, patch)
        with pytest.raises(tl.TrainingInterrupted) as info:
            backend.train(x, y, **options)
    history = info.value.result.history
    steps = len(history["step_loss"])
    assert 2 <= steps <= 3
    expected = backend.train(x, y, **options, max_steps=steps).history
    for key in ("loss", "r2" if own_loss else "accuracy"):
        assert history[key] == expected[key]


def squared(outputs, targets):
    """A loss as a user writes it, known by its R²."""
    difference = outputs - targets
    return (difference**2).mean(axis=1), 2 * difference / difference.shape[1]


@pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="no clock of a thread's CPU time here"
)
def test_interrupt_is_honoured_within_100_ms(backend, monkeypatch):
    # Without vector instructions a multiply-add is emulated, some hundred times slower.
    hidden = 8 if backend is tl and tl.build_info()["isa"] == "portable" else 128
    x = np.broadcast_to(np.arange(784, dtype=np.uint8), (200_000, 784))
    y = np.arange(200_000) % 10
    delays = []
    for _ in range(3):
        ctrl_c = CtrlC()

        class Sending(Recorder):
            def run(self, *arguments, ctrl_c=ctrl_c):
                if not self.calls:
                    ctrl_c.send_after(0.3)
                return super().run(*arguments)

        with monkeypatch.context() as patch:
            Sending.take_the_place(backend, patch)
            with pytest.raises(tl.TrainingInterrupted) as info:
                backend.train(
                    x,
                    y,
                    hidden_sizes=(hidden,),
                    normalize=(127.5, 127.5),
                    learning_rate=1e-4,
                    learning_rate_decay=1.0,
                    batch_size=128,
                    epochs=1000,
                )
        delays.append(ctrl_c.worked_on())
        history = info.value.result.history
        assert len({len(history[key]) for key in EPOCH_KEYS}) == 1
        assert history["step_loss"]
        assert np.isfinite(history["step_loss"]).all()
        assert np.isfinite(history["accuracy"]).all()
        assert all(np.isfinite(w).all() for w, _ in info.value.result.network.parameters)
    assert min(delays) < 0.1


def test_divergence(backend, blobs):
    with pytest.raises(tl.DivergenceError) as info:
        backend.train(*blobs, **{**QUICK, "learning_rate": 1e12}, epochs=50, reg=0.1)
    history = info.value.result.history
    steps = len(history["step_loss"])
    assert np.isfinite(history["step_loss"][:-1]).all()
    assert not math.isfinite(history["step_loss"][-1])
    assert all(len(history[key]) == -(-steps // 6) for key in EPOCH_KEYS)
    message = str(info.value)
    assert f"at step {steps} (epoch {-(-steps // 6)}, learning_rate" in message
    assert "smaller learning_rate" in message
    assert isinstance(info.value, ArithmeticError)
    assert info.value.result.network.layer_sizes == (6, 8, 3)


# the data


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
def test_validation_fraction(backend, pixels, fraction):
    x, y = pixels
    result = backend.train(
        x, y, **QUICK, epochs=1, validation_fraction=fraction, normalize="center", seed=5
    )
    held_out = round(150 * fraction)
    order = generator(5, Purpose.SPLIT).permutation(150)
    validation, training = order[:held_out], order[held_out:]
    assert len(result.history["step_loss"]) == -(-len(training) // 16)
    np.testing.assert_allclose(result.network.shift, x[training].mean(axis=0))
    # Other blocks of rows are another order of summation in NumPy's mean.
    bound = 150 * np.finfo(result.network.dtype).eps
    loss, accuracy = result.network.evaluate(x[validation], y[validation])
    assert result.history["val_loss"][0] == pytest.approx(loss, rel=float(bound))
    assert result.history["val_accuracy"][0] == accuracy


@pytest.mark.parametrize("normalize", [None, "center", "standard", (3.0, 2.0)])
def test_normalize_becomes_part_of_the_network(backend, blobs, normalize):
    x, y = blobs
    net = backend.train(x, y, **QUICK, epochs=1, normalize=normalize).network
    shift = {None: np.zeros(6), (3.0, 2.0): np.full(6, 3.0)}.get(normalize, x.mean(axis=0))
    scale = {"standard": x.std(axis=0), (3.0, 2.0): np.full(6, 2.0)}.get(normalize, np.ones(6))
    np.testing.assert_allclose(net.shift, shift, rtol=1e-13)
    np.testing.assert_allclose(net.scale, scale, rtol=1e-13)
    plain = backend.Network(net.layer_sizes, dtype=net.dtype)
    plain.set_parameters(net.parameters)
    ready = ((x.astype(net.dtype) - shift) / scale).astype(net.dtype)
    bound = 100 * np.finfo(net.dtype).eps
    np.testing.assert_allclose(net.predict_proba(x), plain.predict_proba(ready), atol=bound)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: np.ascontiguousarray(x[::-1])[::-1],
        lambda x: x.astype("int16"),
        lambda x: x.astype(">f8"),
        lambda x: x.astype("float64"),
    ],
)
def test_layout_and_type_of_the_data_do_not_matter(backend, pixels, same_bits, view):
    x, y = pixels  # normalised without any rounding
    expected = backend.train(x, y, **QUICK, epochs=2, normalize=(100, 64)).network
    given, labels = view(x), y.astype(">u2")
    given.setflags(write=False)
    labels.setflags(write=False)
    other = backend.train(given, labels, **QUICK, epochs=2, normalize=(100, 64)).network
    assert same_bits(other, expected)


def test_memory_map(backend, pixels, same_bits, tmp_path):
    x, y = pixels
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    a, b = (backend.train(data, y, **QUICK, epochs=2).network for data in (x, mapped))
    assert same_bits(a, b)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_no_copy_of_the_data_is_made(dtype):
    x = np.zeros((40_000, 400), dtype)
    x[::3] = 1
    y = np.arange(40_000) % 3 == 0
    tracemalloc.start()
    try:
        result = tl.train(
            x, y, hidden_sizes=(8,), max_steps=20, validation_fraction=0.1, progress=False
        )
        result.network.predict(x)
        result.network.evaluate(x, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Labels and row numbers, 8 bytes a row, a few times, and a few blocks of rows of 2 MB; a copy
    # in floats would be 64 or 128 MB. What the core allocates itself is not traced.
    assert peak < 8 * 8 * len(x) + 8e6


def test_softmax_regression_and_single_rows(backend):
    result = backend.train([[0.0], [1.0]], [0, 1], hidden_sizes=(), batch_size=1, epochs=3)
    assert result.network.layer_sizes == (1, 2)
    assert len(result.history["step_loss"]) == 6
    result = backend.train([[1.0, 2.0]], [0.5], hidden_sizes=(3,), epochs=2)
    assert result.network.layer_sizes == (2, 3, 1)
    assert result.network.loss.name == "squared_error"


# going on


def test_going_on_trains_that_very_network(backend, blobs, same_bits):
    options = {**QUICK, "shuffle": False, "learning_rate_decay": 1.0}
    whole = backend.train(*blobs, **options, epochs=4).network
    half = backend.train(*blobs, **options, epochs=2).network
    before = copy.deepcopy(half)
    del options["hidden_sizes"]
    result = backend.train(*blobs, **options, epochs=2, network=half)
    assert result.network is half
    assert not same_bits(half, before)
    assert same_bits(half, whole)


def test_going_on_takes_arguments_that_agree(backend, blobs):
    net = backend.Network(
        (6, 8, 3), activation="tanh", dtype="float32", normalize=(np.arange(6), 2)
    )
    result = backend.train(
        *blobs, **QUICK, epochs=1, network=net, activation="tanh", dtype="float32",
        normalize=(np.arange(6), 2),
    )  # fmt: skip
    assert result.network is net
    assert net.activation == "tanh"
    np.testing.assert_array_equal(net.shift, np.arange(6))


def test_going_on_with_more_classes_than_labels(backend, blobs):
    net = backend.Network((6, 4, 7))
    assert backend.train(*blobs, network=net, epochs=1).network.layer_sizes == (6, 4, 7)


@pytest.mark.parametrize(
    "argument",
    [
        {"hidden_sizes": (512,)},
        {"hidden_sizes": ()},
        {"activation": "relu"},
        {"dtype": "float16"},
        {"init": "auto"},
        {"init": 0.1},
        {"normalize": "standard"},
        {"normalize": (0.0, 2.0)},
    ],
)
def test_going_on_refuses_arguments_that_contradict(backend, blobs, same_bits, argument):
    net = backend.Network((6, 8, 3), activation="tanh")
    before = copy.deepcopy(net)
    with pytest.raises(ValueError, match=f"^{next(iter(argument))}: "):
        backend.train(*blobs, network=net, **argument)
    other = "float32" if net.dtype == "float64" else "float64"
    with pytest.raises(ValueError, match=f"dtype: '{other}', but the network has"):
        backend.train(*blobs, network=net, dtype=other)
    assert same_bits(net, before)


def test_going_on_needs_the_engines_own_network(blobs):
    with pytest.raises(TypeError, match=r"network: Network; must be a twolayer_ext\.reference"):
        tl.reference.train(*blobs, network=tl.Network((6, 3)))
    with pytest.raises(TypeError, match=r"must be a twolayer_ext\.network\.Network"):
        tl.train(*blobs, network=tl.reference.Network((6, 3)))
    with pytest.raises(TypeError, match="network: str"):
        tl.train(*blobs, network="net.npz")


# wrong arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_sizes": (8, 0)}, r"hidden_sizes\[1\]: 0; must be at least 1"),
        ({"activation": "step"}, "activation: 'step'; must be one of .*'relu', 'tanh'"),
        ({"loss": "hinge"}, "loss: 'hinge'; must be one of 'cross_entropy', 'logistic'"),
        ({"loss": "logistic"}, "y: 3 classes with loss 'logistic'; must be 2"),
        ({"optimizer": "lbfgs"}, "optimizer: 'lbfgs'; must be one of 'sgd', 'adam', 'adamw'"),
        ({"learning_rate": 0}, "learning_rate: 0; must be finite and above 0"),
        ({"learning_rate": math.nan}, "learning_rate: nan"),
        ({"learning_rate_decay": 0}, "learning_rate_decay: 0"),
        (
            {"learning_rate_decay": 1.0, "schedule": tl.schedules.cosine()},
            "learning_rate_decay: 1.0 together with schedule",
        ),
        (
            {"momentum": 1, "optimizer": "sgd"},
            "momentum: 1; must be finite and at least 0 and below 1",
        ),
        ({"momentum": 0.9, "optimizer": "adam"}, "momentum: 0.9 with adam"),
        ({"nesterov": True, "optimizer": "adam"}, "nesterov: True with adam; only sgd has it"),
        ({"nesterov": True, "optimizer": "sgd"}, "nesterov: True without momentum"),
        ({"betas": (0.9, 0.99), "optimizer": "sgd"}, "betas: .* with sgd; only adam, adamw and"),
        (
            {"weight_decay": 0.1, "optimizer": tl.optimizers.Adam()},
            "weight_decay: 0.1 together with optimizer=Adam",
        ),
        ({"betas": (0.9, 1.0)}, r"betas\[1\]: 1.0"),
        ({"epsilon": 0}, "epsilon: 0"),
        (
            {"epsilon": 1e-300, "dtype": "float32", "optimizer": "adam"},
            "epsilon: 1e-300 is 0.0 in float32; must be above 0 and finite",
        ),
        ({"epsilon": 1e300, "dtype": "float32"}, "epsilon: 1e[+]300 is inf in float32"),
        ({"learning_rate": 10**400}, "learning_rate: 10{199}.*; must be finite and above 0"),
        ({"init": 10**5000}, "init: an integer of thousands of digits; must be finite"),
        ({"hidden_sizes": (2**30, 2**31 - 1)}, r"hidden_sizes: \(.*\); .*memory has addresses"),
        ({"threads": 2**40}, "threads: 1099511627776; must be at most 4096"),
        ({"reg": -0.1}, "reg: -0.1"),
        ({"weight_decay": -1}, "weight_decay: -1"),
        ({"batch_size": 0}, "batch_size: 0; must be at least 1"),
        ({"epochs": 0}, "epochs: 0; must be at least 1"),
        ({"max_steps": 0}, "max_steps: 0"),
        ({"init": "xavier"}, "init: 'xavier'"),
        ({"init": -1.0}, "init: -1.0"),
        ({"normalize": "zscore"}, "normalize: 'zscore'"),
        ({"normalize": (0, 0)}, "normalize: its scale is zero"),
        ({"validation_fraction": 1.0}, "validation_fraction: 1.0"),
        ({"validation_fraction": 1e-4}, "validation_fraction: 0.0001 of 90 rows is 0"),
        ({"validation_fraction": 0.999}, "validation_fraction: 0.999 of 90 rows is 90"),
        (
            {"validation_fraction": 0.5, "validation_data": (np.ones((2, 6)), [0, 1])},
            "validation_fraction: 0.5 together with validation_data",
        ),
        ({"validation_data": (np.ones((2, 5)), [0, 1])}, r"validation_data\[0\]: 5 features"),
        ({"validation_data": (np.ones((2, 6)), [0, 3])}, r"validation_data\[1\]: 3 in row 1"),
        ({"validation_data": (np.ones((2, 6)), [0])}, r"validation_data\[1\]: 1 targets"),
        ({"dtype": "bfloat16"}, "dtype: 'bfloat16'"),
        ({"seed": -1}, "seed: -1"),
        ({"threads": 0}, "threads: 0; must be at least 1"),
    ],
)
def test_wrong_values(backend, blobs, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        backend.train(*blobs, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_sizes": 512}, "hidden_sizes: 512; must be a sequence"),
        ({"activation": 3}, "activation: 3"),
        ({"learning_rate": "fast"}, "learning_rate: 'fast'; must be a number"),
        ({"nesterov": 1, "optimizer": "sgd"}, "nesterov: 1; must be True or False"),
        ({"betas": 0.9}, "betas: 0.9; must be a pair"),
        ({"batch_size": 2.0}, "batch_size: 2.0; must be an integer"),
        ({"batch_size": np.array([7, 8])}, r"batch_size: array\(\[7, 8\]\); must be an integer"),
        ({"hidden_sizes": np.array(8)}, r"hidden_sizes: array\(8\); must be a sequence"),
        ({"epochs": True}, "epochs: True"),
        ({"init": None}, "init: None"),
        ({"normalize": 3}, "normalize: int"),
        ({"validation_data": np.ones((2, 6))}, "validation_data: ndarray; must be a pair"),
        ({"validation_data": (np.ones((2, 6)),)}, "validation_data: tuple of length 1; must be a"),
        ({"shuffle": "yes"}, "shuffle: 'yes'"),
        ({"seed": None}, "seed: None"),
        ({"threads": "all"}, "threads: 'all'"),
        ({"progress": "bar"}, "progress: 'bar'"),
        ({"callbacks": print}, "callbacks: .*must be a sequence"),
        ({"callbacks": ("print",)}, "callbacks: holds 'print'"),
    ],
)
def test_wrong_types(backend, blobs, arguments, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        backend.train(*blobs, **arguments)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((3, 2)), [0, 1, np.nan], "y: nan in row 2; must be finite everywhere"),
        (np.ones((3, 2)), ["a", None, "b"], "y: None in row 1; must have a value in every row"),
        (np.ones((3, 2)), [0, 0, 0], "y: only the class 0; must have at least 2"),
        (np.ones((3, 2)), [[0, 1], [1, 2], [0, 0]], "y: shape .* of integers that are not 0 or 1"),
        (np.ones((1500, 2)), np.arange(1500), "y: 1500 different integers in 1500 rows; to pred"),
        (np.ones((3, 2)), [0, 1], "y: 2 targets"),
        (np.ones((0, 2)), [], "x: no rows"),
        (np.array([[1, np.nan]]), [1], "x: nan in row 0, column 1"),
        (np.ones((3, 2, 2)), [0, 1, 0], "x: shape"),
    ],
)
def test_wrong_data(backend, x, y, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        backend.train(x, y)


def test_labels_must_fit_the_network(backend, blobs, same_bits):
    net = backend.Network((6, 2))
    before = copy.deepcopy(net)
    with pytest.raises(ValueError, match=r"y: 2 in row 2; labels must be in 0 \.\.\. 1"):
        backend.train(*blobs, network=net)
    with pytest.raises(ValueError, match="x: 5 features a row; must have 6"):
        backend.train(blobs[0][:, :5], blobs[1] % 2, network=net)
    with pytest.raises(ValueError, match="momentum"):
        backend.train(blobs[0], blobs[1] % 2, network=net, momentum=-1)
    assert same_bits(net, before)


# progress


def test_progress_is_shown_only_when_asked(backend, blobs, capsys):
    backend.train(*blobs, **{**QUICK, "progress": None}, epochs=2)
    assert capsys.readouterr().err == ""
    backend.train(*blobs, **{**QUICK, "progress": False}, epochs=2)
    assert capsys.readouterr().err == ""
    backend.train(*blobs, **{**QUICK, "progress": True}, epochs=2)
    assert "loss" in capsys.readouterr().err
