"""The small data set inside the package: 1,797 handwritten digits."""

from __future__ import annotations

import dataclasses
from importlib import resources

import numpy as np

from twolayer_ext.datasets.arrays import load_arrays
from twolayer_ext.datasets.dataset import Dataset


def load_digits() -> Dataset:
    """Return the handwritten digits that come with the package.

    Returns
    -------
    Dataset
        1,797 images: x uint8 (1797, 64), the values 0 to 16 count the inked pixels in blocks of
        4 x 4; image_shape ``(8, 8)``; y int64 (1797,); the classes are "0" to "9".

    Notes
    -----
    The test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak
    (1998), UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed CC BY 4.0;
    ``digits.md`` beside this file says more. The order of the images is the publisher's.
    """
    resource = resources.files("twolayer_ext.datasets").joinpath("digits.npz")
    with resources.as_file(resource) as path:
        data = load_arrays(path)
    y = data.y.astype(np.int64)
    return dataclasses.replace(data, y=y, classes=None, name="digits")
