"""Hold the compiled kernels against the NumPy twin; run by test_kernels.py, once a target.

    python kernel_shapes.py single|hidden|trainer|bits

Every check prints one line a failure, and at the end how many comparisons were made.
"""

from __future__ import annotations

import hashlib
import itertools
import sys

import numpy as np

from twolayer_ext import _core
from twolayer_ext.reference import NumpyNetwork, NumpyTrainer

SIZES = (1, 2, 3, 15, 16, 17, 31, 33, 64, 65, 100, 350)
ACTIVATIONS = ("relu", "tanh", "logistic", "identity")
OPTIMIZERS = {
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": "sgd", "momentum": 0.9},
    "nesterov": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
    "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw"},
}
compared = 0


def options(name, **changed):
    default = {
        "momentum": 0.0,
        "nesterov": False,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "weight_decay": 0.0,
        "reg": 0.0,
    }
    return default | OPTIMIZERS[name] | changed


def pair(rng, sizes, activation, dtype):
    """Return a compiled network and its twin in float64 with the same parameters."""
    core, twin = _core.Network(sizes, activation, dtype), NumpyNetwork(sizes, activation, "float64")
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        w = (rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)).astype(dtype)
        b = (0.1 * rng.standard_normal(outputs)).astype(dtype)
        core.set_layer(i, w, b)
        twin.set_layer(i, w, b)
    return core, twin


def close(what, got, wanted, dtype, length, scale=None):
    """Compare to the rounding of a sum of `length` terms.

    Rounding errors of a chain of n multiply-adds grow like sqrt(n) eps on average, and at most like
    n eps; 8 sqrt(n) eps of the result's scale is far from both a real error and a false alarm.
    """
    global compared
    compared += 1
    wanted = np.asarray(wanted, np.float64)
    if scale is None:
        scale = np.abs(wanted).max(initial=0.0)
    bound = 8 * np.sqrt(length + 8) * np.finfo(dtype).eps * max(scale, np.finfo(dtype).tiny)
    error = np.abs(np.asarray(got, np.float64) - wanted).max(initial=0.0)
    if not error <= bound:
        print(f"FAILED {what}: error {error:.3g}, allowed {bound:.3g}")


def check_pass(what, rng, core, twin, x, y, dtype, length, threads):
    rows = rng.integers(0, len(x), len(x) + 3)
    probabilities = core.probabilities(x, rows, threads)
    close(f"{what} probabilities", probabilities, twin.probabilities(x, rows, 1), dtype, length, 1)
    loss, correct = core.evaluate(x, y, rows, threads)
    twin_loss, _ = twin.evaluate(x, y, rows, 1)
    close(f"{what} loss", loss, twin_loss, dtype, length, 1 + twin_loss)
    if correct != (probabilities.argmax(axis=1) == y[rows]).sum():
        print(f"FAILED {what} correct")
    loss, gradients = core.loss_and_gradients(x, y, 0.01, threads)
    twin_loss, twin_gradients = twin.loss_and_gradients(x, y, 0.01, 1)
    close(f"{what} loss with reg", loss, twin_loss, dtype, length, 1 + twin_loss)
    for layer, (got, wanted) in enumerate(zip(gradients, twin_gradients, strict=True)):
        # with a single class all but reg's part is rounding noise; the terms are of order 1
        scale = max(np.abs(wanted[0]).max(), np.abs(wanted[1]).max(), 1 / len(x))
        close(f"{what} dW{layer + 1}", got[0], wanted[0], dtype, length, scale)
        close(f"{what} db{layer + 1}", got[1], wanted[1], dtype, length, scale)


def inputs(rng, count, width, kind):
    if kind == "uint8":
        return rng.integers(0, 256, (count, width), dtype=np.uint8)
    return rng.standard_normal((count, width)).astype(kind)


def single():
    """Softmax regression: N, D and C run over all odd sizes."""
    rng = np.random.default_rng(0)
    threads = itertools.cycle((1, 2, 3, 4))
    for dtype in ("float32", "float64"):
        kinds = itertools.cycle(("uint8", "float32", "float64"))
        for n, d, c in itertools.product(SIZES, SIZES, SIZES):
            core, twin = pair(rng, (d, c), "identity", dtype)
            kind = next(kinds)
            if kind == "uint8":
                shift, scale = rng.uniform(100, 150, d), rng.uniform(50, 100, d)
                core.set_normalization(shift, scale)
                twin.set_normalization(shift, scale)
            x, y = inputs(rng, n, d, kind), rng.integers(0, c, n)
            what = f"{dtype} N={n} D={d} C={c} x {kind}"
            check_pass(what, rng, core, twin, x, y, dtype, n + d + c, next(threads))


