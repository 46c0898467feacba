"""Learning-rate schedules: against PyTorch's, in train(), and every wrong one."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext import schedules
from twolayer_ext.engine import Techniques

QUICK = {
    "hidden_sizes": (8,),
    "optimizer": "sgd",
    "batch_size": 16,
    "learning_rate": 0.1,
    "progress": False,
}


def factors(schedule, steps):
    return [schedule(step, steps) for step in range(steps)]


# the functions


def test_step_at_milestones():
    assert factors(schedules.step(milestones=(0.25, 0.5), factor=0.5), 8) == [
        *[1, 1], *[0.5, 0.5], *[0.25] * 4,
    ]  # fmt: skip
    assert factors(schedules.step(milestones=()), 3) == [1, 1, 1]


@pytest.mark.parametrize(
    ("share", "steps", "changes"),
    [(0.1, 30, range(3, 30, 3)), (1 / 3, 100, (33, 67)), (0.4, 10, (4, 8)), (0.9, 1, ())],
)
def test_step_every(share, steps, changes):
    """Shares that are no binary fractions hit the nearest step, and none is left over."""
    expected = [0.5 ** sum(step >= change for change in changes) for step in range(steps)]
    assert factors(schedules.step(every=share, factor=0.5), steps) == expected


def test_a_step_every_next_to_nothing():
    assert factors(schedules.step(every=5e-324), 3) == [0, 0, 0]


def test_cosine():
    assert factors(schedules.cosine(), 4) == pytest.approx(
        [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    )
    assert factors(schedules.cosine(warmup=0.3, final=0.5), 10)[:4] == [0.25, 0.5, 0.75, 1]
    assert min(factors(schedules.cosine(warmup=0.3, final=0.5), 10)[1:]) >= 0.5


def test_one_cycle():
    values = factors(schedules.one_cycle(peak_at=0.3, start=0.1, final=0.01), 10)
    assert values[0] == pytest.approx(0.1)
    assert values[2] == 1
    assert values[-1] == pytest.approx(0.01)
    assert values[:3] == sorted(values[:3])
    assert values[2:] == sorted(values[2:], reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    "schedule",
    [
        schedules.step(every=0.3),
        schedules.step(milestones=(0.01, 0.99)),
        schedules.cosine(),
        schedules.cosine(warmup=0.99),
        schedules.one_cycle(),
        schedules.one_cycle(peak_at=0.5),
        schedules.one_cycle(peak_at=0.99, start=0, final=0),
    ],
)
def test_runs_of_any_length(schedule, steps):
    assert all(0 <= factor <= 1 for factor in factors(schedule, steps))


def torch_rates(steps, make):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        (
            schedules.step(every=0.25, factor=0.3),
            lambda lr, optimizer: lr.StepLR(optimizer, 10, gamma=0.3),
        ),
        (
            schedules.step(milestones=(0.3, 0.8), factor=0.3),
            lambda lr, optimizer: lr.MultiStepLR(optimizer, [12, 32], gamma=0.3),
        ),
        (
            schedules.cosine(final=0.05),
            lambda lr, optimizer: lr.CosineAnnealingLR(optimizer, 40, eta_min=0.05),
        ),
        (
            schedules.cosine(warmup=0.1),
            lambda lr, optimizer: lr.SequentialLR(
                optimizer,
                [lr.LinearLR(optimizer, 1 / 5, 1, 4), lr.CosineAnnealingLR(optimizer, 36)],
                [4],
            ),
        ),
        (
            schedules.one_cycle(),
            lambda lr, optimizer: lr.OneCycleLR(
                optimizer, 1.0, total_steps=40, final_div_factor=400, cycle_momentum=False
            ),
        ),
        (
            schedules.one_cycle(peak_at=0.4, start=0.1, final=0.01),
            lambda lr, optimizer: lr.OneCycleLR(
                optimizer, 1.0, total_steps=40, pct_start=0.4, div_factor=10, final_div_factor=10,
                cycle_momentum=False,
            ),
        ),
    ],
    ids=["StepLR", "MultiStepLR", "CosineAnnealingLR", "warmup", "OneCycleLR", "OneCycleLR 2"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # SequentialLR's own use
def test_rates_are_those_of_pytorch(schedule, theirs):
    # CosineAnnealingLR goes from rate to rate, and so gathers a rounding or two a step.
    bound = 4 * 40 * np.finfo(float).eps
    np.testing.assert_allclose(factors(schedule, 40), torch_rates(40, theirs), rtol=0, atol=bound)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: schedules.step(),
            ValueError,
            "milestones: None with every: None; must be exactly",
        ),
        (lambda: schedules.step(milestones=(0.5,), every=0.5), ValueError, "milestones: .* every"),
        (lambda: schedules.step(milestones=0.5), TypeError, "milestones: 0.5; must be a sequence"),
        (lambda: schedules.step(milestones=(0.5, 3)), ValueError, r"milestones\[1\]: 3; must be"),
        (lambda: schedules.step(every=0), ValueError, "every: 0; must be"),
        (lambda: schedules.step(every="1"), TypeError, "every: '1'; must be a number"),
        (lambda: schedules.step(every=0.5, factor=1), ValueError, "factor: 1; must be"),
        (lambda: schedules.cosine(warmup=1), ValueError, "warmup: 1; must be"),
        (lambda: schedules.cosine(final=-1), ValueError, "final: -1; must be"),
        (lambda: schedules.one_cycle(peak_at=1), ValueError, "peak_at: 1; must be"),
        (lambda: schedules.one_cycle(start=math.nan), ValueError, "start: nan; must be"),
        (lambda: schedules.one_cycle(final=None), TypeError, "final: None; must be a number"),
    ],
)
def test_wrong_parameters(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make()


# in train()


def test_history_tells_the_rate_of_each_epochs_first_step(backend, blobs):
    asked = []

    def schedule(step, steps):
        asked.append((step, steps))
        return 1 / (step + 1)

    history = backend.train(*blobs, **QUICK, epochs=3, max_steps=14, schedule=schedule).history
    assert asked == [(step, 14) for step in range(14)]
    assert history["learning_rate"] == pytest.approx([0.1, 0.1 / 7, 0.1 / 13])


def test_a_rate_of_zero_changes_nothing(backend, blobs, same_bits):
    """Every step has its own rate, within a call of the engine too."""
    options = {**QUICK, "shuffle": False}
    whole = backend.train(*blobs, **options, max_steps=4, schedule=lambda step, _: float(step < 2))
    part = backend.train(*blobs, **options, max_steps=2, learning_rate_decay=1.0)
    assert same_bits(whole.network, part.network)


def test_constant_is_no_decay(backend, blobs, same_bits):
    one = backend.train(*blobs, **QUICK, epochs=3, schedule=lambda step, steps: 1)
    other = backend.train(*blobs, **QUICK, epochs=3, learning_rate_decay=1.0)
    assert same_bits(one.network, other.network)
    assert one.history["step_loss"] == other.history["step_loss"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("schedule", [schedules.cosine(0.1), schedules.one_cycle()])
def test_compiled_and_numpy_agree(pixels, optimizer, schedule):
    options = {
        "hidden_sizes": (33,), "batch_size": 16, "max_steps": 100, "reg": 0.01,
        "optimizer": optimizer, "learning_rate": 0.05 if optimizer == "sgd" else 1e-3,
        "weight_decay": 1e-3, "dtype": "float64", "schedule": schedule, "progress": False,
    }  # fmt: skip
    results = [backend.train(*pixels, **options) for backend in (tl, tl.reference)]
    # A step rounds a parameter once, and moves it by a rate times sums over up to 40 features.
    bound = 100 * (1 + 0.05 * 40) * np.finfo(float).eps
    losses = [result.history["step_loss"] for result in results]
    np.testing.assert_allclose(*losses, rtol=bound, atol=bound)
    for pairs in zip(*(result.network.parameters for result in results), strict=True):
        for a, b in zip(*pairs, strict=True):
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound)
    rates = [result.history["learning_rate"] for result in results]
    assert rates[0] == rates[1]


@pytest.mark.parametrize("compute_dtype", [None, "bfloat16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_threads_and_calls_do_not_change_a_bit(
    pixels, same_bits, monkeypatch, optimizer, compute_dtype
):
    def run(threads):
        return tl.train(
            *pixels, hidden_sizes=(150, 33), batch_size=65, max_steps=40,
            learning_rate=1e-3, optimizer=optimizer, compute_dtype=compute_dtype, threads=threads,
            schedule=schedules.one_cycle(), progress=False,
        )  # fmt: skip

    expected = run(1)
    others = [run(threads) for threads in (2, 3, 4)]
    monkeypatch.setattr("twolayer_ext.training.steps._SHORT_CALL", -1)  # one batch a call
    monkeypatch.setattr("twolayer_ext.training.steps._LONG_CALL", 0)
    others.append(run(2))
    for result in others:
        assert same_bits(result.network, expected.network)
        assert result.history["step_loss"] == expected.history["step_loss"]


def test_the_compiled_trainer_wants_a_rate_for_every_step(blobs):
    net = tl.Network((6, 3), dtype="float64")
    trainer = net.engine.trainer(
        net.core, optimizer=tl.optimizers.Sgd(), loss=net.engine.loss(net.loss, 3, None),
        techniques=Techniques(), reg=0.0, batch_size=10, threads=1, compute_dtype=None,
    )  # fmt: skip
    x, y = blobs
    rows = np.arange(25)
    with pytest.raises(ValueError, match="learning_rates: one element a step"):
        trainer.run(x, y, rows, np.ones(2), np.zeros(3))
    with pytest.raises(TypeError):
        trainer.run(x, y, rows, np.ones(3, np.float32), np.zeros(3))
    assert trainer.run(x, y, rows, np.ones(3), np.zeros(3))[0] == 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"schedule": "cosine"}, TypeError, "schedule: 'cosine'; must be a function"),
        (
            {"schedule": schedules.cosine(), "learning_rate_decay": 0.95},
            ValueError,
            "learning_rate_decay: 0.95 together with schedule",
        ),
        (
            {"schedule": lambda step, steps: math.nan if step == 59 else 1},
            ValueError,
            r"schedule\(59, 60\): nan; must be finite and at least 0",
        ),
        ({"schedule": lambda *_: -0.1}, ValueError, r"schedule\(0, 60\): -0.1; must be"),
        ({"schedule": lambda *_: None}, TypeError, r"schedule\(0, 60\): None; must be a number"),
    ],
)
def test_wrong_schedules_are_found_before_training(
    backend, blobs, same_bits, arguments, error, message
):
    net = backend.Network((6, 8, 3))
    before = copy.deepcopy(net)
    with pytest.raises(error, match=f"^{message}"):
        backend.train(*blobs, network=net, batch_size=16, epochs=10, **arguments)
    assert same_bits(net, before)
