"""Augmentation: every pixel that a step reads, against a version written pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

import twolayer_ext as tl
from kernel_shapes import inputs, trainer_of
from twolayer_ext.engine import Techniques
from twolayer_ext.losses import CrossEntropy
from twolayer_ext.optimizers import Sgd
from twolayer_ext.reference.chance import Chance, augmented, draw, key_of, random_bits

# image_shape, flip, shift, cutout
CASES = {
    "flip": ((3, 5, 7), True, 0, 0),
    "shift": ((2, 6, 9), False, 4, 0),
    "cutout": ((1, 8, 8), False, 0, 3),
    "all": ((3, 10, 12), True, 4, 5),
    "as far as it goes": ((2, 4, 33), True, 3, 33),
    "one row": ((3, 1, 50), True, 0, 7),
    "one column": ((1, 40, 1), True, 0, 2),
    "one pixel": ((1, 1, 1), True, 0, 1),
    "more than a panel a row": ((1, 2, 70), True, 1, 4),
    "just few": ((1, 32, 64), False, 31, 9),
    "many": ((1, 90, 65), True, 64, 50),
}
ROWS, SEED = 9, 5


def changed_image(image, blank, bits, flip, shift, cutout):
    """One image (channels, height, width), one pixel after the other."""

    def drawn(first, count):
        if count <= 64:
            return (bits >> first & 0xFFF) * count >> 12
        return (int(random_bits(bits, np.array([first], np.uint64))[0]) >> 32) * count >> 32

    def inside(i, size):
        return -i if i < 0 else 2 * (size - 1) - i if i >= size else i

    channels, height, width = image.shape
    down, right = drawn(4, 2 * shift + 1) - shift, drawn(16, 2 * shift + 1) - shift
    top, left = drawn(28, height) - cutout // 2, drawn(40, width) - cutout // 2
    result = np.empty_like(image)
    for c, y, x in np.ndindex(channels, height, width):
        if top <= y < top + cutout and left <= x < left + cutout:
            result[c, y, x] = blank[c, y, x]
            continue
        column = inside(x + right, width)
        if flip and bits & 1:
            column = width - 1 - column
        result[c, y, x] = image[c, inside(y + down, height), column]
    return result


def expected_rows(case, x, shift_of_network, step):
    shape, flip, shift, cutout = case
    blank = shift_of_network.reshape(shape)
    if x.dtype == np.uint8:
        blank = np.floor(blank + 0.5)
    key = key_of(SEED, Chance.AUGMENTATION, step)
    bits = random_bits(key, np.arange(len(x), dtype=np.uint64))
    images = [
        changed_image(row.reshape(shape), blank.astype(x.dtype), int(b), flip, shift, cutout)
        for row, b in zip(x, bits, strict=True)
    ]
    return np.array(images).reshape(x.shape)


def rows_read(backend, case, x, shift_of_network, step, dtype, compute_dtype=None):
    """What the first layer reads of each row, plus the shift.

    From weights of zero, a step of SGD at rate 2 whose loss counts a single row leaves that row in
    the weights; the steps before it have a rate of 0.
    """
    engine = backend.Network.engine
    features = x.shape[1]
    y = np.ones(len(x), np.int64)
    rates = np.zeros(step + 1)
    rates[step] = 2
    result = []
    for row in range(len(x)):
        network = engine.network((features, 2), "identity", dtype)
        network.set_normalization(shift_of_network, np.ones(features))
        trainer = trainer_of(
            engine, network, CrossEntropy(), Sgd(), reg=0.0, compute=compute_dtype,
            techniques=Techniques(augment=case, seed=SEED), batch_size=len(x), threads=1,
        )  # fmt: skip
        weights = (np.arange(len(x)) == row).astype(float)
        order = np.tile(np.arange(len(x)), step + 1)
        trainer.run(x, y, order, rates, np.zeros(step + 1), weights)
        read = network.layer(0)[0]
        assert np.array_equal(read[:, 0], -read[:, 1])
        result.append(read[:, 1].astype(float) + shift_of_network)
    return np.array(result)


@pytest.mark.parametrize("count", [3, 64, 65, 1000])
def test_draws_are_uniform(count):
    """By Pearson's test, and its mean and deviation of C - 1 and the root of 2 (C - 1)."""
    numbers = random_bits(7, np.arange(100_000, dtype=np.uint64)).tolist()
    drawn = np.bincount([draw(bits, 4, count) for bits in numbers], minlength=count)
    assert len(drawn) == count
    expected = len(numbers) / count
    statistic = np.square(drawn - expected).sum() / expected
    # And 12 bits differ by one of 4096 / C at most.
    uneven = len(numbers) * (count / 4096) ** 2 if count <= 64 else 0
    assert abs(statistic - (count - 1)) < 5 * np.sqrt(2 * (count - 1)) + uneven


