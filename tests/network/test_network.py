from __future__ import annotations

import copy
import pickle
import time

import numpy as np
import pytest

import twolayer_ext as tl
from interrupts import CtrlC
from twolayer_ext.activations import ACTIVATIONS

SIZES = (40, 12, 5)


@pytest.fixture
def net(backend):
    return backend.Network(SIZES, seed=1, dtype="float64", normalize=(127.5, 70))


def test_attributes(backend):
    net = backend.Network(
        [4, 3, 2], activation="tanh", dtype="float32", normalize=([1, 2, 3, 4], 2)
    )
    assert net.layer_sizes == (4, 3, 2)
    assert net.activation == "tanh"
    assert net.dtype == "float32"
    np.testing.assert_array_equal(net.shift, [1, 2, 3, 4])
    np.testing.assert_array_equal(net.scale, [2, 2, 2, 2])
    assert [(w.shape, b.shape) for w, b in net.parameters] == [((4, 3), (3,)), ((3, 2), (2,))]
    assert "Network(layer_sizes=(4, 3, 2), activation='tanh', dtype='float32')" in repr(net)


def test_what_is_handed_out_are_copies(net):
    before = net.parameters
    net.parameters[0][0][:] = 7
    net.shift[:] = 7
    np.testing.assert_array_equal(net.parameters[0][0], before[0][0])
    assert (net.shift == 127.5).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer_sizes": (4,)}, "layer_sizes: .*at least 2 entries"),
        ({"layer_sizes": (4, 0, 2)}, r"layer_sizes\[1\]: 0"),
        ({"layer_sizes": (4, 3, 1)}, "layer_sizes: 1 output; must have at least 2 classes"),
        ({"activation": "step"}, "activation: 'step'; must be one of .*'relu', 'tanh'"),
        ({"loss": "hinge"}, "loss: 'hinge'; must be one of 'cross_entropy', 'logistic'"),
        ({"layer_sizes": (4, 2), "loss": "quantile"}, "layer_sizes: 2 outputs; .* the 3 levels"),
        ({"normalize_targets": (0, 1)}, "normalize_targets: a pair with loss 'cross_entropy'"),
        ({"init": "xavier"}, "init: 'xavier'"),
        ({"dtype": "float16"}, "dtype: 'float16'; must be 'float32' or 'float64'"),
        ({"dtype": None}, "dtype: None"),
        ({"seed": -1}, "seed: -1"),
        ({"normalize": "standard"}, "normalize: 'standard' needs training data"),
        ({"normalize": (0, [1, 2])}, r"normalize: its scale has shape \(2,\)"),
    ],
)
def test_wrong_values(backend, arguments, message):
    with pytest.raises(ValueError, match=message):
        backend.Network(**{"layer_sizes": (4, 3, 2), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer_sizes": 4}, "layer_sizes: 4; must be a sequence"),
        ({"layer_sizes": "432"}, "layer_sizes: '432'"),
        ({"layer_sizes": (4, 3.0, 2)}, r"layer_sizes\[1\]: 3.0"),
        ({"activation": None}, "activation: None"),
        ({"seed": 1.5}, "seed: 1.5"),
    ],
)
def test_wrong_types(backend, arguments, message):
    with pytest.raises(TypeError, match=message):
        backend.Network(**{"layer_sizes": (4, 3, 2), **arguments})


def test_predictions_fit_together(net, pixels):
    x, y = pixels
    probabilities = net.predict_proba(x)
    assert probabilities.shape == (150, 5)
    # Sums of five rounded numbers below 1.
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=5 * np.finfo(float).eps)
    classes = net.predict(x)
    assert classes.dtype == np.int64
    np.testing.assert_array_equal(classes, probabilities.argmax(axis=1))
    loss, accuracy = net.evaluate(x, y)
    assert isinstance(loss, float)
    assert accuracy == (classes == y).mean()
    expected = -np.log(probabilities[np.arange(150), y]).mean()
    assert loss == pytest.approx(expected, rel=1e-13)
    assert net.loss_and_gradients(x, y)[0] == pytest.approx(loss, rel=1e-13)


