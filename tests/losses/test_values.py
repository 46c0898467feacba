"""Values and gradients of the losses, their scores, and where outputs should start."""

from __future__ import annotations

import numpy as np
import pytest

from loss_cases import CASES, sample
from twolayer_ext import losses

every_loss = pytest.mark.parametrize("loss", CASES.values(), ids=CASES)


@every_loss
def test_gradient_is_the_values(loss):
    """Central differences, their error of order h² and ε / h: away from kinks below 1e-7."""
    outputs, targets = sample(loss)
    _, gradient = loss.value_and_gradient(outputs, targets)
    h = 1e-5
    for k in range(outputs.shape[1]):
        step = np.zeros_like(outputs)
        step[:, k] = h
        up, _ = loss.value_and_gradient(outputs + step, targets)
        down, _ = loss.value_and_gradient(outputs - step, targets)
        scale = np.maximum(1, np.abs(gradient[:, k]))
        assert (np.abs((up - down) / (2 * h) - gradient[:, k]) < 1e-7 * scale).all()


@every_loss
def test_float32_stays_float32(loss):
    outputs, targets = sample(loss, dtype="float32")
    before = outputs.copy()
    values, gradient = loss.value_and_gradient(outputs, targets)
    exact, exact_gradient = loss.value_and_gradient(outputs.astype(np.float64), targets)
    assert values.dtype == gradient.dtype == np.float32
    assert loss.prediction(outputs).dtype == np.float32
    assert loss.score(outputs, targets, loss.score_scale(targets)).dtype == np.float32
    np.testing.assert_allclose(values, exact, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient, exact_gradient, rtol=1e-5, atol=1e-6)
    assert (outputs == before).all()
    assert values.shape == (len(outputs),)
    assert gradient.shape == outputs.shape
    assert loss.outputs(targets) == outputs.shape[1]


@every_loss
def test_nan_reaches_the_loss(loss):
    outputs, targets = sample(loss)
    outputs[3, 1] = np.nan
    values, gradient = loss.value_and_gradient(outputs, targets)
    assert np.isnan(values[3])
    assert np.isnan(gradient[3]).any()
    assert np.isfinite(np.delete(values, 3)).all()


@pytest.mark.parametrize("loss", [losses.CrossEntropy(), losses.Logistic()], ids=lambda x: x.name)
def test_large_outputs_do_not_overflow(loss):
    outputs = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]])
    targets = np.array([0, 0]) if loss.takes == "labels" else np.array([[1, 0], [1, 0]], np.uint8)
    values, gradient = loss.value_and_gradient(outputs, targets)
    assert values[0] == 0
    assert values[1] >= 1000
    assert np.isfinite(gradient).all()


def test_slope_where_output_is_target():
    at = np.array([[1.5, 1.5]]), np.array([[1.5, 1.5]])
    for loss in (losses.AbsoluteError(), losses.Huber(), losses.Quantile((0.3,))):
        assert (loss.value_and_gradient(*at)[1] == 0).all()


def test_squared_error_is_what_a_user_would_write():
    """The very bits, in both dtypes: a custom loss is compared with it."""
    for dtype in ("float32", "float64"):
        z, t = sample(losses.SquaredError(), columns=11, dtype=dtype)
        d = z - t.astype(dtype)
        values, gradient = losses.SquaredError().value_and_gradient(z, t)
        assert values.tobytes() == (d * d).mean(axis=1).tobytes()
        assert gradient.tobytes() == (2 * d / 11).tobytes()


def test_quantile_outputs_are_ordered_by_target_then_level():
    loss = losses.Quantile((0.1, 0.5, 0.9))
    z = np.zeros((1, 6))
    _, gradient = loss.value_and_gradient(z, np.array([[1.0, -1.0]]))
    np.testing.assert_allclose(gradient * 6, [[-0.1, -0.5, -0.9, 0.9, 0.5, 0.1]], rtol=1e-15)
    assert loss.parameters(6).tolist() == [0.1, 0.5, 0.9] * 2
    assert losses.Huber(0.5).parameters(3).tolist() == [0.5] * 3
    assert losses.SquaredError().parameters(3) is None


