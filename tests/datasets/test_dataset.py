import numpy as np
import pytest

from twolayer_ext.datasets import Dataset

X = np.zeros((3, 4), np.uint8)
Y = np.array([0, 1, 1])


def make(**changes):
    arguments = {"x": X, "y": Y, "class_names": ("a", "b"), "image_shape": (2, 2), "name": "toy"}
    return Dataset(**(arguments | changes))


def test_keeps_what_it_is_given():
    data = make()
    assert data.x is X
    assert data.y is Y
    assert len(data) == 3
    assert repr(data) == "Dataset('toy', x=(3, 4) uint8, 2 classes, image_shape=(2, 2))"


def test_is_frozen():
    with pytest.raises(AttributeError):
        make().name = "other"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros(3)}, "x: shape"),
        ({"x": np.zeros((0, 4)), "y": np.zeros(0, np.int64)}, "x: shape"),
        ({"x": np.zeros((3, 0))}, "x: shape"),
        ({"y": np.array([0, 1])}, "y: shape"),
        ({"y": np.array([0, 1, 2])}, "label 2 in row 2"),
        ({"y": np.array([0, -1, 0])}, "label -1 in row 1"),
        ({"image_shape": (2, 3)}, "image_shape"),
    ],
)
def test_refuses_wrong_values(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"x": [[1, 2], [3, 4]]},
        {"x": np.zeros((3, 4), complex)},
        {"x": np.zeros((3, 4), object)},
        {"y": np.array([0, 1, 1], np.int32)},
        {"y": [0, 1, 1]},
    ],
)
def test_refuses_wrong_types(changes):
    with pytest.raises(TypeError, match="is needed"):
        make(**changes)
