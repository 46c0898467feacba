"""Accuracy and seconds of `recipes.best` on CIFAR-10: docs/accuracy.md has a table of it.

python benchmarks/best.py CIFAR10_FOLDER --budgets 10 60 300 --seeds 5
"""

from __future__ import annotations

import argparse
import statistics
import time

import twolayer_ext as tl

HELD_OUT = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder or archive of CIFAR-10")
    parser.add_argument("--budgets", type=float, nargs="+", default=[10, 60, 300])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--validate",
        action="store_true",
        help=f"train on all but {HELD_OUT} training images and tell the accuracy on those: what "
        "settings are chosen by",
    )
    arguments = parser.parse_args()
    train, test = tl.datasets.load_cifar10(arguments.data)
    x, y, test_x, test_y = train.x, train.y, test.x, test.y
    if arguments.validate:
        x, y, test_x, test_y = x[:-HELD_OUT], y[:-HELD_OUT], x[-HELD_OUT:], y[-HELD_OUT:]
    for budget in arguments.budgets:
        seconds, accuracies = [], []
        for seed in range(arguments.seeds):
            started = time.perf_counter()
            network = tl.train(x, y, **tl.recipes.best(budget), seed=seed, progress=False).network
            seconds.append(time.perf_counter() - started)
            accuracies.append(100 * network.evaluate(test_x, test_y)[1])
            print(
                f"budget {budget:g} s, seed {seed}: {seconds[-1]:.1f} s, {accuracies[-1]:.2f}%",
                flush=True,
            )
        spread = statistics.stdev(accuracies) if len(accuracies) > 1 else float("nan")
        print(
            f"budget {budget:g} s: {statistics.median(seconds):.1f} s, "
            f"mean {statistics.mean(accuracies):.2f}%, standard deviation {spread:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
