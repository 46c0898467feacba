"""Hold training techniques in the compiled kernels against the twin; once a target.

    python technique_shapes.py [full] [gradients|training|bits ...]

Run by techniques/test_kernels.py. Every check prints one line a failure, and at the end how many
comparisons were made; `bits` prints hashes. Without "full" fewer sizes are combined.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from kernel_shapes import (
    CORE,
    OPTIMIZERS,
    TWIN,
    check_gradients,
    chosen,
    close,
    inputs,
    main,
    pair,
    rate,
    trainer_of,
)
from twolayer_ext import build_info, losses
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.engine import Techniques
from twolayer_ext.reference import NumpyNetwork
from twolayer_ext.reference.layers import Between

SIZES = (1, 2, 3, 15, 16, 17, 31, 33, 64, 65, 100)
FEW = (1, 2, 16, 33, 65)
IMAGE = (3, 10, 10)
KINKED = ("relu", "leaky_relu", "selu")
TRAINED = {
    "dropout": {"dropout": (0.5, 0.2), "seed": 3},
    "batch_norm": {"batch_norm": True},
    "label_smoothing": {},
    "clip_norm": {"clip_norm": 0.3},
    "augment": {"augment": (IMAGE, True, 3, 4), "seed": 4},
    "weights": {},
}
TRAINED["all"] = {k: v for technique in TRAINED.values() for k, v in technique.items()}


def loss_of(name):
    return losses.CrossEntropy(0.1 if name in ("label_smoothing", "all") else 0.0)


def of_gradients(rng, name, n, hidden):
    """Arguments of loss_and_gradients."""
    techniques = {
        "dropout": {"dropout": [0.4] * len(hidden), "seed": int(rng.integers(2**63))},
        "batch_norm": {"gammas": [rng.uniform(0.5, 1.5, h) for h in hidden]},
        "label_smoothing": {},
        "weights": {"weights": rng.uniform(0, 2, n)},
    }
    if name == "all":
        return {key: value for one in techniques.values() for key, value in one.items()}
    return techniques[name]


def in_type(techniques, dtype):
    """The same with gammas in a network's type."""
    if "gammas" not in techniques:
        return techniques
    return techniques | {"gammas": [g.astype(dtype) for g in techniques["gammas"]]}


def conditions(twin, x, techniques):
    """How near a pre-activation comes to a kink, and how much normalisation enlarges an error."""
    named = {k: v for k, v in techniques.items() if k in ("dropout", "gammas", "seed")}
    between = twin.between(len(x), **named)
    twin.layers(twin.normalized(x, None), between)
    nearest, enlarged = np.inf, 1.0
    for layer in between:
        if layer.gamma is not None:
            # Where all samples are the same, or there is one, the difference to the mean is 0.
            varied = layer.variance > 1e-20
            enlarged *= max(1.0, (1 / layer.deviation[varied]).max(initial=0.0))
        nearest = min(nearest, np.abs(layer.z[layer.z != 0]).min(initial=np.inf))
    return nearest, enlarged


def gradients():
    """Loss and gradients: pairs of sizes as hidden layer and batch, all activations."""
    rng = np.random.default_rng(10)
    threads = itertools.cycle((1, 2, 3, 4))
    names = itertools.cycle(("dropout", "batch_norm", "label_smoothing", "weights", "all"))
    for dtype in ("float32", "float64"):
        activations = itertools.cycle(ACTIVATIONS)
        sizes = chosen((FEW, FEW, (2, 31)), (SIZES, SIZES, SIZES[1::5]))
        for n, h, g in itertools.product(*sizes):
            activation, name = next(activations), next(names)
            core, twin = pair(rng, (33, h, g, 5), activation, dtype)
            techniques = in_type(of_gradients(rng, name, n, (h, g)), dtype)
            margin = 200 * np.finfo(dtype).eps if activation in KINKED else 0
            for _ in range(100):
                x = inputs(rng, n, 33, "float64")
                nearest, enlarged = conditions(twin, x, techniques)
                if nearest > margin * enlarged:
                    break
            else:
                raise AssertionError("no inputs away from the kinks found")
            y = rng.integers(0, 5, n)
            loss = loss_of(name)
            value, got = core.loss_and_gradients(
                x, y, CORE.loss(loss, 5, None), 0.01, next(threads), **techniques
            )
            wanted, theirs = twin.loss_and_gradients(
                x, y, TWIN.loss(loss, 5, None), 0.01, 1, **techniques
            )
            what = f"{dtype} N={n} hidden {h}, {g} {activation} {name}"
            length = (n + h + g + 33) * enlarged**2
            close(f"{what} loss", value, wanted, dtype, length, 1 + wanted)
            check_gradients(what, got, theirs, dtype, length, 1 / n)


