"""What `train` and the command line do where nothing is said: one table for both."""

from __future__ import annotations

from typing import Any

from twolayer_ext import schedules
from twolayer_ext.names import NormalizeName
from twolayer_ext.unset import UNSET

# Where the table says UNSET, the functions below or the optimizer decide.
DEFAULTS: dict[str, Any] = {
    "hidden_sizes": (512,),
    "activation": "relu",
    "normalize": "standard",  # of sparse rows see below
    "init": "auto",
    "dtype": "float32",
    "learning_rate_decay": UNSET,
    "schedule": schedules.cosine(),
}
_STEPS = 2000
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 200
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 256


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
    """Return the number of epochs: about 2000 steps, at least 10 epochs and at most 200."""
    an_epoch = -(-rows // batch)
    return max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, -(-_STEPS // an_epoch)))
