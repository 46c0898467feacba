"""What type checkers know of the package: checked by mypy, never run; see test_typing.py.

A `type: ignore` that is not needed is an error, too: each stands for a mistake that is found.
"""

from __future__ import annotations

from typing import Any, Literal, assert_type

import numpy as np
from numpy.typing import NDArray

import twolayer_ext as tl

x = np.zeros((4, 3), np.uint8)
y = ["a", "b", "a", "b"]

result = tl.train(x, y, activation="gelu", optimizer="adam", init="he", normalize="standard")
assert_type(result, tl.TrainResult[tl.Network])
assert_type(result.network, tl.Network)
assert_type(result.history, dict[str, list[float]])
assert_type(result.best_epoch, int | None)
assert_type(result.network.predict(x), NDArray[Any])
assert_type(result.network.evaluate(x, y), tuple[float, float])
assert_type(result.network.classes, NDArray[Any] | None)
assert_type(result.network.feature_names, tuple[str, ...] | None)
assert_type(result.network.loss, tl.losses.Loss)
assert_type(result.network.astype("float64"), tl.Network)
assert_type(tl.load("net.npz"), tl.Network)

twin = tl.reference.train(x, y)
assert_type(twin.network, tl.reference.Network)
assert_type(tl.reference.load("net.npz"), tl.reference.Network)

tl.train(x, y, loss="huber", network=result.network)
tl.train(x, y, loss=tl.losses.Quantile(levels=(0.5,)), optimizer=tl.optimizers.Lion())
tl.train(x, y, loss=lambda outputs, targets: (outputs[:, 0], outputs))
tl.train(x, y, init=0.1, normalize=(127.5, 70), class_weight="balanced", compute_dtype="bfloat16")
tl.train(x, y, normalize=None, class_weight={"a": 2}, schedule=tl.schedules.cosine())
tl.train(x, y, **tl.recipes.study_adam())
tl.plots.plot_training(result.history, result.network)

name: Literal["relu", "tanh"] = "relu"
tl.Network((3, 2), activation=name, loss="cross_entropy", init="auto", dtype="float64")

tl.train(x, y, activation="step")  # type: ignore[arg-type]
tl.train(x, y, optimizer="lbfgs")  # type: ignore[arg-type]
tl.train(x, y, loss="hinge")  # type: ignore[arg-type]
tl.train(x, y, dtype="float16")  # type: ignore[arg-type]
tl.train(x, y, compute_dtype="float16")  # type: ignore[arg-type]
tl.train(x, y, init="xavier")  # type: ignore[arg-type]
tl.train(x, y, normalize="zscore")  # type: ignore[arg-type]
tl.train(x, y, class_weight="even")  # type: ignore[arg-type]
tl.train(x, y, learn_rate=1)  # type: ignore[call-arg]
tl.train(x, y, network=twin.network)  # type: ignore[arg-type]
tl.reference.train(x, y, activation="step")  # type: ignore[arg-type]
tl.Network((3, 2), activation="step")  # type: ignore[arg-type]
tl.Network((3, 2), init="xavier")  # type: ignore[arg-type]
tl.plots.plot_nothing()  # type: ignore[attr-defined]