def hidden():
    """Hidden layers: every pair of sizes as hidden layer and batch, all activations."""
    rng = np.random.default_rng(1)
    threads = itertools.cycle((1, 2, 3, 4))
    for dtype in ("float32", "float64"):
        activations = itertools.cycle(ACTIVATIONS)
        for n, h, g in itertools.product(SIZES[::2], SIZES, SIZES[1::2]):
            activation = next(activations)
            core, twin = pair(rng, (33, h, g, 5), activation, dtype)
            x, y = inputs(rng, n, 33, "float64"), rng.integers(0, 5, n)
            if activation == "relu":  # keep away from the kink, where rounding decides
                x = away_from_kinks(rng, twin, x, dtype)
            what = f"{dtype} N={n} hidden {h}, {g} {activation}"
            check_pass(what, rng, core, twin, x, y, dtype, n + h + g + 33, next(threads))


def away_from_kinks(rng, twin, x, dtype):
    margin = 200 * np.finfo(dtype).eps
    for _ in range(100):
        first = twin.normalized(x, None) @ twin.weights[0] + twin.biases[0]
        second = np.maximum(first, 0) @ twin.weights[1] + twin.biases[1]
        near = (np.abs(first) < margin).any(axis=1) | (np.abs(second) < margin).any(axis=1)
        if not near.any():
            return x
        x[near] = rng.standard_normal((near.sum(), x.shape[1]))
    raise AssertionError("no inputs away from the kinks found")


def trainer():
    """200 steps on the same batches: float64 agrees with the twin step by step."""
    rng = np.random.default_rng(2)
    x, y = inputs(rng, 330, 40, "float64"), rng.integers(0, 7, 330)
    rows = np.concatenate([rng.permutation(330) for _ in range(20)])
    steps = -(-len(rows) // 33)
    for name, threads in zip(OPTIMIZERS, (1, 2, 3, 4, 2), strict=True):
        for activation in ACTIVATIONS:
            core, twin = pair(rng, (40, 33, 17, 7), activation, "float64")
            chosen = options(name, reg=1e-3, weight_decay=1e-3)
            losses, twin_losses = np.zeros(steps), np.zeros(steps)
            rates = np.full(steps, 0.05 if chosen["optimizer"] == "sgd" else 1e-3)
            done = _core.Trainer(core, **chosen, batch_size=33, threads=threads).run(
                x, y, rows, rates, losses
            )
            wanted = NumpyTrainer(twin, **chosen, batch_size=33, threads=1).run(
                x, y, rows, rates, twin_losses
            )
            if done != wanted:
                print(f"FAILED {name} {activation}: {done} against {wanted}")
            # errors of a step are carried on by the next: 1e4 covers what 200 steps make of them
            close(f"{name} {activation} losses", losses, twin_losses, "float64", 330 * 1e7)
            for i in range(3):
                for got, there in zip(core.layer(i), twin.layer(i), strict=True):
                    close(f"{name} {activation} layer {i}", got, there, "float64", 330 * 1e7)


def bits():
    """Print a hash of the parameters and losses after 200 steps for each dtype and optimizer.

    The network is large enough that all of the threads get work. The portable target computes every
    fma in a function call, so it runs with one number of threads only.
    """
    teams = (2,) if _core.build_info()["isa"] == "portable" else (1, 2, 3, 4, 7)
    rng = np.random.default_rng(3)
    x, y = inputs(rng, 500, 300, "uint8"), rng.integers(0, 10, 500)
    rows = np.concatenate([rng.permutation(500) for _ in range(20)])
    activations = itertools.cycle(ACTIVATIONS)
    for dtype, name in itertools.product(("float32", "float64"), OPTIMIZERS):
        activation = next(activations)
        chosen = options(name, reg=1e-3, weight_decay=1e-3)
        digests = set()
        for threads in teams:
            core, _ = pair(np.random.default_rng(4), (300, 100, 33, 10), activation, dtype)
            core.set_normalization(np.full(300, 127.5), np.full(300, 127.5))
            losses = np.zeros(200)
            rates = np.full(200, 1e-2 if chosen["optimizer"] == "sgd" else 1e-3)
            _core.Trainer(core, **chosen, batch_size=50, threads=threads).run(
                x, y, rows, rates, losses
            )
            arrays = [a for i in range(3) for a in core.layer(i)] + [losses]
            digests.add(hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())
        if len(digests) != 1:
            print(f"FAILED {dtype} {name} {activation}: bits differ between numbers of threads")
        print(f"hash {dtype} {name} {activation} {min(digests)}")


if __name__ == "__main__":
    {"single": single, "hidden": hidden, "trainer": trainer, "bits": bits}[sys.argv[1]]()
    print(f"compared {compared}")
