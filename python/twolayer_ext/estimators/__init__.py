"""scikit-learn's multi-layer perceptrons, computed by the compiled core.

`MLPClassifier` and `MLPRegressor` have the parameters, attributes, warnings and errors of
scikit-learn's classes of these names. With the same `random_state` they draw the same initial
weights, shuffles and splits and follow the same formulas, so that nets agree within rounding.
"""

try:
    import scipy as _scipy  # noqa: F401
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    from twolayer_ext.errors import MissingExtraError

    raise MissingExtraError("twolayer_ext.estimators", "sklearn") from None

from twolayer_ext.estimators.classifier import MLPClassifier
from twolayer_ext.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
