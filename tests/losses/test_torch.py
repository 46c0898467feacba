"""PyTorch's definitions: values and gradients in float64."""

from __future__ import annotations

import numpy as np
import pytest

from loss_cases import CASES, sample

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
F = torch.nn.functional


def smoothed(loss, t):
    return t * (1 - loss.label_smoothing) + loss.label_smoothing / 2


def pinball(loss, z, t):
    q = torch.tensor(loss.parameters(z.shape[1]))
    e = t.repeat_interleave(loss.outputs_per_target, dim=1) - z
    return torch.maximum(q * e, (q - 1) * e).mean(dim=1)


VALUES = {
    "cross_entropy": lambda loss, z, t: F.cross_entropy(
        z, t, reduction="none", label_smoothing=loss.label_smoothing
    ),
    "logistic": lambda loss, z, t: F.binary_cross_entropy_with_logits(
        z, smoothed(loss, t), reduction="none"
    ).mean(dim=1),
    "squared_error": lambda loss, z, t: F.mse_loss(z, t, reduction="none").mean(dim=1),
    "absolute_error": lambda loss, z, t: F.l1_loss(z, t, reduction="none").mean(dim=1),
    "huber": lambda loss, z, t: F.huber_loss(z, t, reduction="none", delta=loss.delta).mean(dim=1),
    "poisson": lambda loss, z, t: F.poisson_nll_loss(z, t, reduction="none").mean(dim=1),
    "quantile": pinball,
}


@pytest.mark.parametrize("columns", [2, 5, 130])
@pytest.mark.parametrize("loss", CASES.values(), ids=CASES)
def test_values_and_gradients(loss, columns):
    outputs, targets = sample(loss, columns=columns)
    z = torch.tensor(outputs, requires_grad=True)
    t = torch.tensor(targets if loss.takes == "labels" else targets.astype(np.float64))
    expected = VALUES[loss.name](loss, z, t)
    expected.sum().backward()
    values, gradient = loss.value_and_gradient(outputs, targets)
    # Losses and gradients are of order 1 before anything cancels.
    np.testing.assert_allclose(values, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gradient, z.grad.numpy(), rtol=1e-12, atol=1e-15)
