"""Class weights together with label smoothing: PyTorch's definition."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl

WEIGHTS = {"some": [0.5, 2.0, 1.25], "a class without": [0.0, 3.0, 1.0], "large": [1e300, 2e300, 1]}
ROWS = 96


def problem():
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 5)), rng.integers(0, 3, ROWS)


def one_step(backend, x, y, dtype="float64", loss=None, **options):
    """Return the loss of a step of SGD at a rate of 1, and the gradients of the linear model."""
    start = backend.Network((5, 3), dtype=dtype, seed=1, init=1.0, loss=loss or "cross_entropy")
    before = start.parameters[0]
    result = backend.train(
        x, y, network=start, optimizer="sgd", learning_rate=1.0, learning_rate_decay=1.0,
        batch_size=len(x), max_steps=1, shuffle=False, progress=False, **options,
    )  # fmt: skip
    after = result.network.parameters[0]
    return result.history["step_loss"][0], [b - a for a, b in zip(after, before, strict=True)]


def expected_step(x, y, class_weight, smoothing, sample_weight=None):
    """The same by PyTorch, in float64."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    weights, bias = (
        torch.tensor(a, requires_grad=True)
        for a in tl.Network((5, 3), dtype="float64", seed=1, init=1.0).parameters[0]
    )
    of_classes = torch.tensor(np.array(class_weight) / max(class_weight))
    loss = torch.nn.CrossEntropyLoss(
        weight=of_classes,
        label_smoothing=smoothing,
        reduction="mean" if sample_weight is None else "none",
    )
    value = loss(torch.tensor(x) @ weights + bias, torch.tensor(y))
    if sample_weight is not None:
        own = torch.tensor(sample_weight)
        value = (own * value).sum() / (own * of_classes[torch.tensor(y)]).sum()
    value.backward()
    return value.item(), [weights.grad.numpy(), bias.grad.numpy()]


def check(got, wanted, dtype):
    # Sums of 96 terms of size 1 or so; the start itself is rounded to the type, too.
    bound = 200 * float(np.finfo(dtype).eps)
    assert got[0] == pytest.approx(wanted[0], rel=bound)
    for a, b in zip(got[1], wanted[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=bound)


@pytest.mark.parametrize("weighted_rows", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.75])
@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_as_pytorch(backend, dtype, name, smoothing, weighted_rows):
    x, y = problem()
    x = x.astype(dtype)
    rows = np.random.default_rng(1).uniform(0, 2, ROWS) if weighted_rows else None
    got = one_step(
        backend, x, y, dtype, class_weight=WEIGHTS[name], label_smoothing=smoothing,
        sample_weight=rows,
    )  # fmt: skip
    check(got, expected_step(x.astype(float), y, WEIGHTS[name], smoothing, rows), dtype)


def test_balanced_and_a_loss_that_smooths(backend):
    x, y = problem()
    counts = np.bincount(y)
    weights = (ROWS / (3 * counts)).tolist()
    wanted = expected_step(x, y, weights, 0.2)
    smoothed = tl.losses.CrossEntropy(label_smoothing=0.2)
    check(one_step(backend, x, y, loss=smoothed, class_weight="balanced"), wanted, "float64")


def test_equal_weights_are_none(backend):
    x, y = problem()
    got = one_step(backend, x, y, class_weight=[2.0, 2.0, 2.0], label_smoothing=0.1)
    check(got, one_step(backend, x, y, label_smoothing=0.1), "float64")


def test_a_batch_of_classes_without_weight_changes_nothing(backend):
    """Its mean would be a division by zero."""
    x, y = problem()
    y[:32], y[32:] = 0, 1
    network = backend.Network((5, 3), dtype="float64", seed=1)
    result = backend.train(
        x, y, network=network, optimizer="sgd", batch_size=32, max_steps=1, shuffle=False,
        class_weight=[0.0, 1.0, 1.0], label_smoothing=0.1, progress=False,
    )  # fmt: skip
    assert result.history["step_loss"] == [0.0]
    for a, b in zip(result.network.parameters[0], network.parameters[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_bits_on_any_number_of_threads(same_bits):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(500, 200)).astype("float32"), rng.integers(0, 150, 500)
    y[:150] = np.arange(150)
    networks = [
        tl.train(
            x, y, hidden_sizes=(100,), epochs=2, batch_size=250, class_weight="balanced",
            label_smoothing=0.1, threads=threads, progress=False,
        ).network
        for threads in (1, 2, 3)
    ]  # fmt: skip
    assert all(same_bits(network, networks[0]) for network in networks)
