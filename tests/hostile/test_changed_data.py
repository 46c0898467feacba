"""Arrays that another thread changes while they are trained on: other numbers, but no crash."""

from __future__ import annotations

from hostile.processes import play

_PROGRAM = """
stop = threading.Event()
def change(array, values):
    while not stop.is_set():
        array[:] = values[0]
        array[:] = values[1]
def train_while(array, values, x, y, **changes):
    stop.clear()
    thread = threading.Thread(target=change, args=(array, values))
    thread.start()
    try:
        for _ in range(2):
            try:
                tl.train(x, y, **(options | changes | {"epochs": 3}))
            except (tl.DivergenceError, ValueError):
                pass
    finally:
        stop.set()
        thread.join()
"""


def test_rows():
    play(
        _PROGRAM
        + """
train_while(x, (np.nan, 1e300), x, y)
pixels = rng.integers(0, 255, (2000, 300), dtype=np.uint8)
train_while(pixels, (0, 255), pixels, y)
"""
    )


def test_labels_beyond_the_classes_are_never_written_to():
    """An index out of range would be written out of bounds."""
    play(
        _PROGRAM
        + """
labels = y.astype(np.int64)
wanted = bits(trained())
got = []
def first_epoch(event):
    labels[:] = 10**15
network = tl.train(x, labels, **options, callbacks=[first_epoch]).network
assert bits(network) == wanted
labels[:] = y
train_while(labels, (y, -(10**15)), x, labels)
"""
    )


def test_targets_and_weights():
    play(
        _PROGRAM
        + """
targets = rng.standard_normal((2000, 3))
train_while(targets, (np.inf, 1e308), x, targets)
indicators = rng.integers(0, 2, (2000, 3), dtype=np.uint8)
train_while(indicators, (0, 255), x, indicators, loss="logistic")
weights = np.ones(2000)
train_while(weights, (np.nan, -1e308), x, y, sample_weight=weights)
"""
    )