def train(engine, network, loss, optimizer, data, *, calls=1, **options):
    """Return losses, the parameters of three layers, and how many predictions were right."""
    x, y, rows, weights = data
    trainer = trainer_of(engine, network, loss, optimizer, **options)
    batch = options["batch_size"]
    steps = -(-len(rows) // batch)
    of_steps, correct = np.zeros(steps), 0
    for part in np.array_split(np.arange(steps), calls):
        begin, end = part[0], part[-1] + 1
        some = rows[begin * batch : end * batch]
        rates = np.full(len(part), rate(optimizer))
        done, right = trainer.run(x, y, some, rates, of_steps[begin:end], weights)
        if done != len(part):
            print(f"FAILED {done} of {len(part)} steps were done")
        correct += right
    trainer.publish()
    return [of_steps, *(a for i in range(3) for a in network.layer(i))], correct


class Shaken(Between):
    """Batch normalisation whose gradient is off by the roundings of what cancels in it.

    n g - Σ g - x̂ Σ g x̂ is small where x̂ follows g: with a batch of 2, x̂ is ±1 but for the epsilon
    under the root, and what is left is 1e-5 of the terms or less. An optimizer that divides by the
    gradient's size, or takes its sign, makes a step of full length of what is left.
    """

    rng = np.random.default_rng(0)

    def backward(self, gradient):
        result = super().backward(gradient)
        if self.gamma is None:
            return result
        if self.mask is not None:
            gradient = gradient * self.mask
        gradient = gradient * ACTIVATIONS[self.activation].derivative(self.z, self.activated)
        terms = len(gradient) * np.abs(gradient) + np.abs(self.dbeta)
        terms += np.abs(self.normalized * self.dgamma)
        terms *= np.abs(self.gamma / self.deviation) / len(gradient)
        return result + np.finfo(float).eps * terms * self.rng.choice([-1, 1], terms.shape)


class ShakenNetwork(NumpyNetwork):
    def between(self, *arguments, **named):
        layers = super().between(*arguments, **named)
        for layer in layers:
            layer.__class__ = Shaken
        return layers


def training():
    """30 steps, the last batch short: float64 agrees with the twin step by step.

    Where batches are normalised, as well as the twin agrees with itself when shaken. A shift
    before a normalisation has no gradient: lion takes the sign of its rounding error.
    """
    rng = np.random.default_rng(11)
    threads, kinds = itertools.cycle((1, 2, 3, 4)), itertools.cycle(("uint8", "float32", "float64"))
    activations, batches = itertools.cycle(ACTIVATIONS), itertools.cycle((2, 15, 17, 33, 64))
    pairs = list(itertools.product(OPTIMIZERS.items(), TRAINED))
    # Each optimizer and each technique with half of the others, or with all.
    for (key, optimizer), name in chosen(pairs[::2], pairs):
        activation, batch, kind = next(activations), next(batches), next(kinds)
        core, twin = pair(rng, (300, 33, 17, 7), activation, "float64")
        if kind == "uint8":
            for network in (core, twin):
                network.set_normalization(np.full(300, 120.0), np.full(300, 70.0))
        before = copy.deepcopy(twin)
        count = 10 * batch - batch // 2
        x, y = inputs(rng, count, 300, kind), rng.integers(0, 7, count)
        weights = rng.uniform(0, 2, count) if name in ("weights", "all") else None
        rows = np.concatenate([rng.permutation(count) for _ in range(3)])
        options = {"techniques": Techniques(**TRAINED[name]), "batch_size": batch}
        data, loss = (x, y, rows, weights), loss_of(name)
        got, right = train(CORE, core, loss, optimizer, data, threads=next(threads), **options)
        wanted, wanted_right = train(TWIN, twin, loss, optimizer, data, threads=1, **options)
        what = f"{key} {activation} {name} batch {batch} {kind}"
        if right != wanted_right:
            print(f"FAILED {what}: {right} right, not {wanted_right}")
        sensitivity = [0.0] * len(wanted)
        for _ in range(3 if "batch_norm" in TRAINED[name] else 0):
            shaken = copy.deepcopy(before)
            shaken.__class__ = ShakenNetwork
            others, _ = train(TWIN, shaken, loss, optimizer, data, threads=1, **options)
            moved = [np.abs(a - b).max() for a, b in zip(others, wanted, strict=True)]
            sensitivity = np.maximum(sensitivity, moved)
        for i, (a, b) in enumerate(zip(got, wanted, strict=True)):
            # errors of a step are carried on by the next
            at_least = 8 * sensitivity[i]
            close(f"{what} array {i}", a, b, "float64", 330 * 1e7, at_least=at_least)


def bits():
    """Hashes of losses and parameters, for all numbers of threads and cuts into calls the same."""
    teams = (2,) if build_info()["isa"] == "portable" else chosen((1, 2, 3), (1, 2, 3, 4))
    rng = np.random.default_rng(12)
    x, y = inputs(rng, 240, 300, "uint8"), rng.integers(0, 10, 240)
    weights = rng.uniform(0, 2, 240)
    rows = rng.integers(0, 240, 3 * 48 + 28)  # the last batch is short
    activations, optimizers = itertools.cycle(ACTIVATIONS), itertools.cycle(OPTIMIZERS)
    for (dtype, compute), name in itertools.product(
        (("float32", None), ("float64", None), ("float32", "bfloat16")), TRAINED
    ):
        activation, optimizer = next(activations), next(optimizers)
        digests = set()
        for threads, calls in [(t, 1) for t in teams] + [(2, 3)]:
            core, _ = pair(np.random.default_rng(4), (300, 64, 33, 10), activation, dtype)
            core.set_normalization(np.full(300, 126.5), np.full(300, 64.0))
            data = x, y, rows, weights if name in ("weights", "all") else None
            arrays, right = train(
                CORE, core, loss_of(name), OPTIMIZERS[optimizer], data, calls=calls,
                techniques=Techniques(**TRAINED[name]), compute=compute, batch_size=48,
                threads=threads,
            )  # fmt: skip
            content = b"".join(a.tobytes() for a in arrays) + str(right).encode()
            digests.add(hashlib.sha256(content).hexdigest())
        what = f"{compute or dtype} {optimizer} {activation} {name}"
        if len(digests) != 1:
            print(f"FAILED {what}: bits differ between numbers of threads or calls")
        print(f"hash {what} {min(digests)}")


if __name__ == "__main__":
    main({"gradients": gradients, "training": training, "bits": bits})
