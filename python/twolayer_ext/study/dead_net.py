"""The report's chapter on the row that failed: why a deep net with small weights stays dead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from twolayer_ext.datasets.split import Split
from twolayer_ext.study import figures, protocol
from twolayer_ext.study.document import Block, Heading, Paragraph, Picture, Table
from twolayer_ext.study.part_one import NOTHING
from twolayer_ext.study.protocol import ROWS, Row
from twolayer_ext.study.runs import Study, TrainedNet
from twolayer_ext.study.signals import Signal, fresh_signal, weight_sizes
from twolayer_ext.study.statistics import binomial_error, spread

_AWAKE = 0.15  # validation accuracy of a net that has begun to learn


def dead_net(study: Study, data: Split) -> list[Block]:
    """Return the chapter."""
    hidden = protocol.DEAD
    small, he = fresh_signal(data, hidden, 1e-3), fresh_signal(data, hidden, "he")
    row = next(
        row
        for row in ROWS
        if (row.hidden, row.learning_rate) == (hidden, protocol.DEAD_LEARNING_RATE)
    )
    dead = study.dead()
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
        Heading("The cure", 3),
        *_cures(study, data, row),
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


def _what_is_left(dead: list[TrainedNet], data: Split) -> Iterator[Block]:
    rows = []
    for run in dead:
        last, sizes = run.last, weight_sizes(run.network)
        classes = np.unique(last.predictions)
        only = int(classes[0])
        rows.append(
            [
                str(run.plan.seed),
                str(len(classes)),
                data.training.class_names[only] if len(classes) == 1 else "",
                f"{(data.training.y == only).sum():,}" if len(classes) == 1 else "",
                f"{(data.validation.y == only).sum():,}" if len(classes) == 1 else "",
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


def _shares(data: Split) -> str:
    """Tell which classes the training images have most of, and whose share was published."""
    names = data.training.class_names
    counts = np.bincount(data.training.y, minlength=len(names))
    first, second = np.argsort(-counts, kind="stable")[:2]
    text = (
        f"The training images have most of {names[first]}, {counts[first]:,}, then "
        f"{names[second]}, {counts[second]:,}; which of near equals wins is up to the last batches."
    )
    shares = 100 * np.bincount(data.validation.y, minlength=len(names)) / len(data.validation)
    (published,) = (row.published for row in ROWS if row.published < 10)
    for name, share in zip(names, shares, strict=True):
        if round(share, 1) == published:
            text += f" The study's {published}% is the share of {name} in the validation images."
    return text


def _cures(study: Study, data: Split, row: Row) -> Iterator[Block]:
    nets = {
        "cured": study.cured,
        "He": [study.he],
        "N(0, 10⁻³)": study.dead(),
    }
    epochs = study.scale.epochs[10]
    yield Picture(
        "cure",
        figures.png(figures.cure(list(nets.items()), (epochs, row.published))),
        "The same net at the same learning rate: with weights of 10⁻³, with He's and nothing else "
        "changed, and cured.",
    )
    yield Table(
        ["weights", "seeds", "validation", "spread", "test", "spread", "standard\nerror"],
        [
            ["N(0, 10⁻³), published", "1", f"{row.published:.1f}", *[NOTHING] * 4],
            *(_outcome(name, runs, data) for name, runs in reversed(nets.items())),
            _torch_default(row, data),
        ],
        caption="Accuracy in per cent, mean of the seeds, after "
        f"{epochs} epoch{'s' * (epochs > 1)}; the published figure and PyTorch's are of 10. The "
        "standard error is that of one test accuracy.",
    )
    yield Paragraph(
        "He's weights alone bring the net to life. *Cured* is `recipes.study_cured`: Glorot's "
        "weights, a little smaller than He's; a learning rate that falls along half a cosine to "
        "nothing, instead of by 5% after every epoch; and images mirrored at random. Pixels, Adam, "
        "weight decay, batches and epochs are the study's. Of eleven variants, judged by 6000 "
        "training images held back for that, none was clearly better; the test images had no say."
    )


def _outcome(name: str, runs: list[TrainedNet], data: Split) -> list[str]:
    line = [name, str(len(runs))]
    for values in ([run.last.validation for run in runs], [run.last.test for run in runs]):
        deviation = f"{100 * spread(values):.1f}" if len(values) > 1 else NOTHING
        line += [f"{100 * np.mean(values):.1f}", deviation]
    error = binomial_error(float(np.mean([run.last.test for run in runs])), len(data.test))
    return [*line, f"{100 * error:.1f}"]


def _torch_default(row: Row, data: Split) -> list[str]:
    validation, test = row.torch_default
    error = 100 * binomial_error(test / 100, len(data.test))
    name = "PyTorch, its own initialisation"
    return [name, "1", f"{validation:.1f}", NOTHING, f"{test:.1f}", NOTHING, f"{error:.1f}"]


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
        "still at 10% after 10 epochs. Of four more with other seeds one was, too; the others came "
        "to 39.8%, 40.9% and 42.1% on the test images. The study's had begun by then."
    )
