"""Print hashes of what train() starts from and of what it arrives at on the embedded digits.

    python digits_hash.py THREADS...

Run by test_reproducibility.py, once a target.
"""

from __future__ import annotations

import hashlib
import sys

import numpy as np

import twolayer_ext as tl
from settings import SGD
from twolayer_ext.streams import Purpose, generator


def digest(arrays) -> str:
    # Little-endian, whatever the machine is.
    parts = (a.astype(a.dtype.newbyteorder("<")).tobytes() for a in arrays)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def flat(network) -> list[np.ndarray]:
    return [array for layer in network.parameters for array in layer]


def main(teams: list[int]) -> None:
    digits = tl.datasets.load_digits()
    order = generator(0, Purpose.SHUFFLE, 0).permutation(len(digits.x))
    for dtype in ("float32", "float64"):
        initial = tl.Network(layer_sizes=(digits.x.shape[1], 512, 10), dtype=dtype)
        print(f"{dtype} start {digest([*flat(initial), order])}")
        for threads in teams:
            result = tl.train(
                digits.x, digits.y, **SGD, dtype=dtype, max_steps=200, threads=threads
            )
            losses = np.asarray(result.history["step_loss"], np.float64)
            print(f"{dtype} threads {threads} {digest([*flat(result.network), losses])}")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
