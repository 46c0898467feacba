"""What scikit-learn does not have, checked: in which combinations it can be, and what follows."""

from __future__ import annotations

from typing import Any

from twolayer_ext import checks, optimizers
from twolayer_ext.checks import Array
from twolayer_ext.engine import RowNumbers
from twolayer_ext.estimators.optimizer import StochasticOptimizer
from twolayer_ext.network import normalization
from twolayer_ext.rows import Rows, Sparse
from twolayer_ext.training.options import check_schedule

# Of techniques that need steps, the values that ask for none.
_OF_STEPS = {
    "dropout": 0,
    "clip_norm": None,
    "batch_norm": False,
    "compute_dtype": None,
    "schedule": None,
}
# scikit-learn's hyper-parameters of its own solvers, with their defaults.
_OF_SOLVERS = {
    "learning_rate": "constant",
    "power_t": 0.5,
    "momentum": 0.9,
    "nesterovs_momentum": True,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-8,
}


def check(estimator: Any, *, first: bool, incremental: bool) -> None:
    """Raise ValueError or TypeError for further parameters that do not go together."""
    if not estimator._has_steps():
        for name, without in _OF_STEPS.items():
            value = getattr(estimator, name)
            if value != without:
                raise ValueError(
                    f"{name}: {checks.shown(value)} with solver='lbfgs'; must be {without}, only "
                    "'sgd', 'adam' and an `optimizer` have it"
                )
    if estimator.optimizer is not None:
        optimizers.make(estimator.optimizer)
        for name, default in _OF_SOLVERS.items():
            value = getattr(estimator, name)
            if value != default:
                raise ValueError(
                    f"{name}: {value!r} with an optimizer; must be left at {default!r}: an object "
                    "such as twolayer_ext.optimizers.AdamW(betas=(0.8, 0.99)) has its own, and "
                    "`schedule` changes the learning rate"
                )
    if estimator.schedule is not None:
        check_schedule(estimator.schedule)
        if incremental:
            raise ValueError(
                "schedule: given with partial_fit, which does not know how many steps there will "
                "be; must be None"
            )
        if estimator.learning_rate != "constant":
            raise ValueError(
                f"learning_rate: {estimator.learning_rate!r} together with schedule; must be "
                "'constant'"
            )
    if estimator.batch_norm and (incremental or not first):
        raise ValueError(
            "batch_norm: True with partial_fit or warm_start; must be False to go on: a trained "
            "network has it folded into its weights"
        )


def dtype_of(estimator: Any, wanted: str) -> str:
    """Return the dtype to compute in: the parameter's, else `wanted`; check compute_dtype."""
    dtype = wanted if estimator.dtype is None else checks.dtype_name(estimator.dtype)
    compute_dtype = estimator.compute_dtype
    if compute_dtype == "bfloat16" and dtype != "float32":
        raise ValueError(
            f"compute_dtype: 'bfloat16' with {dtype} data; must come with dtype='float32'"
        )
    checks.compute_dtype_name(compute_dtype, dtype)
    return dtype


def normalization_of(
    estimator: Any, x: Rows, rows: RowNumbers | None, dtype: str
) -> tuple[Array, Array] | None:
    """Return shift and scale of the first layer's input, from x[rows] if they are asked by name."""
    if estimator.normalize is None:
        return None
    pair = normalization.check(estimator.normalize, features=x.shape[1], dtype=dtype)
    if isinstance(x, Sparse):
        normalization.check_sparse(pair)
    return normalization.from_data(pair, x, rows, dtype) if isinstance(pair, str) else pair


def make_optimizer(estimator: Any, dtype: str) -> StochasticOptimizer:
    """Return the estimator's optimizer, or scikit-learn's of its solver, with a fresh state."""
    rate = estimator.learning_rate_init
    if estimator.optimizer is not None:
        chosen = optimizers.make(estimator.optimizer)
        chosen.check_dtype(dtype)
        return StochasticOptimizer(chosen.kernel, rate, chosen.hyperparameters)
    if estimator.solver == "adam":
        betas = {"beta1": float(estimator.beta_1), "beta2": float(estimator.beta_2)}
        return StochasticOptimizer(
            "adam_epsilon_hat", rate, {**betas, "epsilon": float(estimator.epsilon)}
        )
    return StochasticOptimizer(
        "nesterov_velocity" if estimator.nesterovs_momentum else "velocity",
        rate,
        {"momentum": float(estimator.momentum)},
        schedule=estimator.learning_rate,
        power_t=estimator.power_t,
    )


def techniques(estimator: Any, x: Rows, batch_size: int, dtype: str) -> dict[str, Any]:
    """Return the trainer's options; nothing is drawn without need."""
    options: dict[str, Any] = {"clip_norm": float(estimator.clip_norm or 0)}
    if estimator.batch_norm:
        if batch_size == 1:
            raise ValueError(
                "batch_norm: True with batches of one row; must come with a batch_size of at "
                "least 2"
            )
        options["batch_norm"] = True
    if estimator.compute_dtype is not None:
        if isinstance(x, Sparse) and estimator.compute_dtype != dtype:
            raise ValueError(
                f"compute_dtype: {estimator.compute_dtype!r} with a sparse matrix; must be None"
            )
        options["compute_dtype"] = estimator.compute_dtype
    if estimator.dropout > 0:
        options["dropout"] = (float(estimator.dropout),) * (estimator.n_layers_ - 2)
        options["seed"] = int(estimator._random_state.randint(2**31))
    return options
