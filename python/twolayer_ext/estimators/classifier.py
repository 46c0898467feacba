"""MLPClassifier: one label of two, one of many, or several at once."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from twolayer_ext.checks import Array
from twolayer_ext.estimators.base import BaseMultilayerPerceptron
from twolayer_ext.estimators.objective import class_indices, out_activation_of
from twolayer_ext.losses import CrossEntropy, CustomLoss, Logistic, Loss, Task, make
from twolayer_ext.optimizers import Optimizer
from twolayer_ext.schedules import Schedule


class MLPClassifier(ClassifierMixin, BaseMultilayerPerceptron):
    """Multi-layer perceptron that classifies: scikit-learn's, computed by the compiled core.

    Two classes share one logistic output, more have a softmax, several labels at once a logistic
    output each; the loss is the negative logarithm of the labels' probability.

    Parameters
    ----------
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
    loss : "log_loss", "cross_entropy", "logistic", object or callable, default="log_loss"
        This and what follows are not scikit-learn's, whose loss is the default. The package's
        "cross_entropy" gives two classes two outputs, its "logistic" is the mean over several
        labels; ``losses.CustomLoss(f, takes="labels")``, or the function
        ``f(outputs, classes) -> (losses, gradient)`` itself, has an output a class, of which the
        largest is predicted, and no probabilities.
    optimizer : str, object of `twolayer_ext.optimizers` or None, default=None
        In the place of `solver`: "sgd", "adam", "adamw", "rmsprop" or "lion" in PyTorch's formulas,
        with hyper-parameters of its own, such as ``optimizers.AdamW(weight_decay=0.01)``.
        `learning_rate_init` is its learning rate.
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
    class_weight : dict, list of dict, "balanced" or None, default=None
        Factors of the rows' weights, by label, as scikit-learn's other classifiers take them.
    label_smoothing : float in [0, 1), default=0
        The loss is that of labels right but for this share, which all classes have evenly.
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
    classes_ : ndarray of shape (n_classes,)
        The labels, ascending.
    loss_ : float
        Of the last epoch.
    best_loss_ : float or None
        The smallest of all epochs; None with early stopping.
    loss_curve_ : list of float
        Of every epoch: the mean over the rows, each batch before its update, the penalty included.
    validation_scores_ : list of float or None
        Accuracy of every epoch on the rows set aside, with early stopping, or `validation_data`.
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
        "softmax" or "logistic".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from twolayer_ext import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> MLPClassifier(solver="lbfgs", random_state=1).fit(X, y).predict(X[:2])
    array([0, 0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMultilayerPerceptron._parameter_constraints,
        "loss": [StrOptions({"log_loss", "cross_entropy", "logistic"}), Loss, callable],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
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
        loss: Any = "log_loss",
        optimizer: str | Optimizer | None = None,
        schedule: Schedule | None = None,
        normalize: Any = None,
        dropout: float = 0.0,
        batch_norm: bool = False,
        clip_norm: float | None = None,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
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
        checked, targets = self._checked_pair(X, y, reset=reset)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer().fit(targets)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(targets))
        return checked, self._label_binarizer.transform(targets).astype(bool)

    def _checked_pair(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[Any, Array]:
        checked, targets = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=self._dtypes(),
            reset=reset,
        )
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        return checked, targets

    def _check_classes(self, classes: Array) -> None:
        """Raise ValueError for labels that earlier fits did not have, or lack with warm start."""
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same "
                    "classes as in the previous call to fit. Previously "
                    f"got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _output_activation(self) -> str:
        loss = self._own_loss()
        if loss is not None:
            return out_activation_of(loss)
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _own_loss(self) -> Loss | None:
        if isinstance(self.loss, str) and self.loss == "log_loss":
            return None
        function = callable(self.loss) and not isinstance(self.loss, (Loss, type))
        loss = CustomLoss(self.loss, takes="labels") if function else make(self.loss)
        if loss.takes not in ("labels", "indicators"):
            raise ValueError(
                f"loss: {loss}; must be of classes: 'log_loss', 'cross_entropy', 'logistic', or "
                "twolayer_ext.losses.CustomLoss(function, takes='labels')"
            )
        return loss.with_label_smoothing(self.label_smoothing)

    def _make_task(self, y: Array) -> Task:
        """Two classes have one logistic output, but for losses that want one of each class."""
        loss, classes = self._own_loss(), len(self.classes_)
        kind = self._label_binarizer.y_type_
        several = kind.startswith("multilabel")
        if loss is None:
            loss = CrossEntropy() if kind == "multiclass" else Logistic()
        elif loss.takes == "labels" and (several or classes < 2):
            raise ValueError(
                f"loss: {loss.name!r} for {classes} {'labels at once' if several else 'class'}; "
                "must be 'log_loss'" + " or 'logistic'" * several
            )
        elif loss.takes == "indicators" and not several and classes > 2:
            raise ValueError(
                f"loss: {loss.name!r} for {classes} classes; must be 'log_loss' or 'cross_entropy'"
            )
        if several:
            return Task(loss, classes, columns=classes, single=False)
        outputs = classes if loss.takes == "labels" else 1
        return Task(loss, outputs, columns=1, single=True, classes=self.classes_)

    def _validation_pair(self, X: ArrayLike, y: ArrayLike) -> tuple[Any, Array]:
        checked, targets = self._checked_pair(X, y, reset=False)
        unknown = np.setdiff1d(unique_labels(targets), self.classes_)
        if len(unknown):
            raise ValueError(f"validation_data: y has classes {unknown}; must be among `classes_`")
        return checked, self._label_binarizer.transform(targets).astype(bool)

    def _row_weights(
        self, y: ArrayLike, weights: NDArray[np.float64] | None, incremental: bool
    ) -> NDArray[np.float64] | None:
        if self.class_weight is None:
            return weights
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight: 'balanced' with partial_fit, which does not see all labels; must be "
                "a dict, such as sklearn.utils.class_weight.compute_class_weight helps to make"
            )
        factors = np.asarray(compute_sample_weight(self.class_weight, y), np.float64)
        return factors if weights is None else factors * weights

    def _stratified(self) -> bool:
        return bool(self._label_binarizer.y_type_ == "binary")

    def _score_of_predictions(
        self, y: Array, predicted: Array, sample_weight: NDArray[np.float64] | None
    ) -> float:
        if self.out_activation_ != "logistic":
            right = predicted.argmax(axis=1) == class_indices(y)
        else:
            right = ((predicted > 0.5) == y).all(axis=1)
        if len(self.classes_) == 1:
            right = np.ones(len(y), bool)
        return float(np.average(right, weights=sample_weight))

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch, on these rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
        classes : array of shape (n_classes,), default=None
            All labels that any call will bring; needed in the first.

        Returns
        -------
        self : object

        Raises
        ------
        AttributeError
            The solver is "lbfgs".
        ValueError
            No or other classes; `early_stopping`.
        """
        if _check_partial_fit_first_call(self, classes):
            several = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if several else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: ArrayLike) -> Array:
        """Return the most probable labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        outputs = self._outputs(X)
        if self.out_activation_ != "logistic":
            return np.asarray(self.classes_.take(outputs.argmax(axis=1)))
        if self.n_outputs_ == 1:
            second = outputs[:, 0] > 0.5
            return np.asarray(self.classes_.take(second.astype(np.intp), mode="clip"))
        result: Array = self._label_binarizer.inverse_transform(outputs)
        return result

    @available_if(lambda estimator: estimator._check_probabilities())
    def predict_proba(self, X: ArrayLike) -> Array:
        """Return probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        outputs = self._outputs(X)
        if self.n_outputs_ == 1:
            return np.hstack([1 - outputs, outputs])
        return outputs

    @available_if(lambda estimator: estimator._check_probabilities())
    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        logarithms : ndarray of shape (n_samples, n_classes)
        """
        probabilities = self.predict_proba(X)
        return np.asarray(np.log(probabilities, out=probabilities))

    def _check_probabilities(self) -> bool:
        loss = None if isinstance(self.loss, str) else self._own_loss()
        if loss is not None and not loss.has_probabilities:
            raise AttributeError(
                f"probabilities: the loss is {loss.name!r}; must be 'log_loss', 'cross_entropy' or "
                "'logistic'"
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
