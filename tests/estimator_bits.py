"""Fits estimators, or reads fitted ones, and prints what they predict, to the bit.

    python estimator_bits.py fit FOLDER       # writes NAME.joblib for each, too
    python estimator_bits.py predict FOLDER

prints a line for each: its name and a digest of parameters and predictions.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.exceptions import ConvergenceWarning

import twolayer_ext as tl
from twolayer_ext.losses import Quantile

X, Y = load_digits(return_X_y=True)
NUMBERS = make_regression(300, 24, n_targets=2, random_state=0)
HIDDEN = (150, 40)  # enough multiply-adds for several threads

# Name to rows, targets and estimator.
CASES = {
    "adam": (X, Y, tl.MLPClassifier(max_iter=3)),
    "adam float32": (X.astype(np.float32), Y, tl.MLPClassifier(max_iter=3, activation="tanh")),
    "sgd sparse": (
        csr_array(X),
        Y % 2,
        tl.MLPClassifier(solver="sgd", max_iter=3, early_stopping=True),
    ),
    "lbfgs": (X, np.eye(10, dtype=int)[Y], tl.MLPClassifier(solver="lbfgs", max_iter=8)),
    "numbers": (*NUMBERS, tl.MLPRegressor(max_iter=5, activation="logistic", dropout=0.3)),
    "quantile": (
        NUMBERS[0],
        NUMBERS[1][:, 0],
        tl.MLPRegressor(Quantile((0.9,)), solver="sgd", learning_rate="adaptive", max_iter=5),
    ),
}


def fitted(name: str, n_threads: int | None = None):
    """Return the estimator of this name, fitted anew."""
    x, y, estimator = CASES[name]
    estimator = clone(estimator)
    estimator.set_params(hidden_layer_sizes=HIDDEN, random_state=0, n_threads=n_threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(x, y)


def digest(name: str, estimator) -> str:
    """Return a digest of the parameters, and of predictions of all rows and of the first."""
    x = CASES[name][0]
    found = hashlib.sha256()
    predict = getattr(estimator, "predict_proba", estimator.predict)
    for array in (*estimator.coefs_, *estimator.intercepts_, predict(x), predict(x[:1])):
        found.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def main(task: str, folder: Path) -> None:
    """Do as the module's docstring says."""
    for name in CASES:
        path = folder / f"{name}.joblib"
        if task == "fit":
            estimator = fitted(name)
            joblib.dump(estimator, path)
        else:
            estimator = joblib.load(path)
        print(f"{name}: {digest(name, estimator)}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
