"""Predicting: rows that need no check go straight to a network that is kept ready."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from joblib.parallel import get_active_backend
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted, validate_data

from twolayer_ext import _core, checks
from twolayer_ext.checks import Array
from twolayer_ext.estimators import layers
from twolayer_ext.estimators.objective import core_loss
from twolayer_ext.estimators.parameters import Parameters
from twolayer_ext.rows import Rows, as_rows

# Multiply-adds; the core wakes no second thread for fewer.
_WORTH_A_THREAD = 400_000


class Prepared(NamedTuple):
    """A network with the estimator's weights, which is not changed any more."""

    core: _core.Network
    loss: _core.Loss
    activation: str
    dtype: Any
    most_values: int  # of rows that one thread is for


# By the dtype of x. An estimator keeps this dict from its fit on, so that predicting, which fills
# it, leaves the estimator's own attributes as they are; nobody copies or pickles it.
Ready = dict[Any, Prepared]


class Predicting(Parameters):
    """Predictions of a fitted estimator."""

    coefs_: list[Array]
    intercepts_: list[Array]
    n_outputs_: int
    out_activation_: str
    _ready: Ready

    def _outputs(self, X: ArrayLike) -> Array:
        """Return what the output activation makes of X, (n_samples, n_outputs)."""
        if type(X) is np.ndarray and "feature_names_in_" not in self.__dict__:
            ready: Prepared | None = self.__dict__.get("_ready", {}).get(X.dtype)
            # Whatever has been assigned or changed since is seen: the weights are compared.
            if (
                ready is not None
                and ready.activation == self.activation
                and ready.dtype == self.dtype
                and X.size <= ready.most_values
                and ready.core.holds(self.coefs_, self.intercepts_)
            ):
                outputs = ready.core.infer(X, ready.loss, False, 1)
                if outputs is not None:
                    return outputs
        return self._checked_outputs(X)

    def _checked_outputs(self, X: ArrayLike) -> Array:
        rows: Rows
        plain = self._is_plain(X)
        if plain:
            checked: Any = X
        else:
            check_is_fitted(self)
            checked = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        if "estimators_" in self.__dict__:
            members: list[Predicting] = self.__dict__["estimators_"]
            return np.asarray(np.mean([m._outputs(checked) for m in members], axis=0))
        if self.dtype is None:
            dtype = layers.dtype_of(checked, *self.coefs_, *self.intercepts_)
        else:
            dtype = checks.dtype_name(self.dtype)
        rows = checked if plain else as_rows(checked, features=checked.shape[1], dtype=dtype)
        core = layers.make(
            self.coefs_, self.intercepts_, self.activation, dtype, self._normalization()
        )
        loss = core_loss(self.out_activation_, self.n_outputs_, dtype)
        weights = sum(np.size(coef) for coef in self.coefs_)
        if plain:
            self._keep_ready(checked.dtype, core, loss, weights)
        # To find out how many threads there may be takes longer than to predict a row.
        threads = 1 if len(rows) * weights < _WORTH_A_THREAD else self._threads()
        return core.predictions(rows, None, loss, threads)

    def _keep_ready(self, dtype: Any, core: _core.Network, loss: _core.Loss, weights: int) -> None:
        most_values = _WORTH_A_THREAD // weights * core.layer_sizes[0]
        kept = self.__dict__.get("_ready")
        if kept is not None:
            kept[dtype] = Prepared(core, loss, self.activation, self.dtype, most_values)

    def _is_plain(self, X: Any) -> TypeGuard[Array]:
        """Whether X can be read as it is: what checks a row costs far more than to predict it."""
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype in (np.float64, np.float32)
            and X.dtype.isnative
            and X.flags.c_contiguous
            and X.flags.aligned
            and X.shape[0] > 0
            and X.shape[1] == self.__dict__.get("n_features_in_")
            and ("coefs_" in self.__dict__ or "estimators_" in self.__dict__)
            and "feature_names_in_" not in self.__dict__
            and bool(np.isfinite(X).all())
        )

    def _normalization(self) -> tuple[Array, Array] | None:
        """Return what the first layer's input is shifted and scaled by, if it is."""
        if "input_shift_" not in self.__dict__:
            return None
        return self.__dict__["input_shift_"], self.__dict__["input_scale_"]

    def _threads(self) -> int:
        """Return how many threads to use; one where joblib runs several fits in threads.

        Its processes are told by OMP_NUM_THREADS how many they may use, its threads are not.
        """
        if self.n_threads is not None:
            return int(self.n_threads)
        among_others = (get_active_backend()[0].nesting_level or 0) > 0
        if among_others and "OMP_NUM_THREADS" not in os.environ:
            return 1
        return _core.default_threads()
