"""What each technique promises, seen through the public functions."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.reference.chance import dropout_mask

QUICK = {
    "hidden_sizes": (8, 5),
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "learning_rate_decay": 0.95,
    "batch_size": 16,
    "epochs": 10,
    "progress": False,
}
STILL = {key: value for key, value in QUICK.items() if key != "learning_rate_decay"}
STILL |= {"schedule": lambda *_: 0.0}
ONE_BATCH = {**QUICK, "batch_size": 90, "epochs": None, "dtype": "float64", "normalize": None}


def flat(network):
    return np.concatenate([a.ravel() for pair in network.parameters for a in pair])


# clipping


def test_clipping_bounds_the_norm_and_keeps_the_direction(backend, blobs):
    net = backend.Network((6, 8, 5, 3), dtype="float64", seed=2)
    _, gradients = net.loss_and_gradients(*blobs)
    gradient = np.concatenate([a.ravel() for pair in gradients for a in pair])
    norm = np.linalg.norm(gradient)
    for share, scale in ((0.25, 0.25), (0.999, 0.999), (1.001, 1.0), (1e300, 1.0)):
        clipped = copy.deepcopy(net)
        backend.train(
            *blobs, network=clipped, batch_size=90, max_steps=1, optimizer="sgd",
            learning_rate=1.0, clip_norm=share * norm,
        )  # fmt: skip
        step = flat(net) - flat(clipped)
        assert np.linalg.norm(step) <= share * norm * (1 + 1e-12)
        np.testing.assert_allclose(step, scale * gradient, rtol=1e-5 / norm, atol=1e-15)


def test_every_step_is_clipped_and_what_is_small_is_left_alone(backend, blobs):
    options = {**QUICK, "epochs": None, "dtype": "float64", "learning_rate_decay": 1.0}
    nets = [
        backend.train(*blobs, **options, max_steps=n, clip_norm=0.01).network for n in (1, 2, 3)
    ]
    for before, after in itertools.pairwise(nets):
        # each step's gradient is far above
        assert np.linalg.norm(flat(after) - flat(before)) == pytest.approx(0.1 * 0.01, rel=1e-3)
    free = backend.train(*blobs, **options, max_steps=3, reg=0.01)
    loose = backend.train(*blobs, **options, max_steps=3, reg=0.01, clip_norm=1e6)
    np.testing.assert_allclose(flat(loose.network), flat(free.network), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(loose.history["step_loss"], free.history["step_loss"], rtol=1e-13)


# weights of classes and samples


@pytest.fixture
def uneven(blobs):
    """Clouds of very different size: 30, 18 and 9 rows."""
    x, y = blobs
    rows = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate((30, 18, 9))])
    return x[rows], y[rows]


def test_balanced_is_explicit_weights_is_sample_weights(backend, uneven, same_bits):
    x, y = uneven
    # n / (classes * count)
    weights = 57 / (3 * np.array([30, 18, 9]))
    nets = [
        backend.train(x, y, **{**QUICK, "epochs": 3}, **options).network
        for options in (
            {"class_weight": "balanced"},
            {"class_weight": weights.tolist()},
            {"class_weight": dict(enumerate(weights))},
            {"sample_weight": weights[y]},
            {"sample_weight": (weights[y] / 4).tolist()},  # only ratios matter
        )
    ]
    for net in nets[1:]:
        assert same_bits(net, nets[0])
    assert not same_bits(nets[0], backend.train(x, y, **{**QUICK, "epochs": 3}).network)


def test_weights_of_classes_and_samples_are_multiplied(backend, uneven, same_bits):
    x, y = uneven
    own = np.random.default_rng(3).integers(0, 5, len(y))
    both = backend.train(x, y, **{**QUICK, "epochs": 2}, sample_weight=own, class_weight={2: 8.0})
    product = backend.train(
        x, y, **{**QUICK, "epochs": 2}, sample_weight=own * np.where(y == 2, 8, 1)
    )
    assert same_bits(both.network, product.network)
    assert both.history["step_loss"] == product.history["step_loss"]


def test_balanced_counts_the_rows_trained_on(backend, uneven, monkeypatch):
    """Not those that are held out."""
    make_trainer, batches = backend.Network.engine.trainer, []

    class Recorder:
        def __init__(self, network, **options):
            self.trainer = make_trainer(network, **options)

        def run(self, x, y, rows, learning_rates, losses, weights, scores):
            batches.append((y[rows], weights[rows]))
            return self.trainer.run(x, y, rows, learning_rates, losses, weights, scores)

        def publish(self):
            self.trainer.publish()

    monkeypatch.setattr(backend.Network.engine, "trainer", Recorder)
    options = {"class_weight": "balanced", "validation_fraction": 0.4, "epochs": 1, "seed": 3}
    backend.train(*uneven, **QUICK | options)
    labels, weights = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert len(labels) == 34
    sums = np.bincount(labels, weights)
    np.testing.assert_allclose(sums, sums.mean(), rtol=1e-14)


def test_the_size_of_weights_does_not_matter(backend, uneven, same_bits):
    x, y = uneven
    own = np.random.default_rng(4).uniform(0.1, 2, len(y))
    nets = [
        backend.train(x, y, **{**QUICK, "epochs": 2}, sample_weight=own * size).network
        for size in (1.0, 2.0**1000, 2.0**-1000)
    ]
    assert same_bits(nets[0], nets[1])
    assert same_bits(nets[0], nets[2])


def test_a_weight_of_zero_leaves_the_row_out(backend, blobs):
    x, y = blobs
    kept = np.arange(90) % 4 != 1
    net = backend.Network((6, 8, 5, 3), dtype="float64", seed=2)
    loss, gradients = net.loss_and_gradients(x, y, reg=0.1, sample_weight=kept)
    wanted_loss, wanted = net.loss_and_gradients(x[kept], y[kept], reg=0.1)
    assert loss == pytest.approx(wanted_loss, rel=1e-14)
    for got, there in zip(gradients, wanted, strict=True):
        for a, b in zip(got, there, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    options = {**ONE_BATCH, "max_steps": 20, "optimizer": "adam", "shuffle": False}
    whole = backend.train(x, y, **options, sample_weight=kept)
    part = backend.train(x[kept], y[kept], **options)
    np.testing.assert_allclose(whole.history["step_loss"], part.history["step_loss"], rtol=1e-11)
    np.testing.assert_allclose(flat(whole.network), flat(part.network), rtol=1e-9, atol=1e-12)


def test_a_batch_without_any_weight_changes_nothing_but_by_reg(backend, blobs, same_bits):
    x, y = blobs
    weights = (np.arange(90) >= 32).astype(float)  # none in the first two batches
    options = {**QUICK, "epochs": None, "shuffle": False, "normalize": None, "dtype": "float64"}
    result = backend.train(x, y, **options, max_steps=2, sample_weight=weights)
    start = backend.Network((6, 8, 5, 3), dtype="float64")
    assert result.history["step_loss"] == [0.0, 0.0]
    assert same_bits(result.network, start)
    result = backend.train(x, y, **options, max_steps=1, sample_weight=weights, reg=0.25)
    squares = sum(float((w * w).sum()) for w, _ in start.parameters)
    assert result.history["step_loss"][0] == pytest.approx(0.25 * squares)
    for (w, b), (w0, b0) in zip(result.network.parameters, start.parameters, strict=True):
        np.testing.assert_allclose(w, w0 * (1 - 0.1 * 2 * 0.25), rtol=1e-14)
        assert np.array_equal(b, b0)


def test_validation_is_not_weighted(backend, uneven):
    x, y = uneven
    result = backend.train(
        x, y, **{**QUICK, "epochs": 1}, class_weight={0: 0.0, 1: 9.0}, label_smoothing=0.3,
        dropout=0.5, validation_data=(x, y),
    )  # fmt: skip
    last = result.history["val_loss"][-1], result.history["val_accuracy"][-1]
    assert last == result.network.evaluate(x, y)


# label smoothing


def test_smoothed_loss_is_the_cross_entropy_with_a_smoothed_target(backend, blobs):
    x, y = blobs
    net = backend.Network((6, 8, 3), dtype="float64")
    target = 0.8 * np.eye(3)[y] + 0.2 / 3
    wanted = -(target * np.log(net.predict_proba(x))).sum(axis=1).mean()
    loss, _ = net.loss_and_gradients(x, y, label_smoothing=0.2)
    assert loss == pytest.approx(wanted, rel=1e-12)


# dropout


def test_share_that_is_dropped():
    for share in (0.1, 0.5, 0.999):
        mask = dropout_mask(share, 3, 0, 0, (400, 250))
        kept = round(65536 * (1 - share)) / 65536
        assert set(np.unique(mask)) == {0, 1 / kept}
        deviation = np.sqrt(kept * (1 - kept) / mask.size)
        assert abs((mask > 0).mean() - kept) < 4 * deviation
        for axis in (0, 1):  # no unit and no sample is treated otherwise
            spread = (mask > 0).mean(axis=axis).std()
            expected = np.sqrt(kept * (1 - kept) / mask.shape[axis])
            assert 0.85 * expected < spread < 1.15 * expected


def test_every_step_layer_and_seed_drops_others():
    masks = [
        dropout_mask(0.5, seed, step, layer, (64, 64)) > 0
        for seed, step, layer in itertools.product((0, 1), repeat=3)
    ]
    for a, b in itertools.combinations(masks, 2):
        assert 0.4 < (a == b).mean() < 0.6


def test_nothing_is_dropped_in_prediction_or_in_layers_with_a_share_of_zero(
    backend, blobs, same_bits
):
    options = {**STILL, "epochs": 2}
    still = backend.train(*blobs, **options, dropout=0.5).network
    plain = backend.train(*blobs, **options).network
    assert same_bits(still, plain)
    assert np.array_equal(still.predict_proba(blobs[0]), plain.predict_proba(blobs[0]))
    first = backend.train(*blobs, **{**QUICK, "epochs": 2}, dropout=(0.5, 0)).network
    both = backend.train(*blobs, **{**QUICK, "epochs": 2}, dropout=(0.5, 0.5)).network
    same = backend.train(*blobs, **{**QUICK, "epochs": 2}, dropout=0.5).network
    assert same_bits(both, same)
    assert not same_bits(first, both)
    none = backend.train(*blobs, **{**QUICK, "epochs": 2}, dropout=[0, 0.0]).network
    assert same_bits(none, backend.train(*blobs, **{**QUICK, "epochs": 2}).network)


# batch normalisation


def statistics(x, net, batch_size):
    """Running mean and variance of both hidden layers after one pass over x in its order."""
    running = [(np.zeros(h), np.ones(h)) for h in net.layer_sizes[1:-1]]
    for start in range(0, len(x), batch_size):
        a = x[start : start + batch_size]
        for (w, _), (mean, variance) in zip(net.parameters, running, strict=False):
            z = a @ w
            a = np.maximum((z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5), 0)
            if len(z) == 1:  # says nothing of the variance
                continue
            mean += 0.1 * (z.mean(axis=0) - mean)
            variance += 0.1 * (z.var(axis=0, ddof=1) - variance)
    return running


@pytest.mark.parametrize("batch_size", [16, 30, 89])
def test_the_network_predicts_by_the_running_statistics(backend, blobs, batch_size):
    """At a rate of zero only the statistics move; with 89, the last batch is a single row."""
    x, y = blobs
    options = {**STILL, "batch_size": batch_size, "dtype": "float64", "normalize": None}
    result = backend.train(x, y, **{**options, "epochs": 1}, shuffle=False, batch_norm=True)
    start = backend.Network((6, 8, 5, 3), dtype="float64")
    a = x
    for (w, b), (mean, variance) in zip(
        start.parameters, statistics(x, start, batch_size), strict=False
    ):
        a = np.maximum((a @ w - mean) / np.sqrt(variance + 1e-5) + b, 0)
    w, b = start.parameters[-1]
    wanted = tl.losses.CrossEntropy().prediction(a @ w + b)
    np.testing.assert_allclose(result.network.predict_proba(x), wanted, rtol=1e-11)


def test_a_normalised_network_is_an_ordinary_one(backend, blobs, tmp_path, same_bits):
    x, y = blobs
    seen = []
    result = backend.train(
        x, y, **{**QUICK, "epochs": 40}, batch_norm=True, validation_data=(x, y),
        callbacks=(lambda event: seen.append(copy.deepcopy(event.network)),),
    )  # fmt: skip
    assert result.network.evaluate(x, y)[1] > 0.95
    for net, loss in zip(seen, result.history["val_loss"], strict=True):
        assert net.evaluate(x, y)[0] == loss
    result.network.save(tmp_path / "net.npz")
    assert same_bits(backend.load(tmp_path / "net.npz"), result.network)
    on = backend.train(x, y, network=copy.deepcopy(result.network), learning_rate=0.01, epochs=2)
    assert on.history["loss"][-1] < 2 * result.history["loss"][-1] + 0.1


def test_early_stopping_gives_the_best_normalised_network_back(backend, blobs, same_bits):
    x, y = blobs
    wrong = np.where(np.arange(64) % 4 == 0, (y[:64] + 1) % 3, y[:64])
    options = {**QUICK, "batch_norm": True, "validation_data": (x[64:], y[64:])}
    options |= {"learning_rate": 0.5, "learning_rate_decay": 1.0}
    result = backend.train(x[:64], wrong, **{**options, "epochs": 100}, early_stopping=2)
    assert result.best_epoch < len(result.history["loss"]) < 100
    assert result.network.evaluate(x[64:], y[64:])[0] == min(result.history["val_loss"])
    expected = backend.train(x[:64], wrong, **{**options, "epochs": result.best_epoch})
    assert same_bits(result.network, expected.network)


def test_ctrl_c_leaves_a_normalised_network_at_its_last_step(
    backend, blobs, same_bits, monkeypatch
):
    trainer = backend.Network.engine.trainer

    class Interrupted:
        def __init__(self, network, **options):
            self.trainer, self.calls = trainer(network, **options), 0

        def run(self, *arguments):
            done = self.trainer.run(*arguments)
            self.calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return done

        def publish(self):
            self.trainer.publish()

    options = {**QUICK, "batch_norm": True}
    monkeypatch.setattr("twolayer_ext.training.steps._SHORT_CALL", -1)  # a step a call
    expected = backend.train(*blobs, **options, max_steps=4).network
    monkeypatch.setattr(backend.Network.engine, "trainer", Interrupted)
    with pytest.raises(tl.TrainingInterrupted) as info:
        backend.train(*blobs, **options)
    assert len(info.value.result.history["step_loss"]) == 4
    assert same_bits(info.value.result.network, expected)


def test_divergence_with_batch_normalisation(backend, blobs):
    with pytest.raises(tl.DivergenceError) as info:
        backend.train(
            *blobs, **{**QUICK, "learning_rate": 1e30}, dtype="float32", reg=0.1, batch_norm=True
        )
    assert info.value.result.network.layer_sizes == (6, 8, 5, 3)


# all together


def test_everything_at_once_learns(backend, pixels):
    x, y = pixels
    result = backend.train(
        x, y, hidden_sizes=(64,), batch_size=30, epochs=60, optimizer="adamw", learning_rate=0.01,
        dropout=0.1, batch_norm=True, label_smoothing=0.1, clip_norm=1.0, class_weight="balanced",
        augment=tl.Augment((1, 5, 8)), schedule=tl.schedules.cosine(0.1), average_epochs=3,
        validation_data=(x, y), progress=False,
    )  # fmt: skip
    assert result.history["val_accuracy"][-1] > 0.9  # of noise, by heart


@pytest.mark.parametrize("compute_dtype", [None, "bfloat16"])
def test_threads_and_calls_do_not_change_a_bit(pixels, same_bits, monkeypatch, compute_dtype):
    x, y = pixels
    results = []
    for threads, short, long in ((1, 1e9, 1e9), (2, -1, 0), (3, 1e9, 1e9), (4, -1, 1e9)):
        monkeypatch.setattr("twolayer_ext.training.steps._SHORT_CALL", short)
        monkeypatch.setattr("twolayer_ext.training.steps._LONG_CALL", long)
        results.append(
            tl.train(
                x, y, hidden_sizes=(150, 33), batch_size=64, epochs=6, optimizer="adam",
                dropout=0.2, batch_norm=True, label_smoothing=0.1, clip_norm=0.5, reg=1e-4,
                class_weight="balanced", augment=tl.Augment((1, 5, 8), shift=1, cutout=2),
                validation_fraction=0.2, compute_dtype=compute_dtype, threads=threads,
                progress=False,
            )
        )  # fmt: skip
    for result in results[1:]:
        assert same_bits(result.network, results[0].network)
        for key in ("step_loss", "accuracy", "val_loss"):
            assert result.history[key] == results[0].history[key]
