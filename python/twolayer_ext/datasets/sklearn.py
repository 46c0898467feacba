"""The small data sets that come with scikit-learn (extra ``sklearn``)."""

from __future__ import annotations

import numpy as np

from twolayer_ext import checks
from twolayer_ext.datasets.dataset import Dataset
from twolayer_ext.errors import MissingExtraError

SKLEARN_NAMES = ("iris", "wine", "breast_cancer", "diabetes", "digits")


def load_sklearn(name: str) -> Dataset:
    """Return one of scikit-learn's own data sets, from its copy on this machine.

    Parameters
    ----------
    name : {"iris", "wine", "breast_cancer", "diabetes", "digits"}

    Returns
    -------
    Dataset
        x float64 (n, d), as scikit-learn's ``load_...`` gives it: 150 x 4, 178 x 13, 569 x 30,
        442 x 10 and 1797 x 64; y int64 (n,) with scikit-learn's class names, or, of diabetes,
        float64 (n,), the progression of the disease. image_shape ``(8, 8)`` for the digits.

    Raises
    ------
    ValueError, TypeError
        Another name.
    MissingExtraError
        scikit-learn is not installed.
    """
    checks.choice("name", name, SKLEARN_NAMES)
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingExtraError(f"load_sklearn({name!r})", "sklearn") from error
    bunch = getattr(datasets, f"load_{name}")()
    numbers = name == "diabetes"
    return Dataset(
        bunch.data,
        np.asarray(bunch.target, np.float64 if numbers else np.int64),
        () if numbers else tuple(map(str, bunch.target_names)),
        (8, 8) if name == "digits" else None,
        name,
    )
