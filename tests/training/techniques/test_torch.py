"""PyTorch as a second opinion on training techniques: gradients, and ten steps of training."""

from __future__ import annotations

import numpy as np
import pytest

from twolayer_ext.reference.chance import dropout_mask

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
torch.set_num_threads(1)  # these products are tiny, a second pool of threads is in the way

SIZES = (40, 33, 16, 5)
STEPS, BATCH = 10, 15
SEED = 4
CLASS_WEIGHTS = [0.5, 2.0, 1.0, 3.0, 0.0]
OPTIMIZERS = {
    "sgd": (
        {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01},
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    ),
    "adam": (
        {"optimizer": "adam", "learning_rate": 0.01},
        lambda p: torch.optim.Adam(p, lr=0.01),
    ),
    "adamw": (
        {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1},
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    ),
}
TECHNIQUES = {
    "dropout": {"dropout": (0.3, 0.5)},
    "batch_norm": {"batch_norm": True},
    "label_smoothing": {"label_smoothing": 0.1},
    "class_weight": {"class_weight": CLASS_WEIGHTS},
    "clip_norm": {"clip_norm": 0.5},
    "all": {"dropout": (0.3, 0.5), "batch_norm": True, "label_smoothing": 0.1, "clip_norm": 0.5},
}


class Model(torch.nn.Module):
    """Linear layers without bias, BatchNorm1d where wanted, and the twin's masks."""

    def __init__(self, net, activation, *, batch_norm=False, dropout=(), **_):
        super().__init__()
        self.activation = {"relu": torch.relu, "tanh": torch.tanh}[activation]
        self.dropout = dropout
        arrays = net.parameters
        self.weights = torch.nn.ParameterList([torch.tensor(w) for w, _ in arrays])
        self.norms = torch.nn.ModuleList(
            torch.nn.BatchNorm1d(len(b), dtype=getattr(torch, net.dtype))
            for _, b in arrays[:-1] if batch_norm
        )  # fmt: skip
        for norm, (_, bias) in zip(self.norms, arrays, strict=False):
            norm.bias.data = torch.tensor(bias)
        own = arrays[len(self.norms) :]
        self.own_biases = torch.nn.ParameterList([torch.tensor(b) for _, b in own])
        self.biases = [*(norm.bias for norm in self.norms), *self.own_biases]  # of each layer

    def forward(self, x, step=0):
        for i, weights in enumerate(self.weights):
            z = x @ weights
            z = self.norms[i](z) if i < len(self.norms) else z + self.biases[i]
            if i == len(self.weights) - 1:
                return z
            x = self.activation(z)
            if self.dropout and self.training:
                mask = dropout_mask(self.dropout[i], SEED, step, i, tuple(x.shape))
                x = x * torch.tensor(mask).to(x.dtype)
        raise AssertionError


def criterion(dtype, *, label_smoothing=0.0, class_weight=None, **_):
    weight = None if class_weight is None else torch.tensor(class_weight).to(getattr(torch, dtype))
    return torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=label_smoothing)


def normalized(x, dtype):
    return (torch.tensor(x).to(getattr(torch, dtype)) - 127.5) / 70


def make(backend, dtype, activation):
    return backend.Network(
        SIZES, activation=activation, dtype=dtype, normalize=(127.5, 70), seed=SEED
    )


def bound(dtype, steps=1):
    """Each pass sums over features, units and samples; steps add up.

    Normalisation divides by a deviation near 1/2 here, and each step's error is in the next one's.
    """
    return 4 * steps * (sum(SIZES) + 150) * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("name", [name for name in TECHNIQUES if name != "clip_norm"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_and_every_gradient(backend, pixels, dtype, name, activation):
    x, y = pixels
    technique = TECHNIQUES[name]
    net = make(backend, dtype, activation)
    rng = np.random.default_rng(7)
    net.set_parameters([(w, 0.3 * rng.normal(size=b.shape)) for w, b in net.parameters])
    model = Model(net, activation, **technique)
    options = {k: v for k, v in technique.items() if k in ("dropout", "label_smoothing")}
    if "batch_norm" in technique:
        options["gammas"] = [rng.uniform(0.5, 1.5, size) for size in SIZES[1:-1]]
        for norm, gamma in zip(model.norms, options["gammas"], strict=True):
            norm.weight.data = torch.tensor(gamma).to(norm.weight.dtype)
    if "class_weight" in technique:
        options["sample_weight"] = np.array(CLASS_WEIGHTS)[y]
    expected = criterion(dtype, **technique)(model(normalized(x, dtype)), torch.tensor(y))
    expected.backward()
    loss, gradients = net.loss_and_gradients(x, y, seed=SEED, **options)
    assert loss == pytest.approx(expected.item(), rel=bound(dtype))
    for i, ours in enumerate(gradients):
        theirs = [model.weights[i], model.biases[i]]
        if i < len(model.norms):
            theirs.append(model.norms[i].weight)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b.grad.numpy(), rtol=bound(dtype), atol=bound(dtype))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", TECHNIQUES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ten_steps(backend, pixels, dtype, name, optimizer):
    """Losses; then, with all statistics folded, the network's logits for all rows."""
    x, y = pixels
    technique = TECHNIQUES[name]
    options, make_optimizer = OPTIMIZERS[optimizer]
    model = Model(make(backend, dtype, "tanh"), "tanh", **technique)
    theirs = make_optimizer(list(model.parameters()))
    losses, clipped = [], 0
    for step in range(STEPS):
        rows = slice(BATCH * step, BATCH * step + BATCH)
        theirs.zero_grad()
        loss = criterion(dtype, **technique)(
            model(normalized(x[rows], dtype), step), torch.tensor(y[rows])
        )
        loss.backward()
        if "clip_norm" in technique:
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), technique["clip_norm"])
            clipped += int(norm > technique["clip_norm"])
        theirs.step()
        losses.append(loss.item())
    assert clipped == 0 or clipped == STEPS
    assert bool(clipped) == ("clip_norm" in technique)
    result = backend.train(
        x, y, hidden_sizes=SIZES[1:-1], activation="tanh", dtype=dtype, normalize=(127.5, 70),
        seed=SEED, batch_size=BATCH, epochs=1, shuffle=False, learning_rate_decay=1.0,
        progress=False,
        **options, **technique,
    )  # fmt: skip
    tolerance = bound(dtype, STEPS)
    np.testing.assert_allclose(result.history["step_loss"], losses, rtol=tolerance, atol=tolerance)
    model.eval()
    with torch.no_grad():
        logits = model(normalized(x, dtype))
        expected = torch.log_softmax(logits, dim=1).numpy()
    np.testing.assert_allclose(
        np.log(result.network.predict_proba(x)), expected, rtol=tolerance, atol=tolerance
    )
    for i, (weights, bias) in enumerate(result.network.parameters):
        folded = [model.weights[i].detach(), model.biases[i].detach()]
        if i < len(model.norms):
            norm = model.norms[i]
            factor = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
            folded = [folded[0] * factor, folded[1] - norm.running_mean * factor]
        for ours, expected in zip((weights, bias), folded, strict=True):
            np.testing.assert_allclose(ours, expected.numpy(), rtol=tolerance, atol=tolerance)
