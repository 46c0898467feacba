"""Fitted estimators are the same bits on any number of threads, process and instruction set."""

import itertools
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
import joblib

import estimator_bits
import twolayer_ext as tl
from python_targets import run_python, supported_targets

SCRIPT = str(Path(estimator_bits.__file__))


def digests(task, folder, isa=None):
    """Let another process fit or predict; return name to digest."""
    done = run_python(SCRIPT, task, str(folder), isa=isa)
    assert done.returncode == 0, done.stderr
    found = dict(line.split(": ") for line in done.stdout.splitlines())
    assert found.keys() == estimator_bits.CASES.keys()
    return found


def fit_here(folder):
    found = {}
    for name in estimator_bits.CASES:
        estimator = estimator_bits.fitted(name)
        joblib.dump(estimator, folder / f"{name}.joblib")
        found[name] = estimator_bits.digest(name, estimator)
    return found


@pytest.mark.parametrize("name", estimator_bits.CASES)
def test_any_number_of_threads(name):
    first, *others = (
        estimator_bits.digest(name, estimator_bits.fitted(name, n_threads))
        for n_threads in (1, 2, 3)
    )
    assert others == [first, first]


def test_a_digest_sees_one_bit():
    estimator = estimator_bits.fitted("numbers")
    before = estimator_bits.digest("numbers", estimator)
    estimator.intercepts_[0][0] *= 1 + 2**-52
    assert estimator_bits.digest("numbers", estimator) != before


def test_another_process_and_instruction_set(tmp_path):
    here = fit_here(tmp_path)
    others = [isa for isa in supported_targets() if isa != tl.build_info()["isa"]]
    assert digests("predict", tmp_path, isa=others[0] if others else None) == here


@pytest.mark.exhaustive
def test_every_instruction_set_fits_and_reads_the_same(tmp_path, monkeypatch):
    # What SciPy computes between two of lbfgs' losses depends on the threads of its BLAS.
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    here = fit_here(tmp_path)
    targets = supported_targets()
    for isa in targets:
        folder = tmp_path / isa
        folder.mkdir()
        assert digests("fit", folder, isa) == here, isa
    for writer, reader in itertools.permutations(targets, 2):
        assert digests("predict", tmp_path / writer, reader) == here, (writer, reader)