def test_draws_reach_every_place_of_the_largest_images():
    count = 2 * 4095 + 1
    numbers = random_bits(8, np.arange(30 * count, dtype=np.uint64)).tolist()
    # One place is missed with a probability of e**-30.
    assert len({draw(bits, 16, count) for bits in numbers}) == count


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_every_pixel(backend, name, kind):
    case = CASES[name]
    rng = np.random.default_rng(0)
    features = int(np.prod(case[0]))
    x = inputs(rng, ROWS, features, kind)
    # Halves, so that subtracting and adding them is exact, and rounding to bytes is asked.
    shift = rng.integers(0, 510, features) / 2 if kind == "uint8" else np.zeros(features)
    wanted = [expected_rows(case, x, shift, step) for step in (0, 3)]
    if features > 1:
        assert not np.array_equal(wanted[0], x)
        assert not np.array_equal(wanted[0], wanted[1])
    for step, rows in zip((0, 3), wanted, strict=True):
        got = rows_read(backend, case, x, shift, step, "float64")
        assert np.array_equal(got, rows.astype(float))
    got = rows_read(backend, case, x, shift, 0, "float32")
    assert np.array_equal(got, wanted[0].astype(np.float32))
    rounded = rows_read(backend, case, x, shift, 0, "float32", "bfloat16")
    np.testing.assert_allclose(rounded, wanted[0], rtol=2.0**-8, atol=0.51)


def test_a_cutout_leaves_what_normalisation_turns_into_zero(backend):
    case = ((1, 6, 6), False, 0, 6)
    x = inputs(np.random.default_rng(1), ROWS, 36, "float32")
    shift = np.full(36, np.float32(0.3), float)
    read = rows_read(backend, case, x, shift, 0, "float32")
    blank = read == shift
    assert 0.4 < blank.mean() < 0.9  # a part of each square is outside
    np.testing.assert_allclose(read[~blank], x[~blank], atol=1e-6)


def test_what_is_drawn_is_even():
    """Over many images whose pixels tell where they were."""
    count, shape = 4000, (2, 6, 8)
    _, height, width = shape
    places = np.arange(1.0, height * width + 1)
    x = np.tile(np.concatenate([places, 100 + places]), (count, 1))
    changes = {"flip": False, "shift": 0, "cutout": 0}

    def images(**changed):
        return augmented(
            x, shape, **{**changes, **changed}, blank=np.zeros(x.shape[1]), seed=1, step=0
        ).reshape(count, *shape)

    flipped = images(flip=True)[:, 0, 0, 0] == width
    assert abs(flipped.mean() - 0.5) < 0.04  # five standard deviations
    middle = images(shift=2)[:, 0, 3, 4] - 1
    down, right = middle // width - 3, middle % width - 4
    for drawn in (down, right):
        values, counts = np.unique(drawn, return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert np.abs(counts / count - 0.2).max() < 0.035
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.08
    single = images(cutout=1) == 0
    assert np.array_equal(single[:, 0], single[:, 1])  # all channels
    assert (single[:, 0].sum(axis=(1, 2)) == 1).all()
    assert np.abs(single[:, 0].mean(axis=0) * height * width - 1).max() < 0.6


TRAIN = {
    "hidden_sizes": (16,),
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "batch_size": 20,
    "progress": False,
}
AUGMENT = tl.Augment((1, 5, 8), shift=2, cutout=3)


def test_the_seed_decides_and_the_data_stay(backend, pixels, same_bits):
    x, y = pixels
    before = x.copy()
    x.flags.writeable = False
    nets = [
        backend.train(x, y, **TRAIN, epochs=2, augment=AUGMENT, init=0.1, seed=seed).network
        for seed in (1, 1, 2)
    ]
    assert same_bits(nets[0], nets[1])
    assert not same_bits(nets[0], nets[2])
    assert np.array_equal(x, before)
    plain = backend.train(x, y, **TRAIN, epochs=2, init=0.1, seed=1).network
    assert not same_bits(nets[0], plain)
    nothing = tl.Augment((1, 5, 8), flip=False)
    same = backend.train(x, y, **TRAIN, epochs=2, init=0.1, seed=1, augment=nothing).network
    assert same_bits(same, plain)


def test_rows_from_anywhere_give_the_same_bits(pixels, same_bits):
    """Rows of a wider array, each contiguous."""
    x, y = pixels
    wide = np.zeros((len(x), 64), np.uint8)
    wide[:, 11:51] = x
    nets = [
        tl.train(rows, y, **TRAIN, epochs=1, augment=AUGMENT).network
        for rows in (x, wide[:, 11:51])
    ]
    assert same_bits(*nets)


# averaged over mirror images


@pytest.fixture
def trained(backend, pixels):
    return backend.train(*pixels, **TRAIN, epochs=3).network


def test_mean_with_the_mirror_image(trained, pixels):
    x, _ = pixels
    shape = (2, 4, 5)
    mirror = np.ascontiguousarray(x.reshape(-1, *shape)[..., ::-1]).reshape(x.shape)
    mean = (trained.predict_proba(x) + trained.predict_proba(mirror)) / 2
    got = trained.predict_proba(x, average_mirrored=shape)
    assert got.dtype == trained.dtype
    assert np.array_equal(got, mean)
    assert np.array_equal(trained.predict_proba(mirror, average_mirrored=shape), mean)
    classes = trained.predict(x, average_mirrored=shape)
    assert np.array_equal(classes, mean.argmax(axis=1))
    assert not np.array_equal(classes, trained.predict(x))


def test_many_mirror_images_on_any_number_of_threads(pixels):
    """More rows than one block of the kernels, and than one call into them."""
    x = np.resize(pixels[0], (9001, 40))
    net = tl.Network((40, 300, 5), normalize=(127.5, 74))
    mirror = np.ascontiguousarray(x.reshape(-1, 5, 8)[..., ::-1]).reshape(x.shape)
    mean = (net.predict_proba(x) + net.predict_proba(mirror)) / 2
    for threads in (1, 2, 3):
        got = net.predict_proba(x, average_mirrored=(1, 5, 8), threads=threads)
        assert np.array_equal(got, mean)


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        (
            (3, 5, 8),
            ValueError,
            r"average_mirrored: \(3, 5, 8\) makes 120 values; must make",
        ),
        ((5, 8), ValueError, r"average_mirrored: \(5, 8\); must have at least 3 entries"),
        ((1, 1, 5, 8), ValueError, r"average_mirrored: \(1, 1, 5, 8\); must be \(channels, height"),
        ((40, 1, 0), ValueError, r"average_mirrored\[2\]: 0; must be at least 1"),
        (True, TypeError, "average_mirrored: True; must be a sequence of integers"),
        ((1.0, 5, 8), TypeError, r"average_mirrored\[0\]: 1.0; must be an integer"),
    ],
)
def test_wrong_shapes_for_mirrored(backend, pixels, shape, error, message):
    net = backend.Network((40, 5))
    for predict in (net.predict, net.predict_proba):
        with pytest.raises(error, match=f"^{message}"):
            predict(pixels[0], average_mirrored=shape)


