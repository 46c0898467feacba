"""The report's first chapter: the mathematics, beside the lines of the NumPy twin that say it."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable

from twolayer_ext import reference
from twolayer_ext.losses import CrossEntropy, cross_entropy
from twolayer_ext.optimizers import Adam
from twolayer_ext.study.document import Block, Code, Formulas, Heading, Paragraph, Table
from twolayer_ext.training import study_check
from twolayer_ext.training.study_check import Finding


def derivation() -> list[Block]:
    """Return the formulas in short, each with the code that computes it."""
    network = reference.NumpyNetwork
    return [
        Heading("The network and its gradients"),
        Paragraph(
            "N samples stand as rows of X (N, D); K classes; one hidden layer of H units here, "
            "any number in the code. The code is that of the package's NumPy twin, "
            "`twolayer_ext.reference`, and of its `losses` and `optimizers`, which the compiled "
            "kernels are tested against."
        ),
        Heading("Forward", 3),
        Formulas(
            [
                "z₂ = X W₁ + b₁      a₂ = max(z₂, 0)",
                "z₃ = a₂ W₂ + b₂     a₃ = softmax(z₃), row by row",
            ]
        ),
        _source(network.layers),
        Heading("Loss", 3),
        Formulas(["(1)   J = −(1/N) Σᵢ log a₃[i, yᵢ]"]),
        Paragraph(
            "Nothing changes when the same number is subtracted from all logits of a row. With "
            "the largest of them subtracted no exponential overflows:"
        ),
        _source(cross_entropy._softmax_parts),
        Heading("The gradient at the logits", 3),
        Paragraph(
            "Softmax has the derivatives ∂aᵢ/∂zⱼ = aᵢ (1 − aᵢ) where i = j, and −aᵢ aⱼ "
            "elsewhere. For one sample of class y, ∂(−log a_y)/∂zⱼ = −(1/a_y) ∂a_y/∂zⱼ, which is "
            "a_y − 1 at j = y and aⱼ elsewhere. With Δ the labels, one-hot, all samples together:"
        ),
        Formulas(["(2)   ∂J/∂z₃ = (a₃ − Δ) / N"]),
        Paragraph("In the code each sample has its own; the division by N follows:"),
        _source(CrossEntropy.value_and_gradient),
        Heading("Regularisation and the way back", 3),
        Formulas(
            [
                "(4)   J̃ = J + λ (‖W₁‖² + ‖W₂‖²)      without a factor ½, without the biases",
                "",
                "∂J̃/∂W₂ = a₂ᵀ ∂J/∂z₃ + 2λ W₂         ∂J̃/∂b₂ = column sums of ∂J/∂z₃",
                "∂J̃/∂z₂ = ∂J/∂z₃ W₂ᵀ where z₂ > 0, else 0",
                "∂J̃/∂W₁ = Xᵀ ∂J̃/∂z₂ + 2λ W₁          ∂J̃/∂b₁ = column sums of ∂J̃/∂z₂",
            ]
        ),
        _source(network.loss),
        _source(network.backward),
        Paragraph(
            "A deeper net repeats the hidden step; λ covers every weight matrix. `operands` hands "
            "back what it is given unless products are to be rounded to bfloat16."
        ),
        Heading("Updates", 3),
        Paragraph("The first part of the study takes plain SGD, the second Adam:"),
        Formulas(
            [
                "SGD     W ← W − η g",
                "Adam    m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²",
                "        W ← W − η m̂ / (√v̂ + ε)       m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)",
            ]
        ),
        _source(Adam._moved),
        Paragraph(
            "The second part adds a weight decay of 10⁻³ to the gradient itself, g + 10⁻³ W, so "
            "that Adam scales it with the rest. That will matter below."
        ),
    ]


def checks() -> list[Block]:
    """Run the toy check and the gradient checks on the compiled kernels; return their tables."""
    return [
        Heading("Checks of the compiled kernels"),
        Paragraph(
            "Before any training: the study's toy net (4 features, 10 hidden units, 3 classes, 5 "
            "samples, float64) has to give the study's figures."
        ),
        _findings(study_check.toy_check(), "measured"),
        Paragraph(
            "And every gradient is compared with central differences, for each number of layers "
            "and each activation, and for each loss. The relative error of an element is "
            "|a − b| / max(10⁻⁸, |a| + |b|); the largest counts."
        ),
        _findings(study_check.gradient_check(), "largest error"),
    ]


def _findings(findings: Iterable[Finding], measured: str) -> Table:
    rows = [
        [
            finding.what,
            f"{finding.measured:.2e}",
            f"{finding.bound:.0e}",
            "yes" if finding.passed else "NO",
        ]
        for finding in findings
    ]
    return Table(["check", measured, "must be below", "passed"], rows)


def _source(function: object) -> Code:
    """Return the very lines of a function, without what indents it inside its class."""
    return Code(textwrap.dedent(inspect.getsource(function)))  # type: ignore[arg-type]
