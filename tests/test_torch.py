"""PyTorch as a second opinion: probabilities, loss, gradients, ten steps of each optimizer."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
torch.set_num_threads(1)  # these products are tiny, a second pool of threads is in the way

SIZES = (40, 33, 16, 5)
FUNCTIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "identity": lambda z: z,
}
STEPS = 10
OPTIMIZERS = {
    "sgd": (
        {"optimizer": "sgd", "learning_rate": 0.1},
        lambda p: torch.optim.SGD(p, lr=0.1),
    ),
    "sgd with weight decay": (
        {"optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 0.01},
        lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.01),
    ),
    "momentum": (
        {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01},
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    ),
    "nesterov": (
        {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    ),
    "adam": (
        {"optimizer": "adam", "learning_rate": 0.01},
        lambda p: torch.optim.Adam(p, lr=0.01),
    ),
    "adam with weight decay": (
        {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.01, "betas": (0.8, 0.99)},
        lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.01, betas=(0.8, 0.99)),
    ),
    "adamw": (
        {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1, "epsilon": 1e-6},
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, eps=1e-6),
    ),
}


def tensors(net):
    return [torch.tensor(a, requires_grad=True) for pair in net.parameters for a in pair]


def inputs(x, dtype):
    return (torch.tensor(x).to(getattr(torch, dtype)) - 127.5) / 70


def forward(parameters, x, activation):
    for weights, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        x = FUNCTIONS[activation](x @ weights + bias)
    return x @ parameters[-2] + parameters[-1]


def penalised_loss(parameters, logits, y, reg):
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
    return loss + reg * sum((w**2).sum() for w in parameters[::2])


def make(backend, dtype, activation="relu"):
    return backend.Network(SIZES, activation=activation, dtype=dtype, normalize=(127.5, 70), seed=4)


def bound(dtype, steps=1):
    """Each pass sums over features, units and samples; steps add up."""
    return steps * (sum(SIZES) + 150) * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_loss_and_every_gradient(backend, pixels, dtype, activation):
    x, y = pixels
    net = make(backend, dtype, activation)
    parameters = tensors(net)
    logits = forward(parameters, inputs(x, dtype), activation)
    expected = penalised_loss(parameters, logits, y, 0.05)
    expected.backward()
    # Logits are known but for a constant a row: their log-probabilities.
    np.testing.assert_allclose(
        np.log(net.predict_proba(x)),
        torch.log_softmax(logits, dim=1).detach().numpy(),
        rtol=bound(dtype),
        atol=bound(dtype),
    )
    loss, gradients = net.loss_and_gradients(x, y, reg=0.05)
    assert loss == pytest.approx(expected.item(), rel=bound(dtype))
    flat = [g for pair in gradients for g in pair]
    for ours, theirs in zip(flat, parameters, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=bound(dtype), atol=bound(dtype))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ten_steps(backend, pixels, dtype, optimizer):
    x, y = pixels
    options, make_optimizer = OPTIMIZERS[optimizer]
    net = make(backend, dtype)
    parameters = tensors(net)
    theirs = make_optimizer(parameters)
    losses = []
    for step in range(STEPS):
        rows = slice(15 * step, 15 * step + 15)
        theirs.zero_grad()
        logits = forward(parameters, inputs(x[rows], dtype), "relu")
        loss = penalised_loss(parameters, logits, y[rows], 0.01)
        loss.backward()
        theirs.step()
        losses.append(loss.item())
    result = backend.train(
        x, y, network=net, batch_size=15, epochs=1, reg=0.01, shuffle=False, progress=False,
        learning_rate_decay=1.0, **options,
    )  # fmt: skip
    tolerance = bound(dtype, STEPS)
    np.testing.assert_allclose(result.history["step_loss"], losses, rtol=tolerance, atol=tolerance)
    flat = [a for pair in net.parameters for a in pair]
    for ours, expected in zip(flat, parameters, strict=True):
        np.testing.assert_allclose(ours, expected.detach().numpy(), rtol=tolerance, atol=tolerance)
