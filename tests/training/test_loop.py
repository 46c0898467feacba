"""How training ends: divergence in the last update, early stopping, averaged weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.training.loop import Loop

QUICK = {
    "hidden_sizes": (8,),
    "optimizer": "sgd",
    "batch_size": 16,
    "learning_rate": 0.1,
    "progress": False,
}


def rising(epochs):
    """A schedule that makes the loss overflow in the step after so many epochs of 4 steps."""
    return lambda step, steps: 1.0 if step < 4 * epochs else 1e38


@pytest.fixture
def noisy(blobs):
    """Half of the clouds with some wrong labels to train on, half to validate on: it overfits."""
    x, y = blobs
    wrong = np.where(np.arange(64) % 4 == 0, (y[:64] + 1) % 3, y[:64])
    return {"x": x[:64], "y": wrong, "validation_data": (x[64:], y[64:])}


# divergence that no loss tells of


@pytest.mark.parametrize("averaged", [0, 1])
def test_divergence_in_the_last_update(backend, blobs, averaged):
    with pytest.raises(
        tl.DivergenceError, match=r"^a parameter is not finite after step 6 "
    ) as info:
        backend.train(
            *blobs, **QUICK, dtype="float32", epochs=1, average_epochs=averaged,
            schedule=lambda step, steps: 1e40 if step == 5 else 1.0,
        )  # fmt: skip
    assert "(epoch 1, learning_rate 1e+39); try a smaller learning_rate, such as 0.01" in str(
        info.value
    )
    history = info.value.result.history
    assert np.isfinite(history["step_loss"]).all()
    assert len(history["step_loss"]) == 6
    assert len(history["loss"]) == 1


def test_divergence_before_a_callback_stops(backend, blobs):
    with pytest.raises(tl.DivergenceError, match="after step 1 "):
        backend.train(
            *blobs, **{**QUICK, "batch_size": 90, "learning_rate": 1e39}, dtype="float32",
            callbacks=(lambda event: True,),
        )  # fmt: skip


def test_val_loss_that_is_not_finite(backend, blobs):
    x, y = blobs
    net = backend.Network((6, 8, 3), init=100.0)
    far = np.full((2, 6), np.finfo(net.dtype).max / 10)
    with pytest.raises(
        tl.DivergenceError, match=r"^val_loss became (nan|inf) after step 6 "
    ) as info:
        backend.train(
            x, y, network=net, batch_size=16, learning_rate=1e-9, validation_data=(far, [0, 1])
        )
    history = info.value.result.history
    assert len(history["val_loss"]) == len(history["loss"]) == 1
    assert not np.isfinite(history["val_loss"][0])


# early stopping


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_gives_the_best_epoch_back(backend, noisy, same_bits, patience):
    options = {**noisy, **QUICK, "learning_rate": 0.5, "learning_rate_decay": 1.0}
    result = backend.train(**options, epochs=200, early_stopping=patience)
    losses = result.history["val_loss"]
    assert result.best_epoch == np.argmin(losses) + 1
    assert len(losses) == result.best_epoch + patience < 200
    assert result.network.evaluate(*noisy["validation_data"])[0] == min(losses)
    expected = backend.train(**options, epochs=result.best_epoch)
    assert expected.best_epoch is None
    assert same_bits(result.network, expected.network)
    assert expected.history["val_loss"] == losses[: result.best_epoch]


@pytest.mark.parametrize("end", ["epochs", "callback"])
def test_the_best_epoch_comes_back_however_training_ends(backend, noisy, same_bits, end):
    # The second epoch throws the weights far off, the third does nothing.
    options = {**noisy, **QUICK, "schedule": lambda step, _: [1.0, 100.0, 0.0][min(step // 4, 2)]}
    if end == "epochs":
        result = backend.train(**options, epochs=3, early_stopping=5)
    else:
        stop = (lambda event: event.epoch == 3,)
        result = backend.train(**options, epochs=9, early_stopping=5, callbacks=stop)
    assert len(result.history["loss"]) == 3
    assert result.best_epoch == 1
    assert same_bits(result.network, backend.train(**options, max_steps=4).network)


def test_no_better_is_not_better(backend, noisy):
    result = backend.train(**noisy, **QUICK, schedule=lambda *_: 0, early_stopping=2)
    assert result.best_epoch == 1
    assert len(result.history["loss"]) == 3


def test_divergence_after_a_best_epoch(backend, noisy, same_bits):
    options = {**noisy, **QUICK, "dtype": "float32", "reg": 0.1}
    with pytest.raises(tl.DivergenceError) as info:
        backend.train(**options, schedule=rising(2), epochs=9, early_stopping=9)
    result = info.value.result
    expected = backend.train(**options, schedule=rising(2), epochs=result.best_epoch)
    assert result.best_epoch <= 2
    assert same_bits(result.network, expected.network)


def test_ctrl_c_keeps_the_weights_of_the_last_step(backend, noisy, same_bits):
    def interrupt(event):
        if event.epoch == 3:
            raise KeyboardInterrupt

    options = {**noisy, **QUICK, "schedule": lambda step, _: 1.0 if step < 4 else 50.0}
    with pytest.raises(tl.TrainingInterrupted) as info:
        backend.train(**options, early_stopping=5, callbacks=(interrupt,))
    assert info.value.result.best_epoch == 1
    expected = backend.train(**options, epochs=3)
    assert same_bits(info.value.result.network, expected.network)


def test_ctrl_c_while_the_best_comes_back(backend, noisy, same_bits, monkeypatch):
    """The network is never left with layers of two epochs."""
    set_layers, calls = Loop._set_layers, []

    def interrupted_once(self, parameters):
        calls.append(len(parameters))
        if len(calls) == 1:
            set_layers(self, parameters[:1])
            raise KeyboardInterrupt
        set_layers(self, parameters)

    monkeypatch.setattr(Loop, "_set_layers", interrupted_once)
    options = {**noisy, **QUICK, "schedule": lambda step, _: 1.0 if step < 4 else 50.0}
    with pytest.raises(tl.TrainingInterrupted) as info:
        backend.train(**options, epochs=3, early_stopping=5)
    assert calls == [2, 2]
    assert same_bits(info.value.result.network, backend.train(**options, max_steps=4).network)


# averaging


def mean(networks):
    """Of the parameters, one after the other in float64, rounded once."""
    result = copy.deepcopy(networks[0])
    layers = zip(*(net.parameters for net in networks), strict=True)
    result.set_parameters(
        [
            tuple(
                sum(a.astype(float) for a in arrays) / len(networks)
                for arrays in zip(*layer, strict=True)
            )
            for layer in layers
        ]
    )
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_average_of_the_last_epochs(backend, noisy, same_bits, count, dtype):
    nets, told = [], []
    options = {**noisy, **QUICK, "dtype": dtype, "optimizer": "adam", "epochs": 5}
    plain = backend.train(**options, callbacks=(lambda e: nets.append(copy.deepcopy(e.network)),))
    averaged = backend.train(
        **options, average_epochs=count,
        callbacks=(lambda e: told.append(copy.deepcopy(e.network)),),
    )  # fmt: skip
    expected = mean(nets[-count:])
    assert same_bits(averaged.network, expected)
    assert all(same_bits(a, b) for a, b in zip(told, [*nets[:4], expected], strict=True))
    assert averaged.history["step_loss"] == plain.history["step_loss"]
    assert averaged.history["val_loss"][:4] == plain.history["val_loss"][:4]
    last = averaged.history["val_loss"][-1], averaged.history["val_accuracy"][-1]
    assert last == expected.evaluate(*noisy["validation_data"])
    assert averaged.best_epoch is None


def test_average_with_an_epoch_cut_short(backend, noisy, same_bits):
    options = {**noisy, **QUICK, "learning_rate_decay": 1.0, "epochs": None}
    nets = [backend.train(**options, max_steps=steps).network for steps in (8, 10)]
    averaged = backend.train(**options, max_steps=10, average_epochs=2).network
    assert same_bits(averaged, mean(nets))


def test_nothing_is_averaged_before_the_last_epoch(backend, noisy, same_bits):
    options = {**noisy, **QUICK, "epochs": 5, "callbacks": (lambda event: event.epoch == 4,)}
    averaged = backend.train(**options, average_epochs=3)
    assert same_bits(averaged.network, backend.train(**options).network)


def test_threads_do_not_change_a_bit_of_what_is_kept(pixels, same_bits):
    for ending in ({"average_epochs": 3}, {"early_stopping": 1}):
        results = [
            tl.train(
                *pixels, hidden_sizes=(150, 33), batch_size=60, epochs=6, learning_rate=0.1,
                validation_fraction=0.2, threads=threads, progress=False, **ending,
            )
            for threads in (1, 2, 3, 4)
        ]  # fmt: skip
        for result in results[1:]:
            assert same_bits(result.network, results[0].network)
            assert result.best_epoch == results[0].best_epoch
            assert result.history["val_loss"] == results[0].history["val_loss"]


# wrong arguments


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"early_stopping": 3}, ValueError, "early_stopping: 3 without validation data; must come"),
        (
            {"early_stopping": 0, "validation_fraction": 0.5},
            ValueError,
            "early_stopping: 0; must be at least 1",
        ),
        (
            {"early_stopping": True, "validation_fraction": 0.5},
            TypeError,
            "early_stopping: True; must be an integer",
        ),
        ({"average_epochs": -1}, ValueError, "average_epochs: -1; must be at least 0"),
        ({"average_epochs": 2.0}, TypeError, "average_epochs: 2.0; must be an integer"),
        (
            {"average_epochs": 11, "epochs": 10},
            ValueError,
            "average_epochs: 11 of 10 epochs; must be at most",
        ),
        (
            {"average_epochs": 3, "batch_size": 45, "max_steps": 3},
            ValueError,
            "average_epochs: 3 of 2 epochs; must be at most",
        ),
        (
            {"average_epochs": 2, "early_stopping": 3, "validation_fraction": 0.5},
            ValueError,
            "average_epochs: 2 together with early_stopping; must be one of",
        ),
    ],
)
def test_wrong_arguments_are_found_before_training(
    backend, blobs, same_bits, arguments, error, message
):
    net = backend.Network((6, 8, 3))
    before = copy.deepcopy(net)
    with pytest.raises(error, match=f"^{message}"):
        backend.train(*blobs, network=net, **arguments)
    assert same_bits(net, before)


def test_a_result_is_shown_in_a_line(backend, blobs):
    x, y = blobs
    result = backend.train(
        x, y, hidden_sizes=(4,), epochs=3, validation_data=(x, y), early_stopping=3
    )
    last = {name: values[-1] for name, values in result.history.items()}
    assert repr(result) == (
        f"TrainResult({result.network!r}, 3 epochs, loss {last['loss']:.4g}, accuracy "
        f"{last['accuracy']:.4g}, val_loss {last['val_loss']:.4g}, val_accuracy "
        f"{last['val_accuracy']:.4g}, best epoch {result.best_epoch})"
    )
    plain = backend.train(x, y, hidden_sizes=(4,), epochs=1)
    assert "1 epoch," in repr(plain)
    assert "val_" not in repr(plain)
    assert "best epoch" not in repr(plain)
