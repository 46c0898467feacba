"""Any array in any memory, any option: the core and the NumPy twin take or refuse the same, with
the same words, and compute the same.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import twolayer_ext as tl

DTYPES = (
    *("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", ">f4", ">i2"),
    *("c8", "O", "S3", "U3", "M8[s]", "m8[s]", "V4"),
)
SPECIAL = (np.nan, np.inf, -np.inf, 5e-324, 1e-40, 1e308, 3.5e38, 65505.0, -0.0, 2.0**53, 2.0**63)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def misaligned(x):
    room = np.zeros(x.nbytes + 1, np.uint8)
    result = room[1:].view(x.dtype).reshape(x.shape) if x.dtype.kind != "O" and x.nbytes else x
    result[...] = x
    return result


def gaps(x):
    if x.ndim < 1:
        return x
    room = np.zeros((*x.shape[:-1], 3 * x.shape[-1] + 5), x.dtype)
    room[..., 2 : 2 + 3 * x.shape[-1] : 3] = x
    return room[..., 2 : 2 + 3 * x.shape[-1] : 3]


LAYOUTS = {
    "as it is": lambda x: x,
    "columns first": np.asfortranarray,
    "backwards": lambda x: x[::-1].copy()[::-1],
    "columns backwards": lambda x: x[..., ::-1].copy()[..., ::-1],
    "one row for all": lambda x: np.broadcast_to(x[:1], x.shape),
    "one column for all": lambda x: np.broadcast_to(x[..., :1], x.shape),
    "read-only": read_only,
    "misaligned": misaligned,
    "gaps": gaps,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder("S")),
    "one row, the next far away": lambda x: as_strided(x[:1], strides=(2**62, *x.strides[1:])),
    "a list": lambda x: x.tolist(),
}


@st.composite
def arrays(draw, rows):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(
        st.sampled_from(
            [(rows, 3)] * 8 + [(rows, 1), (rows,), (0, 3), (rows, 0), (1, 3), (), (rows, 2, 2)]
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.integers(0, 100, shape)
    if dtype.kind in "OSUMmV":
        x = values.astype(np.uint8).astype("U1").astype("O" if dtype.kind == "O" else "U3")
        x = x.astype(dtype) if dtype.kind in "OSU" else np.zeros(shape, dtype)
    else:
        x = np.asarray((values - (20 if dtype.kind in "if" else 0)) * 1.0).astype(dtype)
        if dtype.kind == "f" and draw(st.integers(0, 2)) == 0 and x.size:
            with np.errstate(over="ignore", under="ignore"):
                x.reshape(-1)[draw(st.integers(0, x.size - 1))] = draw(st.sampled_from(SPECIAL))
    name = draw(st.sampled_from(sorted(LAYOUTS))) if x.ndim else "as it is"
    return LAYOUTS[name](x)


@st.composite
def labels(draw, rows):
    kind = draw(st.sampled_from(["i8"] * 4 + ["u1", "f8", "U2", "?", "i4", "O", "none", "short"]))
    y = np.arange(rows) % 3
    if kind == "none":
        return np.full(rows, np.nan)
    if kind == "short":
        return y[:-1]
    name = draw(st.sampled_from(["as it is", "backwards", "read-only", "gaps", "a list"]))
    return LAYOUTS[name](y.astype(kind))


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "hidden_sizes": st.sampled_from([(), (4,), (33, 2), (0,), (-1,), "8", None, (2.5,)]),
        "activation": st.sampled_from(["relu", "tanh", "gelu", "nothing", 3]),
        "loss": st.sampled_from(["cross_entropy", "squared_error", "logistic", "huber", "x"]),
        "optimizer": st.sampled_from(["sgd", "adam", "lion", "", None]),
        "learning_rate": st.sampled_from([0.01, 1e-300, 0, -1, np.nan, np.inf, True, "0.1"]),
        "batch_size": st.sampled_from([1, 2, 5, 1000, 0, -3, 2.0, 10**30]),
        "max_steps": st.sampled_from([1, 3, 0, -1, None]),
        "dropout": st.sampled_from([0, 0.5, 0.999, 1.0, -0.1, np.nan]),
        "batch_norm": st.booleans(),
        "clip_norm": st.sampled_from([0.5, 0, -1, np.inf, 1e-300]),
        "label_smoothing": st.sampled_from([0, 0.1, 1.0, 2]),
        "normalize": st.sampled_from([None, "standard", "scale", "x", (0, 1), (0, 0), (np.nan, 1)]),
        "dtype": st.sampled_from(["float32", "float64", "float16", None]),
        "seed": st.sampled_from([0, 1, 2**64, -1, 1.5]),
        "threads": st.sampled_from([1, 2, 0, None, 10**9]),
        "validation_fraction": st.sampled_from([0, 0.3, 0.999, 1, -1]),
        "sample_weight": st.sampled_from([None, "x", 1, np.nan]),
    },
)


def outcome(backend, x, y, options):
    """The result of a short training, or what was refused."""
    with np.errstate(all="ignore"):
        try:
            result = backend.train(
                x,
                y,
                **{"dtype": "float64", "epochs": 1, "max_steps": 2, "progress": False, **options},
            )
        except (ValueError, TypeError) as error:
            return type(error), re.sub(r"\breference\.", "", str(error))
        except tl.DivergenceError as error:
            return type(error), "", error.result.network
        network = result.network
        return network.predict(x), network, result.history["step_loss"]


def compare(x, y, options):
    ours, twins = (outcome(backend, x, y, options) for backend in (tl, tl.reference))
    if isinstance(ours[0], type) or isinstance(twins[0], type):
        assert ours[:2] == twins[:2]
        return
    # Far from the data's scale sums cancel: compared is what stays of the digits.
    tolerance = 1e-3 if ours[1].dtype == "float32" else 1e-9
    first, second = (np.array(got[2]) for got in (ours, twins))
    np.testing.assert_allclose(first, second, rtol=tolerance, atol=tolerance)
    for got, wanted in zip(ours[1].parameters, twins[1].parameters, strict=True):
        for a, b in zip(got, wanted, strict=True):
            size = max(1.0, float(np.abs(b).max()))
            np.testing.assert_allclose(a / size, b / size, rtol=0, atol=tolerance)


QUICK = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    database=None,
)
LONG = settings(QUICK, max_examples=5000)


@given(x=arrays(7), y=labels(7))
@QUICK
def test_any_array(x, y):
    compare(x, y, {"batch_size": 3, "hidden_sizes": (5,), "optimizer": "sgd"})


@given(options=OPTIONS)
@QUICK
def test_any_options(options):
    rng = np.random.default_rng(0)
    compare(rng.standard_normal((20, 3)), np.arange(20) % 2, options)


METHODS = {
    "forward": lambda network, x, y: network.forward(x),
    "predict": lambda network, x, y: network.predict(x),
    "predict_proba": lambda network, x, y: network.predict_proba(x),
    "evaluate": lambda network, x, y: network.evaluate(x, y),
    "loss_and_gradients": lambda network, x, y: network.loss_and_gradients(x, y, reg=0.1),
    "gradients": lambda network, x, y: network.gradients(np.ones((7, 3)), x),
    "weights": lambda network, x, y: network.loss_and_gradients(
        np.ones((7, 3)), y, sample_weight=x
    ),
    "parameters": lambda network, x, y: network.set_parameters([(x, np.zeros(3))]),
    "normalize": lambda network, x, y: type(network)(
        (3, 3), normalize=(0, x), dtype="float64"
    ).forward([[1, 2, 3]]),
}


def result_of(backend, call, x, y):
    with np.errstate(all="ignore"):
        try:
            return call(backend.Network((3, 3), dtype="float64", seed=0), x, y)
        except (ValueError, TypeError) as error:
            return type(error), str(error)


@given(name=st.sampled_from(sorted(METHODS)), x=arrays(7), y=labels(7))
@QUICK
def test_any_array_for_a_network(name, x, y):
    ours, twins = (result_of(backend, METHODS[name], x, y) for backend in (tl, tl.reference))
    if isinstance(twins, tuple) and isinstance(twins[0], type):
        assert ours == twins
        return
    for a, b in zip(flat(ours), flat(twins), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9 * max(1.0, np.abs(b).max(initial=0)))


def flat(result):
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in flat(part)]
    return [] if result is None else [np.asarray(result, np.float64)]


@pytest.mark.exhaustive
@given(x=arrays(7), y=labels(7), options=OPTIONS)
@LONG
def test_any_array_and_any_options(x, y, options):
    compare(x, y, options)