def test_reg_adds_squares_of_weights_only(net, pixels):
    w_sum = sum((w**2).sum() for w, _ in net.parameters)
    plain, gradients = net.loss_and_gradients(*pixels)
    loss, regularised = net.loss_and_gradients(*pixels, reg=0.3)
    assert loss == pytest.approx(plain + 0.3 * w_sum, rel=1e-14)
    for (dw, db), (rw, rb), (w, _) in zip(gradients, regularised, net.parameters, strict=True):
        np.testing.assert_allclose(rw, dw + 0.6 * w, atol=1e-14)
        np.testing.assert_array_equal(rb, db)


@pytest.mark.parametrize("rows", [1, 2, 4095, 4096, 4097, 9000])
def test_many_rows_are_the_same_as_few(backend, rows):
    net = backend.Network((3, 2), dtype="float64")
    x = np.random.default_rng(0).normal(size=(rows, 3))
    y = np.arange(rows) % 2
    whole = net.predict_proba(x)
    single = np.concatenate([net.predict_proba(row[None]) for row in x[:: rows // 9 + 1]])
    # NumPy's products of one row and of many may sum in another order: 3 terms and exp.
    np.testing.assert_allclose(whole[:: rows // 9 + 1], single, rtol=10 * np.finfo(float).eps)
    np.testing.assert_array_equal(net.predict(x), whole.argmax(axis=1))
    expected = -np.log(whole[np.arange(rows), y]).mean()
    assert net.evaluate(x, y)[0] == pytest.approx(expected, rel=rows * np.finfo(float).eps + 1e-15)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1][::-1],
        lambda x: np.ascontiguousarray(x[::-1])[::-1],
        lambda x: np.hstack([x, x])[:, : x.shape[1]],
        lambda x: x.astype(x.dtype.newbyteorder(">")),
        lambda x: x.astype("float32"),
        lambda x: x.astype("float64"),
        lambda x: x.astype("int64"),
        lambda x: x.astype("float16"),
        lambda x: x.tolist(),
    ],
    ids=["fortran", "columns", "rows", "twice reversed", "reversed", "part of wider", "big-endian",
         "float32", "float64", "int64", "float16", "list"],
)  # fmt: skip
def test_layout_and_type_of_x_do_not_matter(net, pixels, view):
    x, y = pixels
    given = view(x)
    if isinstance(given, np.ndarray):
        given.setflags(write=False)
    np.testing.assert_array_equal(net.predict_proba(given), net.predict_proba(x))
    assert net.evaluate(given, y) == net.evaluate(x, y)
    assert net.loss_and_gradients(given, y)[0] == net.loss_and_gradients(x, y)[0]


@pytest.mark.parametrize(
    "x",
    [np.float64([[np.nan] * 40]), np.zeros((2, 39)), np.zeros((0, 40)), np.zeros((2, 4, 10))],
    ids=["nan", "features", "no rows", "images"],
)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "evaluate", "loss_and_gradients"])
def test_every_method_checks_x(net, method, x):
    y = () if method.startswith("predict") else (np.zeros(len(x), int),)
    with pytest.raises(ValueError, match=r"^x: "):
        getattr(net, method)(x, *y)


@pytest.mark.parametrize("method", ["evaluate", "loss_and_gradients"])
def test_every_method_checks_y(net, method):
    with pytest.raises(ValueError, match=r"y: 5 in row 1; labels must be in 0 \.\.\. 4"):
        getattr(net, method)(np.zeros((2, 40)), [0, 5])
    with pytest.raises(ValueError, match=r"y: 1\.5 in row 1; labels must be in 0 \.\.\. 4"):
        getattr(net, method)(np.zeros((2, 40)), [0.0, 1.5])
    with pytest.raises(TypeError, match="y: type <U1; labels must be numbers, such as 0"):
        getattr(net, method)(np.zeros((2, 40)), ["a", "b"])
    assert getattr(net, method)(np.zeros((2, 40)), [0.0, 1.0])[0] > 0  # whole floats are labels


