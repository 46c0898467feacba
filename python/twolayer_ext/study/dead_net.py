"""The report's chapter on the row that failed: why a deep net with small weights stays dead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from twolayer_ext.study import figures, protocol
from twolayer_ext.study.document import Block, Heading, Paragraph, Picture, Table
from twolayer_ext.study.protocol import ROWS
from twolayer_ext.study.runs import Data, Run, Study
from twolayer_ext.study.signals import Signal, fresh_signal, weight_sizes
from twolayer_ext.study.statistics import binomial_error

_AWAKE = 0.15  # validation accuracy of a net that has begun to learn


def dead_net(study: Study, data: Data) -> list[Block]:
    """Return the chapter."""
    hidden = protocol.DEAD
    small, he = fresh_signal(data, hidden, 1e-3), fresh_signal(data, hidden, "he")
    row = next(
        row
        for row in ROWS
        if (row.hidden, row.learning_rate) == (hidden, protocol.DEAD_LEARNING_RATE)
    )
    dead, cured = study.dead(), study.cured
    return [
        Heading(f"Why one row stops at {row.published}%"),
        Paragraph(
            f"The study reports {row.published}% for {_name(hidden)} at learning rate "
            f"{row.learning_rate:g} after {row.epochs} epochs: less than guessing. This net is "
            "not slow; it is dead before it begins. Each layer of weights of size 10⁻³ makes the "
            f"signal {_losses(small)} times smaller; He's weights, of standard deviation √(2/D) "
            "for D inputs, keep its size."
        ),
        Picture(
            "signal",
            figures.png(figures.signals(small, he)),
            "The net before its first step, on 1000 training images. Left: what arrives in each "
            "layer. Right: the gradient of the loss, and the weight decay 10⁻³ W that is added to "
            "it.",
        ),
        _signal_table(small, he),
        Paragraph(
            "What comes back is as small as what went in. The gradient of every weight is "
            f"{_times(small)} times smaller than the weight decay that is added to it, so decay "
            "is nearly all that Adam sees. Adam divides by the size of what it sees: each step "
            "moves a weight by about the learning rate, 10⁻³, towards zero, and 10⁻³ is all there "
            "is. The first steps take the weights away; what goes on learning is the bias of the "
            "last layer. It learns how often each class occurs."
        ),
        *_what_is_left(dead, data),
        Heading("The same net with He's weights", 3),
        *_cured(study, data, cured),
        *_asleep(study),
    ]


def _name(hidden: tuple[int, ...]) -> str:
    return "-".join(map(str, hidden))


def _losses(signal: Signal) -> str:
    return _range([a / b for a, b in pairwise(signal.outputs) if b > 0], digits=2)


def _times(signal: Signal) -> str:
    sizes = zip(signal.decays, signal.gradients, strict=True)
    return _range([decay / gradient for decay, gradient in sizes if gradient > 0], digits=1)


def _range(ratios: list[float], digits: int) -> str:
    low, high = (float(f"{value:.{digits}g}") for value in (min(ratios), max(ratios)))
    return f"{low:,.0f} to {high:,.0f}"


def _signal_table(small: Signal, he: Signal) -> Table:
    layers = len(small.gradients)
    rows = [["input", *[_power(s.outputs[0]) for s in (small, he)], *[""] * 4]]
    for i in range(layers):
        rows.append(
            [
                f"layer {i + 1}" if i + 1 < layers else "logits",
                *[_power(s.outputs[i + 1]) for s in (small, he)],
                *[_power(s.gradients[i]) for s in (small, he)],
                *[_power(s.decays[i]) for s in (small, he)],
            ]
        )
    return Table(
        [
            "",
            *("activations,\nN(0, 10⁻³)", "activations,\nHe"),
            *("gradient,\nN(0, 10⁻³)", "gradient,\nHe"),
            *("decay,\nN(0, 10⁻³)", "decay,\nHe"),
        ],
        rows,
        caption="Activations: standard deviation over 1000 images and all units. Gradient of the "
        "layer's weights, and weight decay: root of the mean square.",
    )


def _power(value: float) -> str:
    return f"{value:.2e}".replace("-", "−")


def _what_is_left(dead: list[Run], data: Data) -> Iterator[Block]:
    rows = []
    for run in dead:
        last, sizes = run.last, weight_sizes(run.network)
        classes = np.unique(last.predictions)
        only = int(classes[0])
        rows.append(
            [
                str(run.plan.seed),
                str(len(classes)),
                data.class_names[only] if len(classes) == 1 else "",
                f"{(data.train_y == only).sum():,}" if len(classes) == 1 else "",
                f"{(data.val_y == only).sum():,}" if len(classes) == 1 else "",
                f"{100 * last.validation:.1f}",
                f"{100 * last.test:.1f}",
                _power(sizes[0]),
                _power(sizes[-1]),
            ]
        )
    yield Table(
        [
            *(
                "seed",
                "classes\npredicted",
                "which",
                "of training\nimages",
                "of validation\nimages",
            ),
            *("validation\naccuracy", "test\naccuracy", "weights left,\nfirst layer", "last layer"),
        ],
        rows,
        left=(0, 2),
        caption="The dead net at the end of its training. Weights left: root of the mean "
        "square; all layers began with 10⁻³.",
    )
    if all(len(np.unique(run.last.predictions)) == 1 for run in dead):
        yield Paragraph(
            "Every image is given the same class, so the accuracy is that class's share of the "
            f"images. {_shares(data)}"
        )


def _shares(data: Data) -> str:
    """Tell which classes the training images have most of, and whose share was published."""
    names = data.class_names
    counts = np.bincount(data.train_y, minlength=len(names))
    first, second = np.argsort(-counts, kind="stable")[:2]
    text = (
        f"The training images have most of {names[first]}, {counts[first]:,}, then "
        f"{names[second]}, {counts[second]:,}; which of near equals wins is up to the last batches."
    )
    shares = 100 * np.bincount(data.val_y, minlength=len(names)) / len(data.val_y)
    (published,) = (row.published for row in ROWS if row.published < 10)
    for name, share in zip(names, shares, strict=True):
        if round(share, 1) == published:
            text += f" The study's {published}% is the share of {name} in the validation images."
    return text


def _cured(study: Study, data: Data, cured: Run) -> Iterator[Block]:
    yield Picture(
        "cure",
        figures.png(figures.cure(study.dead(), cured)),
        "The same net, data, order of the images, optimizer and learning rate; only the size of "
        "the first weights differs.",
    )
    last = cured.last
    epochs = max(cured.snapshots)
    yield Paragraph(
        f"With He's initialisation it reaches {100 * last.validation:.1f}% (± "
        f"{100 * binomial_error(last.validation, len(data.val_y)):.1f}) on the validation images "
        f"and {100 * last.test:.1f}% (± "
        f"{100 * binomial_error(last.test, len(data.test_y)):.1f}) on the test images in "
        f"{epochs} epoch{'s' * (epochs > 1)}; PyTorch with its own initialisation 53.8% and 54.0% "
        "in 10."
    )


def _asleep(study: Study) -> Iterator[Block]:
    """At a learning rate of 0.01 the same net wakes up, some time."""
    runs = study.adam[protocol.DEAD, 1e-2]
    awake = []
    for run in runs:
        epochs = [i for i, a in enumerate(run.history["val_accuracy"], start=1) if a > _AWAKE]
        awake.append(str(epochs[0]) if epochs else "never")
    yield Paragraph(
        "At a learning rate of 0.01 the first steps are ten times as large as the weights, so they "
        "throw the weights to the other side of zero, larger than before, and the signal may get "
        f"through. When it does is a matter of chance: our seeds first pass {100 * _AWAKE:.0f}% "
        f"on the validation images in epoch {', '.join(awake)}. PyTorch's run in the table was "
        "still at 10% after 10 epochs; of three more with other seeds two had passed 30% after 2. "
        "The study's had begun by then."
    )
