"""Hold the compiled kernels against the NumPy twin; run by test_kernels.py, once a target.

    python kernel_shapes.py [full] [single|hidden|activations|losses|trainer|bits ...]

Every check prints one line a failure, and at the end how many comparisons were made. Without "full"
fewer sizes are combined.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
from pathlib import Path

import numpy as np

import twolayer_ext as tl
from twolayer_ext import losses, optimizers
from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.engine import Techniques

sys.path.insert(0, str(Path(__file__).parent))
from loss_cases import CASES, sample

SIZES = (1, 2, 3, 15, 16, 17, 31, 33, 64, 65, 100, 350)
FEW = (1, 3, 16, 33, 100)
CORE, TWIN = tl.Network.engine, tl.reference.Network.engine
DECAY = 1e-3
OPTIMIZERS = {
    "sgd": optimizers.Sgd(weight_decay=DECAY),
    "momentum": optimizers.Sgd(momentum=0.9, weight_decay=DECAY),
    "nesterov": optimizers.Sgd(momentum=0.9, nesterov=True, weight_decay=DECAY),
    "adam": optimizers.Adam(weight_decay=DECAY),
    "adamw": optimizers.AdamW(weight_decay=DECAY),
    "lion": optimizers.Lion(weight_decay=DECAY),
    "rmsprop": optimizers.RmsProp(weight_decay=DECAY),
    "rmsprop momentum": optimizers.RmsProp(momentum=0.9, weight_decay=DECAY),
    "rmsprop centred": optimizers.RmsProp(centred=True, epsilon=1e-3, weight_decay=DECAY),
    "rmsprop centred momentum": optimizers.RmsProp(
        centred=True, epsilon=1e-3, momentum=0.9, weight_decay=DECAY
    ),
}
compared = 0


def rate(optimizer):
    return {"sgd": 0.05, "lion": 1e-4}.get(optimizer.name, 1e-3)


def pair(rng, sizes, activation, dtype):
    """Return a compiled network and its twin in float64 with the same parameters."""
    core, twin = CORE.network(sizes, activation, dtype), TWIN.network(sizes, activation, "float64")
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        w = (rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)).astype(dtype)
        b = (0.1 * rng.standard_normal(outputs)).astype(dtype)
        core.set_layer(i, w, b)
        twin.set_layer(i, w, b)
    return core, twin


def close(what, got, wanted, dtype, length, scale=None, *, at_least=0.0):
    """Compare to the rounding of a sum of `length` terms.

    Rounding errors of a chain of n multiply-adds grow like sqrt(n) eps on average, and at most like
    n eps; 8 sqrt(n) eps of the result's scale is far from both a real error and a false alarm.
    `at_least` so much is allowed.
    """
    global compared
    compared += 1
    wanted = np.asarray(wanted, np.float64)
    if scale is None:
        scale = np.abs(wanted).max(initial=0.0)
    bound = 8 * np.sqrt(length + 8) * np.finfo(dtype).eps * max(scale, np.finfo(dtype).tiny)
    bound = max(bound, at_least)
    error = np.abs(np.asarray(got, np.float64) - wanted).max(initial=0.0)
    if not error <= bound:
        print(f"FAILED {what}: error {error:.3g}, allowed {bound:.3g}")


def check_gradients(what, got, wanted, dtype, length, least):
    """Compare gradients to the largest of their layer, or to `least` where all are smaller."""
    for layer, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
        scale = max(*(np.abs(a).max() for a in theirs), least)
        for kind, a, b in zip(("W", "b", "gamma"), ours, theirs, strict=False):
            close(f"{what} d{kind}{layer + 1}", a, b, dtype, length, scale)
        if len(ours) != len(theirs):
            print(f"FAILED {what}: {len(ours)} gradients of layer {layer + 1}")


def check_pass(what, rng, core, twin, x, y, dtype, length, threads):
    rows = rng.integers(0, len(x), len(x) + 3)
    loss = losses.CrossEntropy()
    count = twin.biases[-1].size
    of_core, of_twin = CORE.loss(loss, count, None), TWIN.loss(loss, count, None)
    probabilities = core.predictions(x, rows, of_core, threads)
    wanted = twin.predictions(x, rows, of_twin, 1)
    close(f"{what} probabilities", probabilities, wanted, dtype, length, 1)
    value, accuracy = core.evaluate(x, y, rows, of_core, threads)
    twin_value, _ = twin.evaluate(x, y, rows, of_twin, 1)
    close(f"{what} loss", value, twin_value, dtype, length, 1 + twin_value)
    outputs = core.forward(x, rows, threads)
    if round(accuracy * len(rows)) != (outputs.argmax(axis=1) == y[rows]).sum():
        print(f"FAILED {what} correct")
    value, got = core.loss_and_gradients(x, y, of_core, 0.01, threads)
    twin_value, wanted = twin.loss_and_gradients(x, y, of_twin, 0.01, 1)
    close(f"{what} loss with reg", value, twin_value, dtype, length, 1 + twin_value)
    # with a single class all but reg's part is rounding noise; the terms are of order 1
    check_gradients(what, got, wanted, dtype, length, 1 / len(x))


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
        for n, d, c in itertools.product(*chosen((FEW,) * 3, (SIZES,) * 3)):
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
        for n, h, g in itertools.product(
            *chosen((FEW[:4], FEW, FEW[1::2]), (SIZES[::2], SIZES, SIZES[1::2]))
        ):
            activation = next(activations)
            core, twin = pair(rng, (33, h, g, 5), activation, dtype)
            x, y = inputs(rng, n, 33, "float64"), rng.integers(0, 5, n)
            x = away_from_kinks(rng, twin, x, dtype)
            what = f"{dtype} N={n} hidden {h}, {g} {activation}"
            check_pass(what, rng, core, twin, x, y, dtype, n + h + g + 33, next(threads))


def activations():
    """Every activation with every size of its layer, and inputs that reach its tails."""
    rng = np.random.default_rng(5)
    threads = itertools.cycle((1, 2, 3, 4))
    for dtype, activation, h in itertools.product(
        ("float32", "float64"), ACTIVATIONS, *chosen((FEW,), (SIZES,))
    ):
        core, twin = pair(rng, (33, h, 17, 5), activation, dtype)
        x, y = 3 * inputs(rng, 31, 33, "float64"), rng.integers(0, 5, 31)
        x = away_from_kinks(rng, twin, x, dtype)
        what = f"{dtype} hidden {h} {activation}"
        check_pass(what, rng, core, twin, x, y, dtype, 31 + h + 17 + 3 * 33, next(threads))


def away_from_kinks(rng, twin, x, dtype):
    """Return x with new rows for those that come near a kink, where rounding decides."""
    if twin.activation not in ("relu", "leaky_relu", "selu"):
        return x
    size = max(1.0, np.abs(x).max() / 4)
    margin = 200 * np.finfo(dtype).eps * size
    for _ in range(100):
        between = twin.between()
        twin.layers(twin.normalized(x, None), between)
        near = np.zeros(len(x), bool)
        for layer in between:
            near |= (np.abs(layer.z) < margin).any(axis=1)
        if not near.any():
            return x
        x[near] = size * rng.standard_normal((near.sum(), x.shape[1]))
    raise AssertionError("no inputs away from the kinks found")


def every_loss():
    """Every loss with its own options, with numbers of rows and columns on both sides of a panel.

    Weights, scaled outputs and the scale of the score are there in every other case.
    """
    rng = np.random.default_rng(6)
    threads, with_more = itertools.cycle((1, 2, 3, 4)), itertools.cycle((False, True, True))
    for dtype, (name, loss) in itertools.product(("float32", "float64"), CASES.items()):
        for n, columns in itertools.product(*chosen((FEW, FEW), (SIZES, SIZES))):
            k = columns * loss.outputs_per_target
            core, twin = pair(rng, (9, 20, k), "tanh", dtype)
            more = next(with_more)
            if more and loss.takes in ("real", "counts"):
                size = np.ones(k) if loss.takes == "counts" else rng.uniform(0.3, 3, k)
                for network, shift in itertools.product((core, twin), (rng.uniform(-1, 1, k),)):
                    network.set_output_scaling(shift, size)
            x = inputs(rng, n, 9, "float64")
            _, targets = sample(loss, n, columns, seed=int(rng.integers(1000)))
            outputs = twin.forward(x, None, 1)
            if loss.takes == "real":  # rounding must not decide on which side of it an output is
                own = np.repeat(targets, loss.outputs_per_target, axis=1)
                near = np.abs(own - outputs) < 1e-4
                targets[near.reshape(n, columns, -1).any(axis=2)] += 0.01
            of_score = rng.uniform(0.1, 1, k) if more and loss.score_name == "r2" else None
            of_core, of_twin = CORE.loss(loss, k, of_score), TWIN.loss(loss, k, of_score)
            what, length = f"{dtype} {name} N={n} columns={columns}", n + 30 + k
            team = next(threads)
            close(f"{what} outputs", core.forward(x, None, team), outputs, dtype, length)
            predictions = twin.predictions(x, None, of_twin, 1)
            got = core.predictions(x, None, of_core, team)
            close(f"{what} predictions", got, predictions, dtype, length)
            rows = rng.integers(0, n, n + 3)
            judged = core.evaluate(x, targets, rows, of_core, team)
            wanted = twin.evaluate(x, targets, rows, of_twin, 1)
            for kind, a, b in zip(("mean loss", "score"), judged, wanted, strict=True):
                close(f"{what} {kind}", a, b, dtype, length, 1 + abs(b))
            weights = rng.uniform(0, 2, n) if more else None
            value, ours = core.loss_and_gradients(x, targets, of_core, 0.01, team, weights=weights)
            wanted, theirs = twin.loss_and_gradients(x, targets, of_twin, 0.01, 1, weights=weights)
            close(f"{what} loss", value, wanted, dtype, length, 1 + abs(wanted))
            check_gradients(what, ours, theirs, dtype, length, 1 / n)


def trainer_of(
    engine, network, loss, optimizer, *, techniques=None, reg=1e-3, compute=None, **more
):
    """Return a trainer of either engine."""
    return engine.trainer(
        network,
        optimizer=optimizer,
        loss=engine.loss(loss, network_outputs(network), None),
        techniques=Techniques() if techniques is None else techniques,
        reg=reg,
        compute_dtype=compute,
        **more,
    )


def network_outputs(network):
    return network.biases[-1].size if hasattr(network, "biases") else network.layer_sizes[-1]


def trainer():
    """50 or 200 steps on the same batches: float64 agrees with the twin step by step."""
    rng = np.random.default_rng(2)
    x, y = inputs(rng, 330, 40, "float64"), rng.integers(0, 7, 330)
    rows = np.concatenate([rng.permutation(330) for _ in range(chosen(5, 20))])
    some = itertools.cycle(ACTIVATIONS)
    threads = itertools.cycle((1, 2, 3, 4))
    for name, optimizer in OPTIMIZERS.items():
        for activation in itertools.islice(some, *chosen((4,), (12,))):
            sizes = (40, 33, 17, 7)
            compare_training(
                f"{name} {activation}", rng, sizes, activation, losses.CrossEntropy(), optimizer,
                (x, y, rows), next(threads),
            )  # fmt: skip
    every_optimizer = itertools.cycle(OPTIMIZERS.values())
    for name, loss in CASES.items():
        _, targets = sample(loss, 330, 3, seed=8)
        optimizer = next(every_optimizer)
        sizes = (40, 33, 17, 3 * loss.outputs_per_target)
        what = f"{name} {optimizer.kernel}"
        data = x, targets, rows
        compare_training(what, rng, sizes, "tanh", loss, optimizer, data, next(threads))


def compare_training(what, rng, sizes, activation, loss, optimizer, data, threads):
    x, targets, rows = data
    core, twin = pair(rng, sizes, activation, "float64")
    steps = -(-len(rows) // 33)
    ours, theirs = np.zeros(steps), np.zeros(steps)
    rates = np.full(steps, rate(optimizer))
    done, score = trainer_of(CORE, core, loss, optimizer, batch_size=33, threads=threads).run(
        x, targets, rows, rates, ours
    )
    wanted, wanted_score = trainer_of(TWIN, twin, loss, optimizer, batch_size=33, threads=1).run(
        x, targets, rows, rates, theirs
    )
    if done != wanted:
        print(f"FAILED {what}: {done} steps against {wanted}")
    # errors of a step are carried on by the next: 1e4 covers what 200 steps make of them
    close(f"{what} score", score, wanted_score, "float64", 330 * 1e7)
    close(f"{what} losses", ours, theirs, "float64", 330 * 1e7)
    for i in range(len(sizes) - 1):
        for got, there in zip(core.layer(i), twin.layer(i), strict=True):
            close(f"{what} layer {i}", got, there, "float64", 330 * 1e7)


def bits():
    """Print hashes of parameters and losses after some steps: optimizers, activations, losses.

    The network is large enough that all of the threads get work. The portable target computes every
    fma in a function call, so it runs with one number of threads only.
    """
    teams = (2,) if tl.build_info()["isa"] == "portable" else chosen((1, 2, 3), (1, 2, 3, 4, 7))
    rng = np.random.default_rng(3)
    x, y = inputs(rng, 500, 300, "uint8"), rng.integers(0, 10, 500)
    rows = np.concatenate([rng.permutation(500) for _ in range(20)])
    activations = itertools.cycle(ACTIVATIONS)
    every_optimizer = itertools.cycle(OPTIMIZERS.items())
    tasks = [("cross_entropy", losses.CrossEntropy(), name) for name in OPTIMIZERS] + [
        (name, loss, next(every_optimizer)[0]) for name, loss in list(CASES.items())[1:]
    ]
    for (dtype, compute), (loss_name, loss, name) in itertools.product(
        (("float32", None), ("float64", None), ("float32", "bfloat16")), tasks
    ):
        activation = next(activations)
        optimizer = OPTIMIZERS[name]
        targets, outputs = y, 10
        if loss.takes != "labels":
            targets, outputs = sample(loss, 500, 4)[1], 4 * loss.outputs_per_target
        steps = chosen(6, 200)
        digests = set()
        for threads in teams:
            core, _ = pair(np.random.default_rng(4), (300, 100, 33, outputs), activation, dtype)
            core.set_normalization(np.full(300, 127.5), np.full(300, 127.5))
            of_steps = np.zeros(steps)
            rates = np.full(steps, min(1e-2, rate(optimizer)))
            trainer_of(
                CORE, core, loss, optimizer, compute=compute, batch_size=50, threads=threads
            ).run(x, targets, rows[: 50 * steps], rates, of_steps)
            arrays = [a for i in range(3) for a in core.layer(i)] + [of_steps]
            if not all(np.isfinite(a).all() for a in arrays):
                print(f"FAILED {dtype} {name} {activation} {loss_name}: not finite")
            digests.add(hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())
        what = f"{compute or dtype} {name} {activation} {loss_name}"
        if len(digests) != 1:
            print(f"FAILED {what}: bits differ between numbers of threads")
        print(f"hash {what} {min(digests)}")


def chosen(quick, full):
    return full if "full" in sys.argv else quick


def main(modes):
    global compared
    for name in [argument for argument in sys.argv[1:] if argument in modes] or modes:
        print(f"mode {name}")
        compared = 0
        modes[name]()
        print(f"compared {compared}")


if __name__ == "__main__":
    main(
        {
            "single": single,
            "hidden": hidden,
            "activations": activations,
            "losses": every_loss,
            "trainer": trainer,
            "bits": bits,
        }
    )
