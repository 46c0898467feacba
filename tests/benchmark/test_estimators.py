"""The estimators beside scikit-learn's: what is compared, whom it rejects, what it writes."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.9")  # whose parameters the estimators have
from sklearn import neural_network

import twolayer_ext as tl
from twolayer_ext.benchmark import cli
from twolayer_ext.benchmark.estimators import contest, problems, report
from twolayer_ext.benchmark.estimators.paired import paired_difference

QUICK = contest.Settings(seeds=2, threads=1, shortest=1e-4, limit=150, max_iter=2)
DRAWN = [problem for problem in problems.PROBLEMS if not problem.needs_images]


def quiet(text: str) -> None:
    pass


def named(name: str) -> problems.Problem:
    (problem,) = problems.problems_named([name])
    return problem


@pytest.fixture
def result():
    results, left_out = contest.contests([named("wine")], QUICK, say=quiet)
    assert left_out == {}
    return results[0]


def test_paired_differences():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=(2, 5))
    found = paired_difference(ours, theirs)
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    np.testing.assert_allclose(found.mean - found.half_width, expected.low)
    np.testing.assert_allclose(found.mean + found.half_width, expected.high)
    assert found.within_noise
    assert not paired_difference(theirs + 0.1 + 0.01 * ours, theirs).within_noise
    assert paired_difference(theirs + 1e-12, theirs).within_noise  # rounding, always to one side


def test_problems_by_name():
    assert problems.problems_named([]) == list(problems.PROBLEMS)
    names = [problem.name for problem in problems.problems_named(["wine", "iris"])]
    assert names == ["iris", "wine"]
    with pytest.raises(ValueError, match=r"estimators: 'vine'; must be of digits, iris"):
        problems.problems_named(["vine"])


@pytest.mark.parametrize("problem", DRAWN, ids=lambda problem: problem.name)
def test_splits(problem):
    splits = problem.load(None, 200)
    split, other = splits(0), splits(1)
    rows = {"iris": 150, "wine": 178}.get(problem.name, 200)
    assert split.x.shape[0] + split.test_x.shape[0] == rows
    assert split.test_x.shape[0] == pytest.approx(rows / 5, abs=1)
    assert abs(split.x - other.x).max() > 0
    if isinstance(split.x, np.ndarray):
        used = split.x.std(axis=0) > 0
        np.testing.assert_allclose(split.x.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(split.x.std(axis=0)[used], 1)
    if problem.kind == "MLPRegressor":
        assert (split.y.mean(), split.y.std()) == pytest.approx((0, 1))


def test_texts_are_sparse():
    x, y = problems.make_texts()
    assert x.shape == (5000, 20_000)
    assert x.format == "csr"
    assert 0.001 < x.nnz / np.prod(x.shape) < 0.003
    assert (x.data > 0).all()
    assert sorted(set(y)) == [0, 1, 2, 3]


@pytest.mark.parametrize("problem", DRAWN, ids=lambda problem: problem.name)
def test_both_sides_agree_on_every_problem(problem):
    (result,), left_out = contest.contests([problem], QUICK, say=quiet)
    assert left_out == {}
    assert result.deviation <= problem.tolerance
    assert result.difference.within_noise
    for side in (result.ours, result.theirs, result.one_thread):
        for figures in (side.scores, side.epochs, side.fit, side.predict, side.one_row):
            assert len(figures) == QUICK.seeds
        assert side.epochs == [2, 2]


def test_images_are_those_of_the_first_case(monkeypatch):
    rng = np.random.default_rng(0)
    images = [
        tl.datasets.Dataset(
            rng.integers(0, 256, (count, 3072), np.uint8), np.arange(count) % 10, (), None, "made"
        )
        for count in (700, 50)
    ]
    monkeypatch.setattr(problems.datasets, "load_cifar10", lambda path: images)
    cifar10 = named("cifar10")
    split = cifar10.load("folder", None)(3)
    assert split.x.dtype == np.float32
    np.testing.assert_allclose(split.x.mean(axis=0), 0, atol=1e-5)
    assert split.test_x.shape == (50, 3072)
    assert cifar10.settings["hidden_layer_sizes"] == (512,)
    settings = replace(QUICK, limit=None)
    (result,), _ = contest.contests([cifar10], settings, data="folder", say=quiet)
    assert result.shape == (700, 3072)


def test_ratios_are_to_the_faster_of_their_two(result):
    result.ours.fit[:] = [1.0, 3.0]
    result.theirs.fit[:] = [8.0, 8.0]
    result.one_thread.fit[:] = [5.0, 7.0]
    assert result.ratio("fit") == 3
    assert result.ratio("fit", result.theirs) == 4
    assert contest.geometric_mean([1, 4, 16]) == pytest.approx(4)
    slow = replace(result, ours=replace(result.ours, fit=[8.0, 8.0]), problem=named("iris"))
    assert report.summary([result, slow]) == (
        "fit: 1.50 times as fast as scikit-learn (2.00 with its BLAS as it is), the geometric mean "
        "of 2; at worst 0.75 times, iris"
    )
    assert len(report.row(result)) == len(report.HEADINGS) == len(report.WIDTHS)


class Wrong(tl.MLPClassifier):
    """Follows scikit-learn, and then says that its loss was another one."""

    def fit(self, X, y, sample_weight=None):  # noqa: N803
        super().fit(X, y, sample_weight)
        self.loss_curve_[-1] *= 1 + 1e-5
        return self


class Short(tl.MLPClassifier):
    def fit(self, X, y, sample_weight=None):  # noqa: N803
        super().fit(X, y, sample_weight)
        del self.loss_curve_[-1]
        return self


class Guessing(tl.MLPClassifier):
    def predict(self, X):  # noqa: N803
        return np.roll(super().predict(X), 1)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (Wrong, "deviates from scikit-learn's by 1.0e-05; at most 1e-06 is allowed"),
        (Short, "wrong: 1 epochs where scikit-learn has 2"),
        (Guessing, "with scikit-learn's weights it predicts something else"),
    ],
)
def test_who_computes_something_else_is_not_timed(estimator, reason, monkeypatch, capsys):
    monkeypatch.setattr(tl, "MLPClassifier", estimator)
    results, left_out = contest.contests([named("wine")], QUICK, say=quiet)
    assert results == []
    assert reason in left_out["wine"]
    assert run("wine", "--quick", "--rounds", "2", "--threads", "1") == 1
    printed = capsys.readouterr().out
    assert f"wine: not timed; {left_out['wine'][:5]}" in printed
    assert printed.splitlines()[-1] == "fit: nothing was timed"


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.run(parser.parse_args(["--estimators", *arguments]))


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("TWOLAYER_CIFAR10", raising=False)
    out = tmp_path / "out.json"
    options = ["iris", "diabetes", "cifar10", "--quick", "--rounds", "2", "--threads", "1"]
    assert run(*options, "--json", str(out)) == 0
    printed = capsys.readouterr()
    assert "cifar10: not timed; no images; --data" in printed.out
    assert "a quick look only" in printed.out
    assert "instruction set" in printed.out
    assert printed.out.splitlines()[-1].startswith("fit: ")
    assert "iris ..." in printed.err
    saved = json.loads(out.read_text())
    assert [problem["name"] for problem in saved["problems"]] == ["iris", "diabetes"]
    assert set(saved["left_out"]) == {"cifar10"}
    for problem in saved["problems"]:
        assert problem["within_noise"]
        assert problem["loss_deviation"] <= problem["tolerance"]
        assert len(problem["ours"]["fit"]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rounds", "1"], "--rounds: 1; must be at least 2"),
        (["--plot", "picture.png"], "--plot: given; must be left out with --estimators"),
        (["--peers"], "--peers: given; must be left out with --estimators"),
        (["--time-to-accuracy"], "--time-to-accuracy: given; must be left out with --estimators"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        run(*options)


def test_the_hyper_parameters_are_the_same_on_both_sides():
    entries = contest._entries(named("cifar10"), contest.Settings(), 3, (None, None, None))
    ours, theirs, one_thread = (entry.estimator for entry in entries)
    assert isinstance(ours, tl.MLPClassifier)
    assert type(theirs) is type(one_thread) is neural_network.MLPClassifier
    mine = ours.get_params()
    assert {name: mine[name] for name in theirs.get_params()} == theirs.get_params()
    assert mine["n_threads"] is None
    assert [entry.blas_threads for entry in entries] == [None, None, 1]
    assert theirs.random_state == 3