def test_other_arguments_are_checked(net):
    x, y = np.zeros((2, 40)), [0, 1]
    with pytest.raises(ValueError, match="reg: -1; must be finite and at least 0"):
        net.loss_and_gradients(x, y, reg=-1)
    for call in (net.predict, net.predict_proba):
        with pytest.raises(ValueError, match="threads: 0"):
            call(x, threads=0)
    for call in (net.evaluate, net.loss_and_gradients):
        with pytest.raises(TypeError, match=r"threads: 1\.5"):
            call(x, y, threads=1.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_threads_do_not_change_a_bit(pixels, activation, dtype):
    net = tl.Network((40, 70, 33, 5), activation=activation, dtype=dtype, normalize=(127.5, 70))
    x, y = pixels
    for threads in (2, 3, 4, 7):
        for method, arguments in (("predict_proba", (x,)), ("evaluate", (x, y))):
            one = getattr(net, method)(*arguments, threads=1)
            np.testing.assert_array_equal(getattr(net, method)(*arguments, threads=threads), one)
        loss, gradients = net.loss_and_gradients(x, y, reg=0.1, threads=1)
        other, others = net.loss_and_gradients(x, y, reg=0.1, threads=threads)
        assert loss == other
        for pair, pair_of_one in zip(others, gradients, strict=True):
            for a, b in zip(pair, pair_of_one, strict=True):
                np.testing.assert_array_equal(a, b)


def test_set_parameters(net):
    new = [(np.ones((40, 12), int), np.zeros(12)), (np.full((12, 5), 0.5), list(range(5)))]
    net.set_parameters(new)
    for got, given in zip(net.parameters, new, strict=True):
        for a, b in zip(got, given, strict=True):
            assert a.dtype == np.float64
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda p: None, TypeError, "parameters: NoneType; must be a sequence of pairs"),
        (iter, TypeError, "parameters: list_iterator; must be a sequence of pairs"),
        (lambda p: np.array(1), TypeError, "parameters: ndarray; must be a sequence of pairs"),
        (lambda p: [1, 2], TypeError, r"parameters\[0\]: int; must be a pair \(W, b\)"),
        (lambda p: [p[0], (None, None)], TypeError, r"parameters\[1\]\[0\]: NoneType"),
        (lambda p: [p[0], ([[1], [1, 2]], 1)], ValueError, r"parameters\[1\]\[0\]: .*inhomog"),
        (lambda p: p[:1], ValueError, r"parameters: 1 pairs \(W, b\); must be 2"),
        (lambda p: [p[0], p[1][:1]], ValueError, r"parameters\[1\]: 1 arrays"),
        (lambda p: [p[0], (p[1][0].T, p[1][1])], ValueError, r"parameters\[1\]\[0\]: shape"),
        (lambda p: [p[0], (p[1][0], p[1][1][:1])], ValueError, r"parameters\[1\]\[1\]: shape"),
        (lambda p: [p[0], (p[1][0] * np.nan, p[1][1])], ValueError, "not finite in float64"),
        (lambda p: [p[0], (p[1][0].astype(complex), p[1][1])], TypeError, "type complex128"),
    ],
)
def test_set_parameters_changes_all_or_nothing(net, same_bits, change, error, message):
    before = copy.deepcopy(net)
    doubled = [(2 * w, b + 1) for w, b in net.parameters]
    with pytest.raises(error, match=message):
        net.set_parameters(change(doubled))
    assert same_bits(net, before)