# wrong arguments


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (((8, 8),), ValueError, r"image_shape: \(8, 8\); must have at least 3 entries"),
        (((1, 2, 3, 4),), ValueError, r"image_shape: \(1, 2, 3, 4\); must be \(channels, height"),
        ((64,), TypeError, "image_shape: 64; must be a sequence of integers"),
        (((0, 8, 8),), ValueError, r"image_shape\[0\]: 0; must be at least 1"),
        (((1, 8, 8.0),), TypeError, r"image_shape\[2\]: 8.0; must be an integer"),
        (((1, 4097, 1),), ValueError, r"image_shape: \(1, 4097, 1\); must have at most 4096 pix"),
        (((1, 8, 8), 1), TypeError, "flip: 1; must be True or False"),
        (((1, 8, 8), True, -1), ValueError, "shift: -1; must be at least 0"),
        (((1, 8, 9), True, 8), ValueError, "shift: 8; must be at most 7 for these images"),
        (((1, 8, 8), True, 1.5), TypeError, "shift: 1.5; must be an integer"),
        (((1, 8, 9), True, 0, 10), ValueError, "cutout: 10; must be at most 9 for these images"),
        (((1, 8, 8), True, 0, "4"), TypeError, "cutout: '4'; must be an integer"),
    ],
)
def test_wrong_arguments_of_augment(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        tl.Augment(*arguments)


def test_images_that_are_not_the_rows(backend, pixels):
    net = backend.Network((40, 5))
    before = net.parameters[0][0]
    for value, error, message in (
        (tl.Augment((3, 5, 8)), ValueError, r"augment: image_shape: \(3, 5, 8\) makes 120 values"),
        ((1, 5, 8), TypeError, r"augment: \(1, 5, 8\); must be an Augment, such as"),
        (True, TypeError, "augment: True; must be an Augment"),
    ):
        with pytest.raises(error, match=f"^{message}"):
            backend.train(*pixels, network=net, augment=value)
    assert np.array_equal(net.parameters[0][0], before)


@pytest.mark.parametrize(
    ("shape", "shift", "cutout", "name"),
    [
        ((1, 5, 11), 0, 0, "image_shape"),
        ((0, 5, 8), 0, 0, "image_shape"),
        ((2**62, 2, 30), 0, 0, "image_shape"),
        ((-1, -6, 10), 0, 0, "image_shape"),
        ((1, 6, 10), 6, 0, "shift"),
        ((1, 6, 10), -1, 0, "shift"),
        ((1, 6, 10), 0, 11, "cutout"),
        ((1, 6, 10), 0, -1, "cutout"),
    ],
)
def test_the_core_refuses_what_would_read_outside_an_image(shape, shift, cutout, name):
    """Without Python's checks: these are the last before memory."""
    techniques = Techniques(augment=(shape, True, shift, cutout))
    with pytest.raises(ValueError, match=f"^{name}: "):
        trainer_of(
            tl.Network.engine, tl.Network((60, 2)).core, CrossEntropy(), Sgd(), reg=0.0,
            techniques=techniques, batch_size=2, threads=1,
        )  # fmt: skip
