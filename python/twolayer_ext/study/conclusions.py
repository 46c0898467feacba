"""The report's last chapter: what the study concluded, against the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from twolayer_ext.datasets.split import Split
from twolayer_ext.study import figures, protocol
from twolayer_ext.study.document import Block, Heading, Items, Paragraph, Picture, Table
from twolayer_ext.study.protocol import ROWS
from twolayer_ext.study.runs import Study, TrainedNet
from twolayer_ext.study.statistics import (
    Estimate,
    binomial_error,
    paired_difference,
)

Net = tuple[tuple[int, ...], float]
_BEST: Net = (128, 256), 1e-3
_SHALLOW: Net = (128,), 1e-3
_RISE = 0.05  # of validation loss, in nats, from where on it is told


def conclusions(study: Study, data: Split) -> list[Block]:
    """Return the chapter."""
    return [
        Heading("The study's conclusions, and the numbers"),
        *_depth(study, data),
        *_overfitting(study, data),
        Heading("More epochs, more units", 3),
        Items(list(_other(study))),
    ]


def _right(study: Study, net: Net, epochs: int) -> list[np.ndarray]:
    return [run.snapshots[study.scale.epochs[epochs]].right for run in study.adam[net]]


def _verdict(estimate: Estimate, quick: bool) -> str:
    if quick:
        return "a quick look decides nothing."
    if not estimate.clear:
        return "not to be told from zero."
    return "more than two standard errors from zero."


def _depth(study: Study, data: Split) -> Iterator[Block]:
    published = {(row.hidden, row.epochs): row.published for row in ROWS}
    best, shallow = published[_BEST[0], 30], published[_SHALLOW[0], 30]
    error = 100 * binomial_error(best / 100, 1000)
    difference = paired_difference(_right(study, _BEST, 30), _right(study, _SHALLOW, 30))
    first = slice(0, min(protocol.PUBLISHED_TEST_IMAGES, len(data.test)))
    right = _right(study, _BEST, 30)
    yield Heading("Is the deeper net better?", 3)
    yield Paragraph(
        f"The study prefers three layers, 128-256 with {best}%, to two with {shallow}%: "
        f"{best - shallow:.1f} points on 1000 validation images, where one standard error of one "
        f"accuracy is {error:.1f} points and that of a difference up to "
        f"{error * math.sqrt(2):.1f}. "
        "That is no evidence, for or against."
    )
    yield Paragraph(
        f"Ours, on all {len(data.test):,} test images, the seeds of one against the seeds of "
        f"the other, image by image: 128-256 minus 128 is {difference} points, "
        f"{_verdict(difference, study.scale.quick)} The best published net scored "
        f"{protocol.BEST_PUBLISHED_TEST}% on the first {first.stop:,} test images; ours scores "
        f"{100 * np.mean([r[first].mean() for r in right]):.1f}% on those and "
        f"{100 * np.mean([r.mean() for r in right]):.1f}% on all."
    )


def _overfitting(study: Study, data: Split) -> Iterator[Block]:
    long = study.scale.epochs[30]
    nets = {net: runs for net, runs in study.adam.items() if long in runs[0].snapshots}
    rows, dots = [], []
    test_gaps, losses = [], []
    for (hidden, rate), runs in nets.items():
        name = f"{'-'.join(map(str, hidden))}, {rate:g}"
        training = float(np.mean([_training_accuracy(run) for run in runs]))
        validation = float(np.mean([run.last.validation for run in runs]))
        test = float(np.mean([run.last.test for run in runs]))
        dots.append((name, training, validation, test))
        to_val = _gap(training, len(data.training), validation, len(data.validation))
        to_test = _gap(training, len(data.training), test, len(data.test))
        test_gaps.append(to_test)
        epoch, rise = _validation_loss(runs)
        losses.append(rise)
        rows.append(
            [
                name,
                *(f"{100 * value:.1f}" for value in (training, validation, test)),
                *(str(to_val), str(to_test)),
                *(f"{epoch:.0f}", f"{rise:+.3f}".replace("-", "−")),
            ]
        )
    yield Heading("Do the nets overfit?", 3)
    yield Paragraph(
        f"The study says that its nets do not overfit. Here is what each knows of its training "
        f"images after {long} epochs, all of them evaluated with the finished net, beside what it "
        "knows of images it has not seen."
    )
    yield Picture(
        "gaps",
        figures.png(figures.gaps(dots)),
        "The distance from the blue dot to the others is what was learned of the training images "
        "and does not carry over.",
    )
    yield Table(
        [
            *("net, learning rate", "training", "validation", "test"),
            *("training −\nvalidation", "training −\ntest"),
            *("validation loss\nlowest in epoch", "since then"),
        ],
        rows,
        caption="Accuracy in per cent, mean of the seeds; ± one standard error by the choice of "
        "images. Validation loss in nats: where it was lowest, and how much higher it is at the "
        "end.",
    )
    yield Paragraph(_overfitting_verdict(study, test_gaps, losses))
    yield Picture(
        "curves",
        figures.png(figures.curves([(_title(net), runs) for net, runs in study.adam.items()])),
        "All nets of part two, every seed. Training accuracy is that of the predictions made "
        "while training, each before its update, so it trails the net by half an epoch.",
    )


def _title(net: Net) -> str:
    return f"{'-'.join(map(str, net[0]))}, lr {net[1]:g}"


def _training_accuracy(run: TrainedNet) -> float:
    assert run.last.training is not None
    return run.last.training


def _gap(training: float, training_images: int, unseen: float, images: int) -> Estimate:
    error = math.hypot(binomial_error(training, training_images), binomial_error(unseen, images))
    return Estimate(training - unseen, error)


def _validation_loss(runs: Sequence[TrainedNet]) -> tuple[float, float]:
    """Mean over the seeds: the epoch of the lowest validation loss, and the rise since then."""
    losses = np.array([run.history["val_loss"] for run in runs])
    rise = losses[:, -1] - losses.min(axis=1)
    return float(np.mean(losses.argmin(axis=1) + 1)), float(rise.mean())


def _overfitting_verdict(study: Study, gaps: list[Estimate], losses: list[float]) -> str:
    if study.scale.quick:
        return "A quick look at one or two epochs says nothing about overfitting."
    clear = sum(gap.clear and gap.value > 0 for gap in gaps)
    low, high = (100 * f(gap.value for gap in gaps) for f in (min, max))
    text = (
        f"The gap between training and test images is {low:.1f} to {high:.1f} points, and clear of "
        f"zero by two standard errors for {clear} of {len(gaps)} nets. "
    )
    if clear <= len(gaps) / 2:
        return text + "So the claim holds for most of the nets."
    risen = [loss for loss in losses if loss > _RISE]
    changes = [
        paired_difference(_right(study, net, 30), _right(study, net, 10)).value * 100
        for net, runs in study.adam.items()
        if len(runs[0].snapshots) > 1
    ]
    text += "So the claim does not hold: they know their training images better than others. "
    if risen:
        text += (
            f"Validation loss has its lowest point well before the end for {len(risen)} of them, "
            f"and has risen by {min(risen):.2f} to {max(risen):.2f} nats since: early stopping, "
            "which the study names as a thing to try, would have stopped there. "
        )
    return text + (
        "Accuracy, which is what the study looked at, hides it: between epochs 10 and 30 that on "
        f"the test images changes by {min(changes):+.1f} to {max(changes):+.1f} points."
    ).replace("-", "−")


def _other(study: Study) -> Iterator[str]:
    quick = study.scale.quick
    for a, b, text in (
        ((_SHALLOW, 30), (_SHALLOW, 10), "128, 30 epochs instead of 10"),
        ((_BEST, 30), (_BEST, 10), "128-256, 30 epochs instead of 10"),
        ((_SHALLOW, 30), (((64,), 1e-3), 30), "128 units instead of 64, 30 epochs"),
        ((_BEST, 30), (((128, 64), 1e-3), 30), "128-256 instead of 128-64, 30 epochs"),
        ((_BEST, 30), (((128, 128, 256), 1e-3), 30), "128-256 instead of 128-128-256, 30 epochs"),
    ):
        difference = paired_difference(_right(study, *a), _right(study, *b))
        yield f"{text}: {difference} points on the test images, {_verdict(difference, quick)}"