def test_conversion_to_a_type_that_cannot_hold_the_network(backend):
    net = backend.Network((2, 2), dtype="float64", normalize=(0, 1e-300))
    with pytest.raises(ValueError, match="its scale is zero or not finite in float32"):
        net.astype("float32")


def test_parameters_must_be_finite_in_the_networks_type(backend):
    net = backend.Network((2, 2), dtype="float32")
    with pytest.raises(ValueError, match="not finite in float32"):
        net.set_parameters([(np.full((2, 2), 1e39), np.zeros(2))])


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_clones_are_equal_and_independent(net, pixels, same_bits, clone):
    other = clone(net)
    assert type(other) is type(net)
    assert same_bits(other, net)
    assert other.activation == net.activation
    np.testing.assert_array_equal(other.predict_proba(pixels[0]), net.predict_proba(pixels[0]))
    other.set_parameters([(w * 2, b) for w, b in other.parameters])
    assert not same_bits(other, net)


def test_rows_of_one_repeated_row_are_read_in_place(net):
    row = np.random.default_rng(0).integers(0, 256, (1, 40), dtype=np.uint8)
    many = np.broadcast_to(row, (10_000, 40))
    np.testing.assert_array_equal(net.predict(many), np.full(10_000, net.predict(row)[0]))


@pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="no clock of a thread's CPU time here"
)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "evaluate"])
def test_interrupt_is_honoured_within_100_ms(method):
    # Without vector instructions a multiply-add is emulated, some hundred times slower.
    slow = tl.build_info()["isa"] == "portable"
    net = tl.Network((1000, 4 if slow else 500, 10))
    x = np.broadcast_to(np.zeros((1, 1000), np.uint8), (3_000_000, 1000))  # 3 GB that are not there
    arguments = (x, np.zeros(len(x), np.int64)) if method == "evaluate" else (x,)
    delays = []
    for _ in range(3):
        ctrl_c = CtrlC()

        def call(ctrl_c=ctrl_c):
            ctrl_c.send_after(0.2)
            getattr(net, method)(*arguments)

        with pytest.raises(KeyboardInterrupt):
            call()
        delays.append(ctrl_c.worked_on())
    assert min(delays) < 0.1
    assert np.isfinite(net.predict_proba(x[:10])).all()


@pytest.mark.parametrize("value", [1e308, 10**308, 10**400, np.longdouble("1e4000")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "arguments",
    [
        lambda v: {"layer_sizes": (v, 2)},
        lambda v: {"layer_sizes": (4, v, 2)},
        lambda v: {"init": v},
        lambda v: {"activation": v},
        lambda v: {"loss": v},
        lambda v: {"normalize": (2 * v, 1)},
        lambda v: {"normalize": (0, 2 * v)},
        lambda v: {"normalize_targets": (2 * v, 1), "loss": "poisson"},
        lambda v: {"normalize_targets": (0, 2 * v), "loss": "squared_error"},
    ],
)
def test_huge_arguments_are_refused_by_name(backend, arguments, dtype, value):
    given = arguments(value)
    with np.errstate(over="ignore"), pytest.raises((ValueError, TypeError)) as caught:
        backend.Network(**{"layer_sizes": (4, 2), "dtype": dtype} | given)
    assert str(caught.value).startswith(next(iter(given)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_near_ties_are_decided_by_the_outputs_everywhere(backend, dtype):
    """Where probabilities are rounded to the same number, outputs still tell."""
    network = backend.Network((1, 3), dtype=dtype)
    nearly = 1 + np.finfo(dtype).eps
    network.set_parameters([([[1.0, nearly, 0.2]], [0.0, 0.0, 0.0])])
    x = np.random.default_rng(0).uniform(0.1, 1, (2000, 1)).astype(dtype)
    labels = network.predict(x)
    np.testing.assert_array_equal(labels, network.forward(x).argmax(axis=1))
    assert (labels != network.predict_proba(x).argmax(axis=1)).any()
    assert network.evaluate(x, labels)[1] == 1.0
