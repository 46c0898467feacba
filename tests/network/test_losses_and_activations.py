"""Every loss and activation in a whole network: PyTorch's gradients, and central differences."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl
from loss_cases import CASES, sample
from twolayer_ext.activations import ACTIVATIONS

ROWS, FEATURES = 7, 4
# As in test_gradients.py: no gradient may be much smaller than 1e-3, no pre-activation near a kink,
# and no output near its target. Of the first forty seeds these are the best for all losses and
# activations together; their errors are below 6e-8.
H = 3e-5
SEEDS = {2: 36, 3: 34}  # by the number of layers


def problem(backend, loss, activation, *, layers=3, seed=0):
    rng = np.random.default_rng(seed)
    columns = 3
    outputs = columns * loss.outputs_per_target
    sizes = (FEATURES, *[5] * (layers - 1), outputs)
    net = backend.Network(
        sizes,
        activation=activation,
        loss=loss,
        dtype="float64",
        normalize=(rng.uniform(-1, 1, FEATURES), rng.uniform(0.5, 2, FEATURES)),
        normalize_targets=(rng.uniform(-1, 1, outputs), rng.uniform(0.5, 2, outputs))
        if loss.takes == "real"
        else None,
    )
    net.set_parameters(
        [
            (1.5 / np.sqrt(len(w)) * rng.normal(size=w.shape), 0.5 * rng.normal(size=b.shape))
            for w, b in net.parameters
        ]
    )
    x = rng.normal(size=(ROWS, FEATURES))
    _, targets = sample(loss, ROWS, columns, seed=seed)
    return net, x, targets


def torch_functions(torch):
    f = torch.nn.functional
    special = {
        "identity": lambda z: z,
        "tanh": torch.tanh,
        "logistic": torch.sigmoid,
        "softplus": lambda z: f.softplus(z, threshold=100.0),
        "gelu_tanh": lambda z: f.gelu(z, approximate="tanh"),
    }
    return {name: special.get(name) or getattr(f, name) for name in ACTIVATIONS}


def torch_losses(torch):
    f = torch.nn.functional

    def smoothed(loss, t):
        return t * (1 - loss.label_smoothing) + loss.label_smoothing / 2

    def pinball(loss, z, t):
        levels = torch.tensor(loss.parameters(z.shape[1]))
        e = t.repeat_interleave(loss.outputs_per_target, dim=1) - z
        return torch.maximum(levels * e, (levels - 1) * e)

    return {
        "cross_entropy": lambda loss, z, t: f.cross_entropy(
            z, t, reduction="none", label_smoothing=loss.label_smoothing
        ),
        "logistic": lambda loss, z, t: f.binary_cross_entropy_with_logits(
            z, smoothed(loss, t), reduction="none"
        ),
        "squared_error": lambda loss, z, t: f.mse_loss(z, t, reduction="none"),
        "absolute_error": lambda loss, z, t: f.l1_loss(z, t, reduction="none"),
        "huber": lambda loss, z, t: f.huber_loss(z, t, reduction="none", delta=loss.delta),
        "poisson": lambda loss, z, t: f.poisson_nll_loss(z, t, reduction="none"),
        "quantile": pinball,
    }


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CASES)
def test_as_pytorch(backend, name, activation):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    loss = CASES[name]
    net, x, targets = problem(backend, loss, activation)
    weights = np.random.default_rng(1).uniform(0, 2, ROWS)
    parameters = [torch.tensor(p, requires_grad=True) for pair in net.parameters for p in pair]
    a = (torch.tensor(x) - torch.tensor(net.shift)) / torch.tensor(net.scale)
    for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        a = torch_functions(torch)[activation](a @ w + b)
    z = a @ parameters[-2] + parameters[-1]
    z = z * torch.tensor(net.output_scale) + torch.tensor(net.output_shift)
    t = torch.tensor(targets if loss.takes == "labels" else targets.astype(np.float64))
    values = torch_losses(torch)[loss.name](loss, z, t).reshape(ROWS, -1).mean(dim=1)
    share = torch.tensor(weights / weights.sum())
    expected = (values * share).sum() + 0.05 * sum((w**2).sum() for w in parameters[::2])
    expected.backward()
    value, gradients = net.loss_and_gradients(x, targets, reg=0.05, sample_weight=weights)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    ours = [g for pair in gradients for g in pair]
    for got, wanted in zip(ours, parameters, strict=True):
        # Terms that cancel are at most as large as the layer's largest gradient, times some 10.
        largest = wanted.grad.abs().max().item()
        np.testing.assert_allclose(
            got, wanted.grad.numpy(), rtol=1e-12, atol=1e-14 * max(1.0, largest)
        )
    np.testing.assert_allclose(net.forward(x), z.detach().numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layers", SEEDS)
def test_against_central_differences(layers, name, activation):
    data = problem(tl, CASES[name], activation, layers=layers, seed=SEEDS[layers])
    report = tl.check_gradients(*data, reg=0.05, h=H)
    assert report.passed(1e-7), str(report)
