import sys

import numpy as np
import pytest
from sklearn import datasets

from twolayer_ext.datasets import load_digits, load_sklearn
from twolayer_ext.errors import MissingExtraError


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_is_what_scikit_learn_has(name):
    bunch = getattr(datasets, f"load_{name}")()
    data = load_sklearn(name)
    np.testing.assert_array_equal(data.x, bunch.data)
    np.testing.assert_array_equal(data.y, bunch.target)
    assert data.name == name
    if name == "diabetes":
        assert data.class_names == ()
        assert data.y.dtype == np.float64
    else:
        assert data.class_names == tuple(map(str, bunch.target_names))
        assert data.y.dtype == np.int64


def test_the_digits_are_the_embedded_ones():
    np.testing.assert_array_equal(load_sklearn("digits").x, load_digits().x)
    np.testing.assert_array_equal(load_sklearn("digits").y, load_digits().y)
    assert load_sklearn("digits").image_shape == (8, 8)


def test_another_name():
    with pytest.raises(ValueError, match="name: 'boston'; must be one of 'iris'"):
        load_sklearn("boston")


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"twolayer-ext\[sklearn\]"):
        load_sklearn("iris")
