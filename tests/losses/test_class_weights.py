"""Weights of classes, keyed by the user's labels."""

from __future__ import annotations

import numpy as np
import pytest

from twolayer_ext import losses

WORDS = ["a", "b", "a", "a", "c"]


def weights(value, y=WORDS, rows=None, **options):
    task, encoded = losses.read(y, rows=len(y), **options)
    return losses.class_weights(value, task, encoded, rows).tolist()


def test_balanced():
    assert weights("balanced") == pytest.approx([5 / 9, 5 / 3, 5 / 9, 5 / 9, 5 / 3])
    # Counted over the training rows; a class without one does not divide by zero.
    assert weights("balanced", rows=np.array([0, 1, 2])) == pytest.approx([0.5, 1, 0.5, 0.5, 1])
    assert weights("balanced", [1, 2, 2, 2], loss="logistic") == pytest.approx([2, *[2 / 3] * 3])


def test_by_label():
    assert weights({"b": 3, "c": 0.5}) == [1, 3, 1, 1, 0.5]
    assert weights({-1: 2}, [-1, 1]) == [2, 1]
    assert weights({1.0: 2}, [-1, 1]) == [1, 2]
    assert weights({np.int64(1): 2}, [-1, 1]) == [1, 2]
    assert weights({True: 5}, [False, True], loss="logistic") == [1, 5]


def test_one_a_class():
    assert weights([1, 2, 3]) == [1, 2, 1, 1, 3]
    assert weights(np.array([1.0, 2, 3])) == [1, 2, 1, 1, 3]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("even", ValueError, r"class_weight: 'even'; must be one of 'balanced'"),
        ({"z": 1}, ValueError, r"class_weight: class 'z'; must be of the 3 classes 'a', 'b', 'c'"),
        ({"a": -1}, ValueError, r"class_weight\['a'\]: -1; must be finite and at least 0"),
        ([1, 2], ValueError, r"class_weight: 2 numbers; must be 3, one a class"),
        ([1, 2, "x"], TypeError, r"class_weight\[2\]: 'x'; must be a number"),
        (3.0, TypeError, r"class_weight: 3.0; must be 'balanced', a number for each class"),
    ],
)
def test_wrong_weights(value, error, message):
    with pytest.raises(error, match=message):
        weights(value)


@pytest.mark.parametrize("options", [{"loss": "huber"}, {"loss": "poisson"}, {}])
def test_only_where_there_are_classes(options):
    with pytest.raises(ValueError, match=r"class_weight: 'balanced' with loss .*; must be None"):
        weights("balanced", [0.5, 1.5, 2.5], **options)
    with pytest.raises(ValueError, match=r"class_weight: 'balanced' with loss 'logistic'"):
        weights("balanced", np.eye(3, dtype=int))
