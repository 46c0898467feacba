"""The command ``twolayer check``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from twolayer_ext.tables import Table
from twolayer_ext.training import study_check
from twolayer_ext.training.study_check import Finding


def run(arguments: argparse.Namespace) -> int:
    """Run all checks on the compiled kernels; return 1 if one fails."""
    passed = [
        _show("Toy check of the study (float64)", study_check.toy_check()),
        _show(
            "Gradients against central differences (float64): largest relative error",
            study_check.gradient_check(),
        ),
        _show(
            "Parameters after 100 steps (float32): bytes that differ from those of 1 thread",
            study_check.thread_check(),
        ),
    ]
    print("all checks passed" if all(passed) else "a check FAILED")
    return 0 if all(passed) else 1


def _show(title: str, findings: Iterable[Finding]) -> bool:
    print(title)
    table = Table(["check", "measured", "must be below", "verdict"], [-46, 12, 13, 7])
    all_passed = True
    for finding in findings:
        verdict = "ok" if finding.passed else "FAILED"
        table.row([finding.what, f"{finding.measured:.4g}", f"{finding.bound:.4g}", verdict])
        all_passed = all_passed and finding.passed
    print()
    return all_passed
