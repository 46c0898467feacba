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


@pytest.mark.parametrize(
    ("y", "names", "classes"),
    [
        ([0, 1, 1], ("a", "b"), [0, 1]),
        ([0, 1, 1], ("a", "b", "c"), [0, 1, 2]),
        ([2, 2, 2], ("a", "b", "c"), [0, 1, 2]),
        ([0, 255, 0], ("no", "yes"), [0, 255]),
        ([-1.0, 1.0, 1.0], ("no", "yes"), [-1, 1]),
        (["n", "y", "n"], ("no", "yes"), ["n", "y"]),
        ([True, False, True], ("no", "yes"), [False, True]),
        ([0.5, 1.5, 2.5], (), None),
        ([[1, 0], [1, 1], [0, 0]], (), None),
    ],
)
def test_the_labels_that_names_stand_for(y, names, classes):
    data = make(y=np.array(y), class_names=names)
    assert (None if data.classes is None else data.classes.tolist()) == classes
    part = data.part(0, 1)  # knows the labels of the whole
    assert part.classes is data.classes
    assert part.class_names == names


def test_targets_without_classes_are_described():
    data = make(y=np.zeros((3, 2)), class_names=(), image_shape=None)
    assert repr(data) == "Dataset('toy', x=(3, 4) uint8, y=(3, 2) float64, image_shape=None)"


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
        ({"y": np.array([0, -1, 1])}, "label -1 in row 1"),
        ({"y": np.array(["u", "v", "w"])}, "3 different values; 2 class names"),
        ({"y": np.array([0.5, np.nan, 1])}, "y: nan in row 1"),
        ({"y": np.zeros((3, 1, 1))}, "y: shape"),
        ({"y": np.zeros((3, 2))}, "class names are for as many labels"),
        ({"classes": np.arange(3)}, "3 labels for 2 class names"),
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
        {"y": np.array([0, 1, 1], complex)},
        {"y": np.array([0, 1, None])},
        {"y": [0, 1, 1]},
    ],
)
def test_refuses_wrong_types(changes):
    with pytest.raises(TypeError, match="is needed"):
        make(**changes)
