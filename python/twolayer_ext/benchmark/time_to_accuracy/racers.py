"""Who races: this package through `train`, and PyTorch the way its documentation shows."""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import cached_property
from itertools import pairwise
from typing import Any

import twolayer_ext as tl
from twolayer_ext.benchmark.cases import normalised
from twolayer_ext.benchmark.time_to_accuracy.course import Course, Standardised
from twolayer_ext.benchmark.time_to_accuracy.goals import Recipe
from twolayer_ext.checks import Array
from twolayer_ext.errors import DivergenceError


class Racer(ABC):
    """A library, with the type its products are of."""

    name: str

    def __init__(self, split: Standardised, dtype: str, threads: int) -> None:
        self.split = split
        self.dtype = dtype
        self.threads = threads

    def unavailable(self) -> str | None:
        """Say why it cannot run here; None if it can."""
        return None

    @abstractmethod
    def run(self, recipe: Recipe, seed: int, course: Course) -> None:
        """Train until `course` says to stop, or the recipe ends."""


class Twolayer(Racer):
    """Our own: `twolayer_ext.train`, called once."""

    def __init__(self, split: Standardised, dtype: str, threads: int) -> None:
        super().__init__(split, dtype, threads)
        self.name = f"twolayer {dtype}"

    def run(self, recipe: Recipe, seed: int, course: Course) -> None:
        """Look at the accuracy in a callback."""
        split = self.split
        with suppress(DivergenceError):  # the goal is not reached then, which the course tells
            tl.train(
                split.training.x,
                split.training.y,
                hidden_sizes=recipe.hidden_sizes,
                optimizer=recipe.optimizer,
                learning_rate=recipe.learning_rate,
                schedule=recipe.factor,
                batch_norm=recipe.batch_norm,
                label_smoothing=recipe.label_smoothing,
                augment=tl.Augment(split.image_shape) if recipe.flip else None,
                batch_size=recipe.batch_size,
                epochs=recipe.epochs,
                init="he",
                normalize=(split.shift, split.scale),
                compute_dtype="bfloat16" if self.dtype == "bfloat16" else None,
                seed=seed,
                threads=self.threads,
                progress=False,
                callbacks=[lambda event: course.epoch_done(event.network.predict)],
            )


class Torch(Racer):
    """PyTorch, eager, with a fused optimizer; "bfloat16" is its autocast.

    Its data are tensors in memory, normalised beforehand and, for flips, mirrored beforehand, too:
    a batch is one read by index. None of that is timed.
    """

    def __init__(self, split: Standardised, dtype: str, threads: int) -> None:
        super().__init__(split, dtype, threads)
        self.name = "PyTorch " + ("bf16 autocast" if dtype == "bfloat16" else dtype)

    def unavailable(self) -> str | None:
        """Not installed."""
        return None if importlib.util.find_spec("torch") else "not installed"

    @cached_property
    def torch(self) -> Any:
        """The library, imported when it takes part."""
        return importlib.import_module("torch")

    @cached_property
    def rows(self) -> Any:
        """The training rows, normalised, in the type that the first product reads."""
        return self._normalised(self.split.training.x).to(getattr(self.torch, self.dtype))

    @cached_property
    def rows_and_mirrored(self) -> Any:
        """The training rows, and below them all of them again, mirrored."""
        images = self.rows.view(-1, *self.split.image_shape)
        return self.torch.cat([self.rows, images.flip(3).flatten(1)])

    def run(self, recipe: Recipe, seed: int, course: Course) -> None:
        """Run the usual loop."""
        torch = self.torch
        torch.set_num_threads(self.threads)
        torch.manual_seed(seed)
        labels = torch.from_numpy(self.split.training.y)
        rows = self.rows_and_mirrored if recipe.flip else self.rows
        count, size = len(labels), recipe.batch_size
        model = self._model(recipe)
        optimizer_class = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[recipe.optimizer]
        optimizer = optimizer_class(
            model.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True
        )
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == "bfloat16")
        steps = recipe.epochs * -(-count // size)
        step = 0
        for _ in range(recipe.epochs):
            model.train()
            order = torch.randperm(count)
            places = order + count * torch.randint(2, (count,)) if recipe.flip else order
            for batch, classes in zip(places.split(size), labels[order].split(size), strict=True):
                rate = recipe.learning_rate * recipe.factor(step, steps)
                optimizer.param_groups[0]["lr"] = rate
                step += 1
                optimizer.zero_grad(set_to_none=True)
                with autocast:
                    loss = torch.nn.functional.cross_entropy(
                        model(rows[batch]), classes, label_smoothing=recipe.label_smoothing
                    )
                loss.backward()
                optimizer.step()
            if course.epoch_done(lambda x: self._predict(model, x)):
                return

    def _model(self, recipe: Recipe) -> Any:
        nn = self.torch.nn
        split = self.split
        classes = int(split.training.y.max()) + 1
        modules: list[Any] = []
        for fan_in, fan_out in pairwise((split.training.x.shape[1], *recipe.hidden_sizes, classes)):
            linear = nn.Linear(fan_in, fan_out)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            modules += [linear, *([nn.BatchNorm1d(fan_out)] * recipe.batch_norm), nn.ReLU()]
        hidden = len(recipe.hidden_sizes) * (2 + recipe.batch_norm)
        return nn.Sequential(*modules[: hidden + 1])  # nothing follows the last layer

    def _predict(self, model: Any, x: Array) -> Array:
        model.eval()
        with self.torch.inference_mode():
            classes: Array = model(self._normalised(x)).argmax(dim=1).numpy()
        return classes

    def _normalised(self, x: Array) -> Any:
        return self.torch.from_numpy(normalised(x, self.split.shift, self.split.scale))


def racers(split: Standardised, threads: int, *, peers: bool) -> list[Racer]:
    """Return ourselves and, with `peers`, PyTorch: in float32, and in bfloat16 where that pays.

    It pays where the CPU has instructions for it; elsewhere both are slower with it than without.
    """
    dtypes = ["float32"]
    if tl.build_info()["bfloat16"] == "native":
        dtypes.append("bfloat16")
    kinds: list[type[Racer]] = [Twolayer, Torch] if peers else [Twolayer]
    return [kind(split, dtype, threads) for kind in kinds for dtype in dtypes]
