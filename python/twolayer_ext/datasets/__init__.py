"""Data sets: from files, from the package itself, from the publisher."""

from twolayer_ext.datasets.arrays import load_arrays
from twolayer_ext.datasets.cifar10 import load_cifar10
from twolayer_ext.datasets.dataset import Dataset
from twolayer_ext.datasets.digits import load_digits
from twolayer_ext.datasets.fetch import fetch_cifar10
from twolayer_ext.datasets.idx import load_idx
from twolayer_ext.datasets.sklearn import load_sklearn

__all__ = [
    "Dataset",
    "fetch_cifar10",
    "load_arrays",
    "load_cifar10",
    "load_digits",
    "load_idx",
    "load_sklearn",
]