def test_predictions():
    z = np.array([[0.0, np.log(3)]])
    np.testing.assert_allclose(losses.CrossEntropy().prediction(z), [[0.25, 0.75]])
    np.testing.assert_allclose(losses.Logistic().prediction(z), [[0.5, 0.75]])
    np.testing.assert_allclose(losses.Logistic().prediction(-z), [[0.5, 0.25]])
    np.testing.assert_allclose(losses.Poisson().prediction(z), [[1, 3]])
    assert losses.Huber().prediction(z) is z


# scores


def test_accuracy_counts_whole_rows():
    z = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert losses.CrossEntropy().score(z, np.array([0, 0, 0])).tolist() == [1, 0, 1]
    t = np.array([[1, 0], [1, 1], [1, 1]], np.uint8)
    assert losses.Logistic().score(z, t).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "loss",
    [losses.SquaredError(), losses.Huber(), losses.Poisson(), losses.Quantile((0.2, 0.6))],
    ids=lambda x: x.name,
)
def test_r2(loss):
    rng = np.random.default_rng(8)
    t = rng.gamma(2, [[1, 10, 100]], (50, 3))
    z = np.log(t) + rng.normal(0, 0.2, t.shape)
    if loss.name != "poisson":
        z = np.exp(z)
    prediction = np.exp(z) if loss.name == "poisson" else z
    if loss.name == "quantile":  # 0.6 is nearer to the middle than 0.2
        z = np.stack([z + 17, z], axis=2).reshape(50, 6)
    expected = np.mean(1 - ((t - prediction) ** 2).mean(axis=0) / t.var(axis=0))
    r2 = 1 - loss.score(z, t, loss.score_scale(t)).mean()
    assert r2 == pytest.approx(expected, rel=1e-12)
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    assert r2 == pytest.approx(metrics.r2_score(t, prediction), rel=1e-12)


def test_constant_columns_have_no_r2():
    t = np.array([[0.1, 1], [0.1, 2], [0.1, 4]])
    scale = losses.SquaredError().score_scale(t)
    assert np.isnan(scale[0])
    assert scale[1] == pytest.approx(1 / (t[:, 1].var() * 2))
    assert np.isnan(losses.SquaredError().score(t, t, scale)).all()
    assert np.isnan(losses.SquaredError().score_scale(np.array([[1e300], [-1e300]]))).all()
    assert losses.CrossEntropy().score_scale(np.array([0, 1])) is None


