"""Settings said in full, for tests that must not move with the defaults."""

from __future__ import annotations

from typing import Any

# Under which the bits of docs/reproducibility.md were recorded.
SGD: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 1e-3,
    "learning_rate_decay": 0.95,
    "batch_size": 128,
}
