"""As users have it: labels of any type, tables with names; trained, saved, loaded, asked again."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl

QUICK = {
    "hidden_sizes": (8,),
    "optimizer": "adam",
    "learning_rate": 0.03,
    "epochs": 20,
    "progress": False,
}

LABELS = {
    "0, 1, 2": np.array([0, 1, 2]),
    "{1, 2}": np.array([1, 2]),
    "{-1, 1}": np.array([-1, 1]),
    "{0, 255}": np.array([0, 255], np.uint8),
    "strings": np.array(["cat", "dog", "a longer one"])[[2, 0, 1]],
    "booleans": np.array([False, True]),
    "whole floats": np.array([-1.0, 2.0, 7.0]),
    "float32": np.array([1, 2], np.float32),
    "far apart": np.array([-(2**62), 0, 2**62]),
}


def clouds(count=90, classes=3):
    """Noisy clouds far apart: x (count, 4), places of the classes (count,)."""
    rng = np.random.default_rng(8)
    places = np.arange(count) % classes
    return 4 * rng.normal(size=(classes, 4))[places] + rng.normal(size=(count, 4)), places


@pytest.mark.parametrize("loss", [None, "logistic"])
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_come_back_as_they_were(backend, tmp_path, labels, loss):
    if loss == "logistic":
        labels = labels[:2]
    count = len(labels)
    x, places = clouds(classes=count)
    y = labels[places]
    result = backend.train(x, y, loss=loss, validation_data=(x[:30], y[:30]), **QUICK)
    net = result.network
    assert net.layer_sizes == (4, 8, 1 if loss == "logistic" else count)
    assert net.score_name == "accuracy"
    assert result.history["val_accuracy"][-1] == net.evaluate(x[:30], y[:30])[1]
    net.save(tmp_path / "net.npz")
    for asked in (net, backend.load(tmp_path / "net.npz")):
        assert asked.classes.dtype == labels.dtype
        assert asked.classes.tolist() == labels.tolist()
        predicted = asked.predict(x)
        assert predicted.dtype == labels.dtype
        assert (predicted == y).mean() > 0.95
        probabilities = asked.predict_proba(x)
        assert probabilities.shape == (90, count)
        np.testing.assert_array_equal(predicted, labels[probabilities.argmax(axis=1)])
        assert asked.evaluate(x, y)[1] == (predicted == y).mean()
        assert asked.evaluate(x, y.tolist()) == asked.evaluate(x, y)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_names_of_classes_change_no_bit(backend, same_bits, labels):
    """Whatever the classes are called, the same network is trained as on 0 ... C-1."""
    x, places = clouds(classes=len(labels))
    named = backend.train(x, labels[places], **QUICK)
    plain = backend.train(x, places, **QUICK)
    assert same_bits(named.network, plain.network)
    assert named.history["step_loss"] == plain.history["step_loss"]


def test_a_label_that_training_did_not_have(backend):
    x, places = clouds(classes=2)
    net = backend.train(x, np.array(["no", "yes"])[places], **QUICK).network
    with pytest.raises(ValueError, match=r"y: 'maybe' in row 1; .* classes 'no', 'yes'"):
        net.evaluate(x[:2], ["no", "maybe"])
    with pytest.raises(TypeError, match="y: type int64; labels must be strings, such as 'no'"):
        net.evaluate(x[:2], [0, 1])
    with pytest.raises(ValueError, match=r"validation_data\[1\]: 'maybe' in row 0"):
        backend.train(
            x, np.array(["no", "yes"])[places], validation_data=(x[:1], ["maybe"]), **QUICK
        )
    with pytest.raises(ValueError, match="y: 'maybe' in row 0"):
        backend.train(x, ["maybe"] * len(x), network=net, epochs=1)


def test_classes_held_out_entirely_are_classes_all_the_same(backend):
    x, places = clouds()
    y = np.where(np.arange(90) == 4, 9, places)  # one row of class 9
    for seed in range(3):
        net = backend.train(x, y, validation_fraction=0.5, seed=seed, **QUICK).network
        assert net.classes.tolist() == [0, 1, 2, 9]


def test_class_weight_by_label(backend, same_bits):
    x, places = clouds()
    y = np.array(["a", "b", "c"])[places]
    by_label = backend.train(x, y, class_weight={"b": 3.0}, **QUICK).network
    by_place = backend.train(x, y, class_weight=[1, 3, 1], **QUICK).network
    assert same_bits(by_label, by_place)


def test_a_matrix_of_labels(backend, tmp_path):
    x, places = clouds()
    y = np.stack([places == 0, places != 1], axis=1)
    net = backend.train(x, y, **QUICK).network
    assert (net.loss.name, net.classes) == ("logistic", None)
    net.save(tmp_path / "net.npz")
    back = backend.load(tmp_path / "net.npz")
    assert back.predict(x).tolist() == net.predict(x).tolist()
    assert back.predict(x).shape == back.predict_proba(x).shape == (90, 2)
    assert (back.predict(x) == y).mean() > 0.95


def test_numbers_come_back_in_their_shape(backend, tmp_path):
    x, _ = clouds()
    truth = 100 + 5 * x @ [1.0, -2.0, 0.5, 0.0]
    for y in (truth, truth[:, None], np.stack([truth, -truth], axis=1)):
        options = {**QUICK, "hidden_sizes": (), "epochs": 100, "learning_rate": 0.1}
        net = backend.train(x, y, **options).network
        net.save(tmp_path / "net.npz")
        back = backend.load(tmp_path / "net.npz")
        assert (back.score_name, back.classes) == ("r2", None)
        assert back.predict(x).shape == y.shape
        np.testing.assert_array_equal(back.predict(x), net.predict(x))
        assert back.evaluate(x, y)[1] > 0.99


# tables


@pytest.fixture(params=["pandas", "polars"])
def frames(request):
    return pytest.importorskip(request.param, reason=f"{request.param} is not installed")


@pytest.fixture
def table(frames):
    """A frame x of four named columns, strings y."""
    x, places = clouds()
    columns = dict(zip("abcd", x.T, strict=True))
    return frames.DataFrame(columns), np.array(["u", "v", "w"])[places]


def test_columns_are_known_by_name(backend, tmp_path, table):
    x, y = table
    trained = backend.train(x, y, **QUICK).network
    assert trained.feature_names == ("a", "b", "c", "d")
    trained.save(tmp_path / "net.npz")
    for net in (trained, backend.load(tmp_path / "net.npz")):
        assert net.feature_names == ("a", "b", "c", "d")
        turned = x[["d", "b", "a", "c"]]
        expected = net.predict_proba(x)
        np.testing.assert_array_equal(net.predict_proba(turned), expected)
        np.testing.assert_array_equal(net.forward(turned), net.forward(x))
        assert net.evaluate(turned, y) == net.evaluate(x, y)
        assert net.loss_and_gradients(turned, y)[0] == net.loss_and_gradients(x, y)[0]
        # An array has no names: its columns are taken in the order of training.
        np.testing.assert_array_equal(net.predict_proba(x.to_numpy()), expected)


def test_columns_that_are_missing_or_unknown(backend, table):
    x, y = table
    net = backend.train(x, y, **QUICK).network
    without = x[["a", "b", "d"]]
    other = x.rename(columns={"c": "e"}) if hasattr(x, "iloc") else x.rename({"c": "e"})
    more = x.assign(e=1.0) if hasattr(x, "iloc") else x.with_columns(x["a"].alias("e"))
    for given, message in (
        (without, "x: column 'c' is missing; must have the 4 columns 'a', 'b', 'c', 'd'"),
        (other, "x: column 'c' is missing"),
        (more, "x: column 'e' was not there in training; must have the 4 columns"),
    ):
        for call in (net.predict, net.predict_proba, net.forward):
            with pytest.raises(ValueError, match=f"^{message}"):
                call(given)
        with pytest.raises(ValueError, match=f"^{message}"):
            net.evaluate(given, y)
        with pytest.raises(ValueError, match=f"^{message}"):
            backend.train(given, y, network=net, epochs=1)
        with pytest.raises(ValueError, match=rf"^validation_data\[0\]: {message[3:20]}"):
            backend.train(x, y, validation_data=(given, y), **QUICK)


def test_the_table_trains_as_the_array(backend, table, same_bits):
    x, y = table
    turned = x[["d", "b", "a", "c"]]
    options = {**QUICK, "validation_data": (turned, y)}
    of_table = backend.train(x, y, **options)
    of_array = backend.train(x.to_numpy(), y, **{**QUICK, "validation_data": (x.to_numpy(), y)})
    assert same_bits(of_table.network, of_array.network)
    assert of_table.history["val_loss"] == of_array.history["val_loss"]
    assert of_array.network.feature_names is None


def test_going_on_with_a_table_in_another_order(backend, table, same_bits):
    x, y = table
    nets = [backend.train(x, y, **QUICK).network for _ in range(2)]
    for net, given in zip(nets, (x, x[["c", "a", "d", "b"]]), strict=True):
        backend.train(given, y, network=net, epochs=2, progress=False)
    assert same_bits(*nets)
    assert nets[1].feature_names == ("a", "b", "c", "d")


def test_columns_of_a_table_of_targets(backend, tmp_path, frames):
    x, places = clouds()
    y = frames.DataFrame({"height": places * 1.5, "width": places * -2.5})
    net = backend.train(x, y, **QUICK).network
    net.save(tmp_path / "net.npz")
    back = backend.load(tmp_path / "net.npz")
    assert back.evaluate(x, y[["width", "height"]]) == net.evaluate(x, y)
    assert back.evaluate(x, y.to_numpy()) == net.evaluate(x, y)
    with pytest.raises(ValueError, match="y: column 'height' is missing"):
        back.evaluate(x, y[["width"]])


def test_two_columns_of_one_name(backend):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    x, places = clouds()
    with pytest.raises(ValueError, match="x: two columns are named 'a'; must all differ"):
        backend.train(pandas.DataFrame(x, columns=list("abca")), places, **QUICK)


def test_columns_without_text_for_names(backend):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    x, places = clouds()
    net = backend.train(pandas.DataFrame(x), places, **QUICK).network
    assert net.feature_names is None


# what a result looks like


@pytest.mark.parametrize("epochs", [1, 300])
def test_a_result_is_shown_in_a_line(backend, epochs):
    x, places = clouds()
    for y in (places, places / 2):
        result = backend.train(x, y, validation_fraction=0.2, hidden_sizes=(2,), epochs=epochs)
        assert len(repr(result)) < 250
        assert "\n" not in repr(result)
        assert ("accuracy" if y is places else "r2") in repr(result)
        assert str(epochs) in repr(result)


def test_targets_with_no_score(backend):
    def likelihood(outputs, targets):
        """Of a normal distribution: mean and log of the deviation."""
        mean, log = outputs[:, :1], outputs[:, 1:]
        error = (targets - mean) * np.exp(-log)
        gradient = np.concatenate([-error * np.exp(-log), 1 - error * error], axis=1)
        return (error * error / 2 + log)[:, 0], gradient

    x, places = clouds()
    loss = tl.losses.CustomLoss(likelihood, width=2)
    result = backend.train(
        x, places * 1.0, loss=loss, validation_fraction=0.2, hidden_sizes=(4,), epochs=3
    )
    assert list(result.history) == ["loss", "val_loss", "learning_rate", "seconds", "step_loss"]
    assert result.network.score_name == ""
    assert result.network.predict(x).shape == (90, 2)
    loss, score = result.network.evaluate(x, places * 1.0)
    assert np.isfinite(loss)
    assert np.isnan(score)
    assert "val_loss" in repr(result)
