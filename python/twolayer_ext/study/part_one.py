"""The report's chapter on the study's first part: SGD on two layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twolayer_ext import plots
from twolayer_ext.datasets.split import Split
from twolayer_ext.study import figures, protocol
from twolayer_ext.study.document import Block, Heading, Paragraph, Picture, Table
from twolayer_ext.study.protocol import SgdRun
from twolayer_ext.study.runs import Study, TrainedNet
from twolayer_ext.study.statistics import binomial_error

NOTHING = "–"


def part_one(study: Study, data: Split) -> list[Block]:
    """Return the chapter."""
    steps = study.scale.steps
    return [
        Heading("Part one: SGD on two layers"),
        Paragraph(
            "Pixels 0 to 255 with the mean training image subtracted, weights N(0, 10⁻⁴) by "
            f"standard deviation, biases 0, {steps:,} steps of plain SGD; the learning rate is "
            "multiplied by 0.95 after every epoch. (The original program does so once more, after "
            "the very first step.) The baseline has 50 hidden units, batches of 200, learning "
            "rate 10⁻⁴ and λ = 0.25; the tuned run 512 units, batches of 350, 10⁻³ and 0.01."
        ),
        Table(
            ["run", "images", "number", "published", "NumPy,\n3 seeds", "ours", "standard\nerror"],
            [line for sgd in protocol.SGD_RUNS for line in _lines(sgd, study.sgd[sgd.name], data)],
            left=(0, 1),
            caption="Accuracy in per cent, ours of one seed. The standard error is the binomial "
            "one, √(p (1 − p) / n): what the choice of images may move our figure or the published "
            "one. Seeds move it besides: at the tuned learning rate the net is still thrown about, "
            "by a point or two from one epoch to the next, as the curves below show.",
        ),
        *(block for sgd in protocol.SGD_RUNS for block in _training(study.sgd[sgd.name], data)),
        _confusion(study, data),
    ]


def _lines(sgd: SgdRun, run: TrainedNet, data: Split) -> Iterator[list[str]]:
    last = run.last
    first = min(protocol.PUBLISHED_TEST_IMAGES, len(data.test))
    assert last.training is not None
    for name, title, count, accuracy in (
        ("training", "training", len(data.training), last.training),
        ("validation", "validation", len(data.validation), last.validation),
        ("test", "test, the first", first, float(last.right[:first].mean())),
        ("", "test, all", len(data.test), last.test),
    ):
        published, numpy = sgd.published.get(name), sgd.numpy.get(name)
        yield [
            sgd.name,
            title,
            f"{count:,}",
            NOTHING if published is None else f"{published:.1f}",
            NOTHING if numpy is None else f"{numpy[0]:.1f} to {numpy[1]:.1f}",
            f"{100 * accuracy:.1f}",
            f"{100 * binomial_error(accuracy, count):.1f}",
        ]


def _training(run: TrainedNet, data: Split) -> Iterator[Block]:
    hidden = run.plan.hidden_sizes[0]
    shape = data.training.image_shape if plots.can_draw(data.training.image_shape) else None
    yield Heading(f"The {run.plan.name} run", 3)
    yield Picture(
        f"{run.plan.name}-training",
        figures.png(figures.training(run, shape)),
        f"{hidden} hidden units: loss of every step, loss and accuracy by epoch (of the training "
        "images while they were trained on), and the weights into hidden units as images, each "
        "stretched from its smallest to its largest weight.",
    )


def _confusion(study: Study, data: Split) -> Picture:
    classes = len(data.training.class_names)
    counts = []
    for name, run in study.sgd.items():
        matrix = np.zeros((classes, classes), np.int64)
        np.add.at(matrix, (data.test.y, run.last.predictions), 1)
        counts.append((f"{name}: {100 * run.last.test:.1f}% right", matrix))
    return Picture(
        "confusion",
        figures.png(figures.confusion(counts, data.training.class_names)),
        f"What becomes of each class: all {len(data.test):,} test images, in per cent of the "
        "true class; a row adds up to 100.",
    )
