"""What `train` and the command line do where nothing is said: one table for both.

Chosen by held-out scores on scikit-learn's digits, iris, wine, breast cancer and diabetes, 5 to 20
splits each; docs/accuracy.md has the figures.
"""

from __future__ import annotations

from typing import Any

from twolayer_ext import schedules
from twolayer_ext.names import NormalizeName
from twolayer_ext.unset import UNSET

# What depends on the data is said by the functions below, the learning rate by the optimizer.
DEFAULTS: dict[str, Any] = {
    "hidden_sizes": (512,),
    "activation": "relu",
    "normalize": "standard",  # of sparse rows see below
    "init": "auto",
    "dtype": "float32",
    "optimizer": "adamw",  # with weight_decay() below
    "schedule": schedules.cosine(),
}
_STEPS = 2000
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 1000
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 256
_DECAY_TIMES_ROWS, _LARGEST_DECAY = 1000.0, 3.0


def default(name: str, value: Any) -> Any:
    """Return `value`, or the default where it is UNSET."""
    return DEFAULTS[name] if value is UNSET else value


def normalize(sparse: bool) -> NormalizeName:
    """Return how data are normalised: sparse rows without a shift, so that zeros stay zeros."""
    return "scale" if sparse else "standard"


def batch_size(rows: int) -> int:
    """Return the batch size for so many training rows.

    The power of two nearest below a hundredth of them, from 32 to 256: small data need small
    batches for enough steps, large data large ones for speed.
    """
    size = _SMALLEST_BATCH
    while 2 * size <= min(_LARGEST_BATCH, rows // 100):
        size *= 2
    return min(size, rows)


def epochs(rows: int, batch: int) -> int:
    """Return the number of epochs: about 2000 steps, at least 10 epochs and at most 1000."""
    an_epoch = -(-rows // batch)
    return max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, -(-_STEPS // an_epoch)))


def weight_decay(rows: int) -> float:
    """Return the weight decay of the default optimizer: the fewer rows, the more has to hold it.

    1000 / rows, at most 3. Over the run that pulls weights together by exp(-1.5 · decay) or so,
    whatever the size of the gradients: on a few hundred rows a wide net becomes nearly as smooth
    as ridge regression, on tens of thousands it is let go.
    """
    return min(_LARGEST_DECAY, _DECAY_TIMES_ROWS / rows)
