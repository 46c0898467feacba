"""Optimizers: twin against PyTorch and papers, core against twin, state, descriptions."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle

import numpy as np
import pytest

from twolayer_ext import _core, optimizers, reference
from twolayer_ext.network import Network, Optimizer
from twolayer_ext.optimizers import Adam, AdamW, Lion, RmsProp, Sgd
from twolayer_ext.unset import UNSET

STEPS = 10
SIZES = (21, 37, 5)  # no multiple of a panel's width
SHAPES = [(21, 37), (37,), (37, 5), (5,)]
NAMES = ["W1", "b1", "W2", "b2"]
RATE = 0.01

KINDS = {
    "sgd": Sgd(),
    "sgd with weight decay": Sgd(weight_decay=0.1),
    "momentum": Sgd(0.9, weight_decay=0.1),
    "nesterov": Sgd(0.9, nesterov=True, weight_decay=0.1),
    "adam": Adam(),
    "adam with weight decay": Adam((0.8, 0.99), 1e-6, weight_decay=0.1),
    "adamw": AdamW(weight_decay=0.1),
    "lion": Lion(),
    "lion with weight decay": Lion((0.8, 0.95), weight_decay=0.1),
    "rmsprop": RmsProp(weight_decay=0.1),
    "rmsprop with momentum": RmsProp(0.9, 1e-6, 0.8, weight_decay=0.1),
    "centred rmsprop": RmsProp(centred=True, weight_decay=0.1),
    "centred rmsprop with momentum": RmsProp(0.95, 1e-7, 0.9, centred=True, weight_decay=0.1),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_network = pytest.mark.parametrize("network", [Network, reference.Network])


def arrays(seed, dtype="float64"):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]


def gradients_of(step, dtype="float64"):
    return arrays(100 + step, dtype)


def pairs(flat):
    return list(zip(flat[::2], flat[1::2], strict=True))


def flattened(network):
    return [array for pair in network.parameters for array in pair]


def made(network, dtype="float64"):
    result = network(SIZES, dtype=dtype)
    result.set_parameters(pairs(arrays(0, dtype)))
    return result


def assert_same_state(a, b):
    assert a.keys() == b.keys()
    assert (a["steps"], a["powers"]) == (b["steps"], b["powers"])
    for name in a.keys() - {"steps", "powers"}:
        assert a[name].dtype == b[name].dtype
        np.testing.assert_array_equal(a[name], b[name], strict=True)


def torch_optimizer(kind, parameters):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    common = {"lr": RATE, "weight_decay": kind.weight_decay}
    match kind:
        case AdamW() | Adam():
            of = torch.optim.AdamW if isinstance(kind, AdamW) else torch.optim.Adam
            return of(parameters, betas=kind.betas, eps=kind.epsilon, **common)
        case Sgd():
            return torch.optim.SGD(
                parameters, momentum=kind.momentum, nesterov=kind.nesterov, **common
            )
        case RmsProp():
            return torch.optim.RMSprop(
                parameters,
                alpha=kind.alpha,
                eps=kind.epsilon,
                momentum=kind.momentum,
                centered=kind.centred,
                **common,
            )
    raise AssertionError(kind)


# PyTorch has no Lion.
@pytest.mark.parametrize("name", [name for name in KINDS if "lion" not in name])
def test_twin_is_pytorch(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    ours = arrays(0)
    theirs = [torch.tensor(p, requires_grad=True) for p in ours]
    twin = KINDS[name].twin(ours, NAMES)
    judge = torch_optimizer(KINDS[name], theirs)
    for step in range(STEPS):
        twin.step(ours, gradients_of(step), RATE)
        for p, g in zip(theirs, gradients_of(step), strict=True):
            p.grad = torch.tensor(g)
        judge.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p, q.detach().numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", [Lion(), Lion((0.8, 0.95), weight_decay=0.3)])
def test_lion_is_the_papers(kind):
    # Algorithm 2: c = interpolation by beta1, step by its sign and the decay, m by beta2.
    beta1, beta2 = kind.betas
    ours = arrays(0)
    theta, m = [p.copy() for p in ours], [np.zeros(shape) for shape in SHAPES]
    twin = kind.twin(ours, NAMES)
    for step in range(STEPS):
        twin.step(ours, gradients_of(step), RATE)
        for i, g in enumerate(gradients_of(step)):
            c = beta1 * m[i] + (1 - beta1) * g
            theta[i] = theta[i] - RATE * (np.sign(c) + kind.weight_decay * theta[i])
            m[i] = beta2 * m[i] + (1 - beta2) * g
    for p, q in zip(ours, theta, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-14)


@each_kind
@each_dtype
def test_core_is_the_twin(kind, dtype):
    core_network, twin_network = made(Network, dtype), made(reference.Network, dtype)
    core, twin = Optimizer(core_network, kind), Optimizer(twin_network, kind)
    for step in range(STEPS):
        for optimizer in (core, twin):
            optimizer.step(pairs(gradients_of(step, dtype)), RATE)
    # A step rounds a handful of times, each time by at most half of eps of what is of the size of
    # the largest value.
    tolerance = 8 * STEPS * np.finfo(dtype).eps
    for p, q in zip(flattened(core_network), flattened(twin_network), strict=True):
        assert np.abs(p - q).max() <= tolerance * np.abs(q).max()
    ours, theirs = core.state(), twin.state()
    assert ours.keys() == theirs.keys()
    assert (ours["steps"], ours["powers"]) == (theirs["steps"], theirs["powers"])
    for name in theirs.keys() - {"steps", "powers"}:
        assert ours[name].dtype == theirs[name].dtype == dtype
        assert ours[name].shape == theirs[name].shape
        assert np.abs(ours[name] - theirs[name]).max() <= tolerance * np.abs(theirs[name]).max()


@each_dtype
@each_network
def test_centred_rmsprop_of_a_constant_gradient_stays_finite(dtype, network):
    # The variance is zero; computed, it is often a little less.
    net = made(network, dtype)
    optimizer = Optimizer(net, RmsProp(0.5, centred=True))
    for _ in range(60):
        optimizer.step(pairs(gradients_of(0, dtype)), 1e-6)
    for p in flattened(net):
        assert np.isfinite(p).all()


@each_kind
@each_dtype
@each_network
def test_state_goes_and_comes_back_to_the_bit(kind, dtype, network):
    whole = made(network, dtype)
    uninterrupted = Optimizer(whole, kind)
    for step in range(3):
        uninterrupted.step(pairs(gradients_of(step, dtype)))
    state = pickle.loads(pickle.dumps(uninterrupted.state()))
    continued = copy.deepcopy(whole)
    fresh = Optimizer(continued, kind)
    fresh.set_state(state)
    assert_same_state(fresh.state(), state)
    for step in range(3, 6):
        uninterrupted.step(pairs(gradients_of(step, dtype)))
        fresh.step(pairs(gradients_of(step, dtype)))
    for p, q in zip(flattened(continued), flattened(whole), strict=True):
        np.testing.assert_array_equal(p, q, strict=True)
    assert_same_state(fresh.state(), uninterrupted.state())
    assert state["steps"] == 3  # what was handed out and in is a copy
    assert fresh.state()["steps"] == 6


@each_kind
def test_the_core_takes_the_twins_state_and_the_other_way_round(kind):
    ours, theirs = Optimizer(made(Network), kind), Optimizer(made(reference.Network), kind)
    ours.step(pairs(gradients_of(0)))
    theirs.set_state(ours.state())
    assert_same_state(theirs.state(), ours.state())
    again = Optimizer(made(Network), kind)
    again.set_state(theirs.state())
    assert_same_state(again.state(), ours.state())


@each_kind
@each_dtype
@each_network
def test_zero_gradients_move_nothing_but_by_decay(kind, dtype, network):
    net = made(network, dtype)
    optimizer = Optimizer(net, dataclasses.replace(kind, weight_decay=0.0))
    zeros = pairs([np.zeros(shape, dtype) for shape in SHAPES])
    for _ in range(3):
        optimizer.step(zeros)
    for p, q in zip(flattened(net), arrays(0, dtype), strict=True):
        np.testing.assert_array_equal(p, q, strict=True)


@each_network
def test_lions_steps_are_all_as_long(network):
    net = made(network)
    signs = [np.resize([-1e-300, 0.0, 1e300, -0.0], shape) for shape in SHAPES]
    Optimizer(net, "lion", learning_rate=0.25).step(pairs(signs))
    for p, before, g in zip(flattened(net), arrays(0), signs, strict=True):
        np.testing.assert_array_equal(p, before - 0.25 * np.sign(g))


@each_kind
@each_dtype
def test_nan_stays_where_it_is(kind, dtype):
    core_network, twin_network = made(Network, dtype), made(reference.Network, dtype)
    flat = gradients_of(0, dtype)
    flat[0][3, 4] = flat[3][2] = np.nan
    core = _core.Optimizer(core_network.core, kind.kernel, kind.hyperparameters)
    parameters = flattened(twin_network)
    twin = kind.twin(parameters, NAMES)
    for step in range(2):
        core.step(pairs(flat if step == 0 else gradients_of(1, dtype)), RATE)
        twin.step(parameters, flat if step == 0 else gradients_of(1, dtype), RATE)
    for p, q, g in zip(flattened(core_network), parameters, flat, strict=True):
        np.testing.assert_array_equal(np.isnan(p), np.isnan(g))
        np.testing.assert_array_equal(np.isnan(q), np.isnan(g))


@each_kind
def test_descriptions(kind):
    assert optimizers.make(kind) is kind
    assert pickle.loads(pickle.dumps(kind)) == kind
    assert hash(kind) == hash(copy.copy(kind))
    assert type(kind)(**vars(kind)) == kind
    assert optimizers.OPTIMIZERS[kind.name] is type(kind)
    assert kind.learning_rate > 0
    with pytest.raises(AttributeError):
        kind.weight_decay = 1.0


@pytest.mark.parametrize(
    ("kind", "kernel"),
    [
        (Sgd(), "sgd"),
        (Sgd(0.9), "momentum"),
        (Sgd(0.9, True), "nesterov"),
        (Adam(), "adam"),
        (AdamW(), "adamw"),
        (Lion(), "lion"),
        (RmsProp(), "rmsprop"),
        (RmsProp(momentum=0.9), "rmsprop_with_momentum"),
        (RmsProp(centred=True), "centred_rmsprop"),
        (RmsProp(momentum=0.9, centred=True), "centred_rmsprop_with_momentum"),
    ],
)
def test_kernels(kind, kernel):
    assert kind.kernel == kernel
    network = made(Network)
    state = _core.Optimizer(network.core, kernel, kind.hyperparameters).state()
    kept = {name.split(".")[1] for name in state.keys() - {"steps", "powers"}}
    assert kept == set(kind.states)


def test_make_reads_the_keywords_that_are_given():
    assert optimizers.make("adam") == Adam()
    assert optimizers.make(RmsProp) == RmsProp()
    nothing = {
        "momentum": UNSET,
        "nesterov": None,
        "betas": UNSET,
        "epsilon": None,
        "weight_decay": UNSET,
        "alpha": None,
        "centred": UNSET,
    }
    for name, kind in optimizers.OPTIMIZERS.items():
        assert optimizers.make(name, **nothing) == kind()
    assert optimizers.make("sgd", momentum=0.5, nesterov=True) == Sgd(0.5, True)
    assert optimizers.make("lion", betas=[0.8, 0.9], weight_decay=1) == Lion(
        (0.8, 0.9), weight_decay=1.0
    )


@pytest.mark.parametrize(
    ("value", "keywords", "error", "message"),
    [
        ("sdg", {}, ValueError, "optimizer: 'sdg'; must be one of 'sgd', 'adam', 'adamw', "),
        (3, {}, TypeError, "optimizer: 3; must be one of 'sgd', "),
        (None, {}, TypeError, "optimizer: None; must be one of"),
        ("sgd", {"beta": 0.9}, TypeError, "make() got an unexpected keyword argument 'beta'"),
        ("adam", {"momentum": 0.9}, ValueError, "0.9 with adam; only sgd and rmsprop have it"),
        ("adam", {"nesterov": True}, ValueError, "nesterov: True with adam; only sgd has it"),
        ("sgd", {"betas": (0.9, 0.9)}, ValueError, "with sgd; only adam, adamw and lion have it"),
        ("lion", {"epsilon": 1.0}, ValueError, "only adam, adamw and rmsprop have it"),
        ("sgd", {"alpha": 0.9}, ValueError, "alpha: 0.9 with sgd; only rmsprop has it"),
        ("sgd", {"centred": False}, ValueError, "centred: False with sgd; only rmsprop has it"),
        (Sgd(), {"momentum": 0.9}, ValueError, "momentum: 0.9 together with optimizer=Sgd("),
        ("sgd", {"momentum": 1}, ValueError, "momentum: 1; must be finite and at least 0 and be"),
        ("sgd", {"momentum": "0.9"}, TypeError, "momentum: '0.9'; must be a number"),
        ("rmsprop", {"momentum": -0.1}, ValueError, "momentum: -0.1; must be"),
        ("sgd", {"nesterov": True}, ValueError, "nesterov: True without momentum; must come wi"),
        ("sgd", {"nesterov": 1}, TypeError, "nesterov: 1; must be True or False"),
        ("adam", {"betas": 0.9}, TypeError, "betas: 0.9; must be a pair of numbers"),
        ("adam", {"betas": (0.9,)}, TypeError, "betas: (0.9,); must be a pair of numbers"),
        ("adam", {"betas": (1.0, 0.9)}, ValueError, "betas[0]: 1.0; must be finite and at le"),
        ("lion", {"betas": (0.9, -1)}, ValueError, "betas[1]: -1; must be finite and at least"),
        ("adamw", {"epsilon": 0}, ValueError, "epsilon: 0; must be finite and above 0"),
        ("rmsprop", {"epsilon": -1.0}, ValueError, "epsilon: -1.0; must be finite and above 0"),
        ("rmsprop", {"alpha": 1.0}, ValueError, "alpha: 1.0; must be finite and at least 0 and"),
        ("rmsprop", {"centred": "yes"}, TypeError, "centred: 'yes'; must be True or False"),
        ("lion", {"weight_decay": -1}, ValueError, "weight_decay: -1; must be finite and at l"),
    ],
)
def test_wrong_descriptions(value, keywords, error, message):
    with pytest.raises(error) as caught:
        optimizers.make(value, **keywords)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop"])
def test_epsilon_must_be_one_in_the_dtype(name):
    for epsilon, rounded in ((1e-60, "0.0"), (1e60, "inf")):
        kind = optimizers.make(name, epsilon=epsilon)
        kind.check_dtype("float64")
        with pytest.raises(ValueError, match=f"is {rounded} in float32; must be above 0"):
            kind.check_dtype("float32")
        with pytest.raises(ValueError, match="in float32"):
            Optimizer(made(Network, "float32"), kind)
    Sgd().check_dtype("float32")


def test_unset():
    assert repr(UNSET) == "<unset>"
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET
    assert copy.deepcopy(UNSET) is UNSET
    assert "<unset>" in str(inspect.signature(lambda x=UNSET: x))


# the optimizer of own loops


@each_network
def test_own_optimizer_and_its_learning_rates(network):
    assert Optimizer(made(network)).description == Adam()
    assert Optimizer(made(network)).learning_rate == Adam.learning_rate
    net = made(network)
    optimizer = Optimizer(net, "sgd", learning_rate=0.5)
    g = gradients_of(0)
    optimizer.step(pairs(g))
    optimizer.step(pairs(g), 0.25)
    optimizer.step(pairs(g), 0)
    for p, before, of in zip(flattened(net), arrays(0), g, strict=True):
        np.testing.assert_allclose(p, before - 0.75 * of, rtol=0, atol=1e-14)
    assert optimizer.state() == {"steps": 3, "powers": (1.0, 1.0)}
    # other types and memory orders are converted
    optimizer.step(pairs([np.asfortranarray(of, dtype="float32") for of in g]))


@each_network
def test_own_optimizer_learns(network):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((200, SIZES[0]))
    y = (x[:, 0] > 0) + (x[:, 1] > 0)
    net, judge = network(SIZES, dtype="float64"), reference.Network(SIZES)
    optimizer = Optimizer(net, "adam", learning_rate=0.01)
    losses = []
    for _ in range(100):
        judge.set_parameters(net.parameters)
        loss, gradients = judge.loss_and_gradients(x, y)
        losses.append(loss)
        optimizer.step(gradients)
    assert losses[-1] < 0.1 * losses[0]


def wrong_gradients():
    def changed(layer, pair):
        result = pairs(gradients_of(0))
        result[layer] = pair
        return result

    good = pairs(gradients_of(0))
    nan = gradients_of(0)[2]
    nan[1, 1] = np.nan
    return [
        (None, TypeError, "gradients: NoneType; must be a sequence of pairs (dW, db)"),
        (good[:1], ValueError, "gradients: 1 pairs (dW, db); must be 2"),
        (changed(1, 3.0), TypeError, "gradients[1]: float; must be a pair (dW, db)"),
        (changed(1, good[1][:1]), ValueError, "gradients[1]: 1 arrays; must be a pair (dW, db)"),
        (
            changed(1, (good[1][0].T, good[1][1])),
            ValueError,
            "gradients[1][0]: shape (5, 37); must be (37, 5)",
        ),
        (
            changed(1, (good[1][0], good[0][1])),
            ValueError,
            "gradients[1][1]: shape (37,); must be (5,)",
        ),
        (changed(1, (nan, good[1][1])), ValueError, "gradients[1][0]: a value is not finite in"),
        (
            changed(1, (good[1][0] > 0, good[1][1])),
            TypeError,
            "gradients[1][0]: type bool; must be real numbers",
        ),
    ]


@each_network
@pytest.mark.parametrize(("gradients", "error", "message"), wrong_gradients())
def test_wrong_gradients_change_nothing(network, gradients, error, message):
    net = made(network)
    optimizer = Optimizer(net, "adam")
    with pytest.raises(error) as caught:
        optimizer.step(gradients)
    assert message in str(caught.value)
    for p, q in zip(flattened(net), arrays(0), strict=True):
        np.testing.assert_array_equal(p, q, strict=True)
    assert_same_state(optimizer.state(), Optimizer(net, "adam").state())


def wrong_states():
    state = Optimizer(made(reference.Network), "adam").state()
    w1 = "W1.first_moment"
    without = {name: value for name, value in state.items() if name != w1}
    return [
        ([], TypeError, "state: list; must be a dict, as state() returns it"),
        (without, ValueError, f"state: no '{w1}'; must be the state of adam"),
        ({**state, "W3.momentum": 0}, ValueError, "state: holds 'W3.momentum'; must be the state"),
        ({**state, "steps": -1}, ValueError, "state['steps']: -1; must be at least 0"),
        ({**state, "steps": 1.5}, TypeError, "state['steps']: 1.5; must be an integer"),
        ({**state, "powers": 1.0}, TypeError, "state['powers']: 1.0; must be a pair of numbers"),
        ({**state, "powers": (1, "1")}, TypeError, "state['powers']: '1'; must be a number"),
        (
            {**state, w1: state[w1].T},
            ValueError,
            f"state['{w1}']: shape (37, 21) of float64; must be (21, 37) of float64",
        ),
        (
            {**state, w1: state[w1].astype("float32")},
            ValueError,
            f"state['{w1}']: shape (21, 37) of float32; must be (21, 37) of float64",
        ),
    ]


@each_network
@pytest.mark.parametrize(("state", "error", "message"), wrong_states())
def test_wrong_states_change_nothing(network, state, error, message):
    optimizer = Optimizer(made(network), "adam")
    optimizer.step(pairs(gradients_of(0)))
    before = optimizer.state()
    with pytest.raises(error) as caught:
        optimizer.set_state(state)
    assert message in str(caught.value)
    assert_same_state(optimizer.state(), before)
    if isinstance(state, dict):  # the twin checks for itself, too
        with pytest.raises(error):
            Adam().twin(arrays(0), NAMES).set_state(state)


def test_wrong_arguments_of_own_optimizer():
    net = made(Network)
    with pytest.raises(TypeError, match="network: None; must be a Network"):
        Optimizer(None)
    with pytest.raises(ValueError, match="learning_rate: 0; must be finite and above 0"):
        Optimizer(net, learning_rate=0)
    with pytest.raises(ValueError, match="with adam; only sgd and rmsprop have it"):
        Optimizer(net, "adam", momentum=0.9)
    with pytest.raises(ValueError, match="learning_rate: -1; must be finite and at least 0"):
        Optimizer(net).step(pairs(gradients_of(0)), -1)
