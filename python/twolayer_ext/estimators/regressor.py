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
from twolayer_ext.losses import CustomLoss, Loss, make


class MLPRegressor(RegressorMixin, BaseMultilayerPerceptron):
    """Multi-layer perceptron that predicts numbers: scikit-learn's, computed by the compiled core.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, default="squared_error"
        Half the squared error, averaged over the outputs; or half the Poisson deviance of counts
        from 0 on, whose mean is the exponential of the outputs. As in scikit-learn, the gradient
        of the squared error is that of the sum over the outputs. Also "absolute_error", "huber", or
        an object such as ``twolayer_ext.losses.Quantile((0.9,))``, means over the outputs.
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
    dropout : float in [0, 0.999], default=0
        Share of each hidden layer's units left out at random in a step of "sgd" or "adam". This and
        what follows are not scikit-learn's.
    clip_norm : float or None, default=None
        Largest norm of all gradients of a step together.
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
        R² of every epoch on the rows set aside, with early stopping.
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
        "loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber"}), Loss],
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
        dropout: float = 0.0,
        clip_norm: float | None = None,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            loss=loss,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            dropout=dropout,
            clip_norm=clip_norm,
            n_threads=n_threads,
        )

    def _validate_input(
        self, X: ArrayLike, y: ArrayLike, incremental: bool, reset: bool
    ) -> tuple[Any, Array]:
        checked, targets = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        return checked, targets

    def _output_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def _loss(self) -> Loss | None:
        if isinstance(self.loss, str) and self.loss in ("squared_error", "poisson"):
            return None
        loss = make(self.loss)
        if loss.takes != "real" or loss.outputs_per_target != 1 or isinstance(loss, CustomLoss):
            raise ValueError(
                f"loss: {loss}; must be of numbers, one output each: for several quantiles use "
                "several regressors, or twolayer_ext.train"
            )
        return loss

    def _stratified(self) -> bool:
        return False

    def _score_of_predictions(
        self, y: Array, predicted: Array, sample_weight: NDArray[np.float64] | None
    ) -> float:
        if not np.isfinite(predicted).all():
            return float("nan")
        return float(r2_score(y, predicted, sample_weight=sample_weight))

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
        """
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs
