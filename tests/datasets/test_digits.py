import hashlib
from importlib import resources

import numpy as np

from twolayer_ext.datasets import load_digits


def test_digits():
    data = load_digits()
    assert data.x.shape == (1797, 64)
    assert data.x.dtype == np.uint8
    assert data.x.max() == 16
    assert data.image_shape == (8, 8)
    assert data.class_names == tuple("0123456789")
    assert data.name == "digits"
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert int(data.x.sum()) == 561_718
    assert (
        hashlib.sha256(data.x.tobytes()).hexdigest()
        == "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
    )
    assert (
        hashlib.sha256(data.y.astype(np.uint8).tobytes()).hexdigest()
        == "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"
    )


def test_source_and_licence_are_beside_the_data():
    folder = resources.files("twolayer_ext.datasets")
    text = folder.joinpath("digits.md").read_text()
    assert "Alpaydin" in text
    assert "https://doi.org/10.24432/C50P49" in text
    assert "CC BY 4.0" in text
    assert len(folder.joinpath("digits.npz").read_bytes()) < 60_000