# where outputs start


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_outputs_start_at_the_mean(dtype, monkeypatch):
    from twolayer_ext.losses import moments

    monkeypatch.setattr(moments, "_VALUES_AT_ONCE", 30)  # several blocks
    rng = np.random.default_rng(9)
    t = (100 + 20 * rng.normal(size=(70, 3))).astype(dtype)
    t[:, 2] = 7
    exact = t.astype(np.float64)
    shift, scale = losses.SquaredError().output_scaling(t)
    np.testing.assert_allclose(shift, exact.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(scale[:2], exact[:, :2].std(axis=0), rtol=1e-13)
    assert scale[2] == 1
    weights = rng.integers(0, 4, 70).astype(np.float64)
    weights[0] = 0
    repeated = np.repeat(exact, weights.astype(int), axis=0)
    shift, scale = losses.Huber().output_scaling(t, weights)
    np.testing.assert_allclose(shift, repeated.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(scale[:2], repeated[:, :2].std(axis=0), rtol=1e-13)
    assert scale[2] == 1


def test_outputs_start_of_other_losses():
    t = np.array([[1.0, 0.0], [3.0, 0.0]])
    shift, scale = losses.Poisson().output_scaling(t)
    assert shift.tolist() == pytest.approx([np.log(2), 0])
    assert scale.tolist() == [1, 1]
    shift, scale = losses.Quantile().output_scaling(t)
    assert shift.tolist() == [2, 2, 2, 0, 0, 0]
    assert scale.tolist() == [1] * 6
    assert losses.Logistic().output_scaling(t) is None
    assert losses.CrossEntropy().output_scaling(np.array([0, 1])) is None


@pytest.mark.parametrize("size", [1e308, 1e-308, 0.0])
def test_the_largest_and_smallest_targets(size):
    t = np.array([[size], [-size], [size / 2], [-size / 2]])
    shift, scale = losses.SquaredError().output_scaling(t, np.full(4, 1e308))
    assert shift.tolist() == [0]
    assert scale[0] == pytest.approx(size * 0.625**0.5 if size else 1, rel=1e-10)


# a function as a loss


def squared(outputs, targets):
    d = outputs - targets
    d_squared = (d * d).mean(axis=1)
    d *= 2 / outputs.shape[1]
    outputs[:] = np.nan  # its own to overwrite
    targets[:] = 0
    return d_squared, d


def test_custom_loss():
    loss = losses.make(squared)
    assert loss == losses.CustomLoss(squared)
    assert (loss.name, loss.score_name, loss.takes) == ("custom", "r2", "real")
    z, t = sample(losses.SquaredError(), dtype="float32")
    before = z.copy(), t.copy()
    values, gradient = loss.value_and_gradient(z, t)
    expected, expected_gradient = losses.SquaredError().value_and_gradient(z, t)
    assert values.tobytes() == expected.tobytes()
    assert gradient.tobytes() == expected_gradient.tobytes()
    assert (z == before[0]).all()
    assert (t == before[1]).all()
    scale = loss.score_scale(t)
    assert (scale == losses.SquaredError().score_scale(t)).all()
    assert (loss.score(z, t, scale) == losses.SquaredError().score(z, t, scale)).all()
    for mine, built_in in zip(
        loss.output_scaling(t), losses.SquaredError().output_scaling(t), strict=True
    ):
        assert (mine == built_in).all()


def test_custom_loss_of_labels():
    def doubled(outputs, targets):
        assert targets.dtype == np.int64
        values, gradient = losses.CrossEntropy().value_and_gradient(outputs, targets)
        return 2 * values, 2 * gradient

    loss = losses.CustomLoss(doubled, takes="labels")
    z, labels = sample(losses.CrossEntropy())
    np.testing.assert_allclose(
        loss.value_and_gradient(z, labels)[0],
        2 * losses.CrossEntropy().value_and_gradient(z, labels)[0],
    )
    assert loss.score(z, labels).tolist() == losses.CrossEntropy().score(z, labels).tolist()
    assert loss.outputs(labels) == 4
    assert loss.output_scaling(labels) is None


def test_custom_loss_of_another_width():
    loss = losses.CustomLoss(squared, width=2)
    t = np.zeros((3, 1))
    assert loss.outputs(t) == 2
    assert loss.score_name == ""
    assert loss.score_scale(t) is None
    assert np.isnan(loss.score(np.zeros((3, 2)), t)).all()
    assert loss.output_scaling(t) is None


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (None, TypeError, r"loss: wrong returned None; must return the pair"),
        ((np.zeros(3), np.zeros(3)), ValueError, r"gradient of shape \(3,\); must be \(3, 2\)"),
        ((0.0, np.zeros((3, 2))), ValueError, r"losses of shape \(\); must be \(3,\)"),
        ((np.zeros(3), np.full((3, 2), "a")), TypeError, r"gradient of type <U1; must be real"),
    ],
)
def test_wrong_results_of_a_function(returned, error, message):
    def wrong(outputs, targets):
        return returned

    with pytest.raises(error, match=message):
        losses.CustomLoss(wrong).value_and_gradient(np.zeros((3, 2)), np.zeros((3, 2)))
