"""MLPRegressor: numbers, one or several a row."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from twolayer_ext.checks import Array
from twolayer_ext.estimators.base import BaseMultilayerPerceptron
from twolayer_ext.estimators.objective import out_activation_of
from twolayer_ext.losses import Loss, Task, make, read
from twolayer_ext.optimizers import Optimizer
from twolayer_ext.schedules import Schedule


class MLPRegressor(RegressorMixin, BaseMultilayerPerceptron):
    """Multi-layer perceptron that predicts numbers: scikit-learn's, computed by the compiled core.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, default="squared_error"
        Half the squared error, averaged over the outputs; or half the Poisson deviance of counts
        from 0 on, whose mean is the exponential of the outputs. As in scikit-learn, the gradient
        of the squared error is that of the sum over the outputs. Also "absolute_error", "huber",
        "quantile" (levels 0.1, 0.5 and 0.9), an object such as ``losses.Quantile((0.05, 0.95))``,
        means over the outputs; or a function ``f(outputs, targets) -> (losses, gradient)``.
    hidden_layer_sizes : array-like of int, or int, default=(100,)
        Units of each hidden layer.
    activation : {"identity", "logistic", "tanh", "relu"}, default="relu"
        Of the hidden layers; or any other of `twolayer_ext.activations.ACTIVATIONS`.
    solver : {"lbfgs", "sgd", "adam"}, default="adam"
        "lbfgs" is SciPy's L-BFGS-B on all rows at once, "sgd" stochastic gradient descent with
        momentum, "adam" the method of Kingma and Ba (2015).
    alpha : float, default=0.0001
        Strength of the L2 penalty: alpha / 2 times the sum of the weights' squares, biases left
        out, divided by the rows of each batch (the sum of their weights), is added to the loss.
    batch_size : int or "auto", default="auto"
        Rows of a batch of "sgd" and "adam"; "auto" is min(200, n_samples).
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        Of "sgd". "invscaling" divides by (t_ + 1) ** power_t after each epoch, "adaptive" divides
        by 5 whenever nothing has improved for `n_iter_no_change` epochs, until it is below 1e-6.
    learning_rate_init : float, default=0.001
        The learning rate of "sgd" and "adam", or that of the first epoch.
    power_t : float, default=0.5
        The exponent of "invscaling".
    max_iter : int, default=200
        Most epochs of "sgd" and "adam", most iterations of "lbfgs".
    shuffle : bool, default=True
        Whether rows come in another order in every epoch.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights and biases, the split of early stopping and the order of rows.
    tol : float, default=1e-4
        An epoch improves the loss (the validation score) if it does by this much. Of "lbfgs", the
        largest element of the gradient at which to stop.
    verbose : bool, default=False
        Whether to print the loss of every epoch.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the call before.
    momentum : float in [0, 1], default=0.9
        Of "sgd".
    nesterovs_momentum : bool, default=True
        Whether that momentum is Nesterov's.
    early_stopping : bool, default=False
        Whether to set `validation_fraction` of the rows aside, to stop when the score on them does
        not improve by `tol` for `n_iter_no_change` epochs, and to end with the best epoch's
        weights. Of "sgd" and "adam".
    validation_fraction : float in [0, 1), default=0.1
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay of Adam's first and second moment.
    epsilon : float, default=1e-8
        Added to the root of Adam's second moment, which is not corrected.
    n_iter_no_change : int or inf, default=10
        Epochs without improvement after which to stop.
    max_fun : int, default=15000
        Most evaluations of the loss by "lbfgs".
    optimizer : str, object of `twolayer_ext.optimizers` or None, default=None
        In the place of `solver`: "sgd", "adam", "adamw", "rmsprop" or "lion" in PyTorch's formulas,
        with hyper-parameters of its own, such as ``optimizers.AdamW(weight_decay=0.01)``.
        `learning_rate_init` is its learning rate. This and what follows are not scikit-learn's.
    schedule : callable or None, default=None
        ``schedule(step, steps)`` gives what multiplies `learning_rate_init` in a step, see
        `twolayer_ext.schedules`; `steps` are those of `max_iter` epochs.
    normalize : "center", "standard", "scale", (shift, scale) or None, default=None
        The network reads (x - shift) / scale, from the rows trained on, as that of
        `twolayer_ext.train`: `predict` takes rows as they are, `coefs_` are of the rows normalised.
    dropout : float in [0, 0.999], default=0
        Share of each hidden layer's units left out at random in a step.
    batch_norm : bool, default=False
        Normalise the hidden layers' pre-activations over each batch; folded into `coefs_` and
        `intercepts_` after every epoch, so not with `partial_fit`, nor to go on by `warm_start`.
    clip_norm : float or None, default=None
        Largest norm of all gradients of a step together.
    dtype : {"float32", "float64"} or None, default=None
        Of `coefs_` and all arithmetic; None takes float32 where X is, else float64.
    compute_dtype : {"bfloat16"} or None, default=None
        With dtype "float32": what the products of training read is rounded to 8 significant bits.
    ensemble : int, default=1
        Nets to train side by side, from seeds that `random_state` draws; predictions are the means
        of their outputs. They stand in `estimators_`.
    callbacks : sequence of callables or None, default=None
        Each is called after every epoch, or iteration of "lbfgs", with a
        `twolayer_ext.EpochEvent`; training stops if one returns True. Of an ensemble, one net's
        training, one call at a time.
    progress : bool or None, default=False
        Whether to show progress on standard error; None does if that is a terminal.
    n_threads : int or None, default=None
        Threads to compute with, which never change a bit of the result; None honours
        OMP_NUM_THREADS, else takes the CPUs this process may use.

    Attributes
    ----------
    loss_ : float
        Of the last epoch.
    best_loss_ : float or None
        The smallest of all epochs; None with early stopping.
    loss_curve_ : list of float
        Of every epoch: the mean over the rows, each batch before its update, the penalty included.
    validation_scores_ : list of float or None
        R² of every epoch on the rows set aside, with early stopping, or `validation_data`.
    validation_loss_curve_ : list of float
        Of every epoch on the rows set aside or `validation_data`, without penalty and weights.
    best_validation_score_ : float or None
        The largest of them.
    t_ : int
        Rows trained on so far, each epoch's counted anew.
    coefs_ : list of ndarray
        Weights of each layer, (n_in, n_out); what is assigned is used from then on.
    intercepts_ : list of ndarray
        Biases of each layer, (n_out,); likewise.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X has names that are all text.
    input_shift_, input_scale_ : ndarray of shape (n_features_in_,)
        With `normalize`: what X is shifted and divided by.
    estimators_ : list
        With `ensemble` above 1: its nets, fitted. `coefs_`, curves and the like are theirs.
    n_iter_ : int
        Epochs, or iterations, of the last fit.
    n_layers_ : int
        Input and output counted.
    n_outputs_ : int
    out_activation_ : str
        "identity" or "exp".

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from twolayer_ext import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(MLPRegressor(solver="lbfgs", max_iter=2000, random_state=1).fit(X, y).score(X, y), 1)
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMultilayerPerceptron._parameter_constraints,
        "loss": [
            StrOptions({"squared_error", "poisson", "absolute_error", "huber", "quantile"}),
            Loss,
            callable,
        ],
    }

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        optimizer: str | Optimizer | None = None,
        schedule: Schedule | None = None,
        normalize: Any = None,
        dropout: float = 0.0,
        batch_norm: bool = False,
        clip_norm: float | None = None,
        dtype: Any = None,
        compute_dtype: str | None = None,
        ensemble: int = 1,
        callbacks: Any = None,
        progress: bool | None = False,
        n_threads: int | None = None,
    ) -> None:
        self._store(locals())

    def _validate_input(
        self, X: ArrayLike, y: ArrayLike, incremental: bool, reset: bool
    ) -> tuple[Any, Array]:
        return self._checked_pair(X, y, reset=reset)

    def _checked_pair(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[Any, Array]:
        checked, targets = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=self._dtypes(),
            reset=reset,
        )
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        return checked, targets

    def _output_activation(self) -> str:
        return out_activation_of(make(self.loss))

    def _own_loss(self) -> Loss | None:
        if isinstance(self.loss, str) and self.loss in ("squared_error", "poisson"):
            return None
        loss = make(self.loss)
        if loss.takes not in ("real", "counts"):
            raise ValueError(f"loss: {loss}; must be of numbers, for classes use MLPClassifier")
        return loss

    def _make_task(self, y: Array) -> Task:
        loss = self._own_loss()
        if loss is not None:
            if self.early_stopping and not loss.score_name:
                raise ValueError(
                    f"early_stopping: True with {loss}, whose outputs are no predictions of y; "
                    "must be False"
                )
            return read(y, rows=len(y), loss=loss)[0]
        columns = 1 if y.ndim == 1 else y.shape[1]
        return Task(make(self.loss), columns, columns=columns, single=y.ndim == 1)

    def _validation_pair(self, X: ArrayLike, y: ArrayLike) -> tuple[Any, Array]:
        checked, targets = self._checked_pair(X, y, reset=False)
        columns = 1 if targets.ndim == 1 else targets.shape[1]
        if columns != self._task.columns:
            raise ValueError(
                f"validation_data: y has {columns} columns; must have {self._task.columns}"
            )
        return checked, targets

    def _stratified(self) -> bool:
        return False

    def _score_of_predictions(
        self, y: Array, predicted: Array, sample_weight: NDArray[np.float64] | None
    ) -> float:
        if not (self._task.loss.score_name and np.isfinite(predicted).all()):
            return float("nan")
        return self._r2(y, predicted, sample_weight)

    def _r2(self, y: ArrayLike, predicted: Array, sample_weight: ArrayLike | None) -> float:
        """Return R² of outputs (N, K), where a target has several of the middle one."""
        loss = make(self.loss)
        if not loss.score_name:
            raise ValueError(
                f"loss: {loss}, whose outputs are no predictions of y; must have no width of its "
                "own to be scored"
            )
        each = loss.outputs_per_target
        middle = predicted[:, getattr(loss, "middle_output", 0) :: each]
        return float(r2_score(y, middle, sample_weight=sample_weight))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R² of the predictions; of several quantiles, of the one nearest to the median.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float

        Raises
        ------
        ValueError
            The loss is a function whose outputs are no predictions.
        """
        return self._r2(y, self._outputs(X), sample_weight)

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one more epoch, on these rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Raises
        ------
        AttributeError
            The solver is "lbfgs".
        ValueError
            `early_stopping`.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: ArrayLike) -> Array:
        """Return the numbers predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Of several quantiles with one more axis, that of the levels.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return outputs.ravel()
        levels = make(self.loss).outputs_per_target
        if 1 < levels < outputs.shape[1]:
            return outputs.reshape(len(outputs), -1, levels)
        return outputs
