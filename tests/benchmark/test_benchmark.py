"""The benchmark: what it counts, whom it rejects, what it writes."""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext import _core
from twolayer_ext.benchmark import cli, figure, machine, memory, peers, report
from twolayer_ext.benchmark.accuracy import JUDGED, STEPS, Check, Judge
from twolayer_ext.benchmark.cases import (
    CASES,
    Case,
    Images,
    cases_named,
    load_digits,
    made_up_table,
    make_workload,
    synthetic_rows,
)
from twolayer_ext.benchmark.contenders import (
    Numpy,
    Twolayer,
    TwolayerSession,
    Variant,
    own_contenders,
)
from twolayer_ext.benchmark.machine import Peaks
from twolayer_ext.benchmark.roofline import roofline
from twolayer_ext.benchmark.run import Settings, Timing, benchmark

SETTINGS = Settings(rounds=3, threads=2, shortest=0.002, longest=0.5, trial=0.002, probe=0.002)
TRAIN = {
    optimizer: Case(f"tiny-{optimizer}", (48, 24, 16, 10), 20, optimizer, rate)
    for optimizer, rate in (("sgd", 0.05), ("adam", 3e-3))
}
PREDICT = Case("tiny-predict", (48, 24, 10), 100, task="predict")


@pytest.fixture(autouse=True)
def matplotlib_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))


@pytest.fixture(scope="module")
def images():
    x, y = synthetic_rows(550, 48, 10)
    return Images(x[:450], y[:450], x[450:], "made-up images")


def quiet(text: str) -> None:
    pass


def run_benchmark(contenders, cases, images, settings=SETTINGS):
    return benchmark(contenders, settings, cases=cases, images=images, say=quiet)


def test_operations_of_the_study_epoch():
    (tuned,) = cases_named(["tuned"])
    products = 3072 * 512 + 512 * 10  # forward
    products += 3072 * 512 + 512 * 10  # gradients of the weights
    products += 512 * 10  # gradient of the hidden layer; the pixels need none
    assert tuned.flops_per_sample == 2 * products
    assert round(tuned.flops_per_sample * 49_000 / 1e9) == 310


def test_operations_of_other_cases():
    assert PREDICT.flops_per_sample == 2 * (48 * 24 + 24 * 10)
    deep = TRAIN["adam"]
    weights = 48 * 24 + 24 * 16 + 16 * 10
    assert deep.flops_per_sample == 2 * (3 * weights - 48 * 24)


def test_cases_by_name():
    assert cases_named(None) == list(CASES)
    assert [case.name for case in cases_named(["digits", "tuned"])] == ["tuned", "digits"]
    with pytest.raises(ValueError, match=r"cases: 'tune'; must be of tuned, baseline"):
        cases_named(["tune"])


def test_workload_takes_whole_batches_of_all_rows_once(images):
    workload = make_workload(TRAIN["sgd"], images)
    assert len(workload.order) == 450 // 20 * 20
    assert len(set(workload.order.tolist())) == len(workload.order)
    np.testing.assert_allclose(
        workload.floats, (workload.x - workload.shift) / workload.scale, rtol=0, atol=1e-5
    )


def test_workload_too_small(images):
    with pytest.raises(ValueError, match="at least one batch of 20"):
        make_workload(TRAIN["sgd"], images, limit=19)


def test_timing_takes_the_median_round():
    check = Check(expected=2.0, loss=2.5, tolerance=0.2)
    assert check.deviation == 0.25
    assert not check.passed
    timing = Timing("a", "float32", Variant(1), check, 100, 1.0, [4.0, 1.0, 2.0])
    assert timing.rate == 50
    assert timing.spread == (25, 100)


@pytest.mark.parametrize("case", [*TRAIN.values(), PREDICT], ids=lambda case: case.name)
def test_right_contenders_are_timed(case, images):
    result = run_benchmark(own_contenders(2, ["float32", "float64"]), [case], images).results[0]
    assert result.left_out == {}
    assert [timing.contender for timing in result.timings] == [
        "twolayer float32, 1 thread",
        "twolayer float32, 2 threads",
        "twolayer float64, 1 thread",
        "twolayer float64, 2 threads",
        "NumPy float32",
        "NumPy float64",
    ]
    for timing in result.timings:
        assert len(timing.seconds) == SETTINGS.rounds
        assert timing.rate > 0
        assert timing.samples == round(timing.epochs * result.epoch)
        assert result.gflops(timing) == pytest.approx(timing.rate * case.flops_per_sample / 1e9)
        assert timing.check.deviation <= timing.check.tolerance


def test_predictions_are_computed_in_the_contenders_type(images, monkeypatch):
    asked = []
    own = tl.Network.predict

    def predict(self, x, **options):
        asked.append((self.dtype, options["compute_dtype"]))
        return own(self, x, **options)

    monkeypatch.setattr(tl.Network, "predict", predict)
    contenders = [Twolayer(dtype, 1) for dtype in ("float32", "float64", "bfloat16")]
    result = run_benchmark(contenders, [PREDICT], images).results[0]
    assert [timing.dtype for timing in result.timings] == ["float32", "float64", "bfloat16"]
    assert set(asked) == {("float32", None), ("float64", None), ("float32", "bfloat16")}


def test_made_up_tables_are_of_the_cases_net():
    for case in CASES:
        if case.data == "table":
            workload = make_workload(case, made_up_table(case))
            assert workload.x.shape[1] == case.layer_sizes[0]
            if case.task == "train":
                assert np.unique(workload.y).tolist() == list(range(case.layer_sizes[-1]))


def test_neighbours_run_as_long_as_they_are_wanted():
    def children():
        path = Path(f"/proc/self/task/{os.getpid()}/children")
        return set(path.read_text().split()) if path.exists() else set()

    before = children()
    with machine.neighbours(2):
        during = children() - before
    assert children() == before
    assert len(during) == (2 if Path("/proc/self").exists() else 0)


def test_stolen_time_is_a_share():
    assert machine.stolen_share(None) is None
    before = machine.stolen_time()
    if before is None:
        assert not Path("/proc/stat").exists()
        return
    share = machine.stolen_share((before[0], before[1] - 100))
    assert share is not None
    assert 0 <= share <= 1


@pytest.mark.parametrize("case", [*TRAIN.values(), *CASES[4:5]], ids=lambda case: case.name)
def test_the_loss_that_is_checked_has_moved(case, images):
    workload = make_workload(case, load_digits() if case.data == "digits" else images)
    judge = Judge(workload)
    assert len(judge.rows) == STEPS * case.batch_size
    judge.network.set_parameters(workload.parameters)
    few = np.sort(judge.rows[:JUDGED])
    before, _ = judge.network.evaluate(workload.x[few], workload.y[few])
    assert before - judge.expected > 0.01 * judge.expected > 0


class WrongSession(TwolayerSession):
    """Does all of the work, but its first layer ends up one percent too large."""

    def parameters(self):
        (w, b), *rest = super().parameters()
        return [(w * 1.01, b), *rest]

    def predict(self):
        classes = super().predict()
        classes[::10] = (classes[::10] + 1) % 10
        return classes


class NanSession(TwolayerSession):
    def parameters(self):
        return [(w * math.nan, b) for w, b in super().parameters()]


class RaisingSession(TwolayerSession):
    def train(self, rows, passes):
        raise RuntimeError("out of luck")


def spoiled(name: str, session: type[TwolayerSession]) -> Twolayer:
    contender = Twolayer("float32", 1)
    contender.name = name
    contender.start = lambda workload, variant: session(workload, variant, "float32")
    return contender


@pytest.mark.parametrize("case", [TRAIN["sgd"], PREDICT], ids=lambda case: case.name)
def test_a_wrong_contender_is_reported_and_not_timed(case, images):
    contenders = [Numpy("float32"), spoiled("wrong", WrongSession)]
    result = run_benchmark(contenders, [case], images).results[0]
    assert [timing.contender for timing in result.timings] == ["NumPy float32"]
    assert result.left_out["wrong"].startswith("wrong: loss ")
    assert "wrong: not timed; wrong: loss" in report.case_text(result)


@pytest.mark.parametrize(
    ("session", "reason"),
    [(NanSession, "wrong: loss nan"), (RaisingSession, "failed: RuntimeError: out of luck")],
)
def test_other_ways_to_fail(session, reason, images):
    whole = run_benchmark([spoiled("it", session)], [TRAIN["sgd"]], images)
    result = whole.results[0]
    assert result.timings == []
    assert result.left_out["it"].startswith(reason)
    json.dumps(report.as_json(whole), allow_nan=False)


def test_contenders_that_are_not_installed(images, monkeypatch):
    monkeypatch.setattr(peers.Jax, "peer", "no_such_package")
    result = run_benchmark([Twolayer("float32", 1), peers.Jax()], [PREDICT], images).results[0]
    assert result.left_out == {"JAX jit": "not installed"}


def test_a_part_of_an_epoch_where_a_whole_one_takes_too_long(images):
    settings = Settings(rounds=1, threads=1, shortest=0, longest=1e-5, trial=0.002, probe=0.002)
    result = run_benchmark([Numpy("float64")], [TRAIN["sgd"]], images, settings).results[0]
    assert 0 < result.timings[0].epochs < 1
    assert result.timings[0].samples % TRAIN["sgd"].batch_size == 0


def test_peaks():
    peaks = Peaks((1, 2), ("float32", "float64", "bfloat7"), 0.002)
    peaks.probe()
    peaks.probe()
    assert {key: len(probes) for key, probes in peaks.gflops.items()} == {
        (dtype, threads): 2 for dtype in ("float32", "float64") for threads in (1, 2)
    }
    peaks.gflops["float32", 2] = [1.0, 9.0, 3.0]
    assert peaks.peak("float32", 2) == 9
    assert peaks.peak("float32", None) == 9
    assert math.isnan(peaks.peak("bfloat7", 1))
    assert peaks.best_bandwidth() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("float16", 1, 0.001), "dtype"),
        (("float32", 0, 0.001), "threads"),
        (("float32", 1, 0.0), "seconds"),
        (("float32", 1, math.nan), "seconds"),
    ],
)
def test_probes_check_their_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        _core.multiply_add_peak(*arguments)


def test_roofline_tells_what_limits():
    big = Case("big", (3000, 500, 10), 300)
    roof = roofline(big, 50_000, peak=400, bandwidth=20, cache=32 * 2**20)
    assert roof.limit == "arithmetic"
    assert roof.bytes_per_step == 300 * 3000  # the pixels; the weights stay in the cache
    assert roof.bound == 400
    thin = Case("thin", (3000, 2), 30_000)
    roof = roofline(thin, 60_000, peak=400, bandwidth=20, cache=2**20)
    assert roof.limit == "memory"
    assert roof.bound == pytest.approx(20 * thin.flops_per_sample / 3000)
    digits = CASES[4]
    roof = roofline(digits, 1797, peak=400, bandwidth=20, cache=2**20)
    assert (roof.limit, roof.intensity) == ("latency", math.inf)


def test_machine_description():
    text = machine.describe(2)
    assert text["threads"] == 2
    assert text["instruction set"].startswith(_core.build_info()["isa"])
    assert machine.last_level_cache() >= 2**15


def test_memory_of_a_process_of_its_own():
    measured = memory.measure("digits", 1797, 1)
    if measured is None:
        pytest.skip("only Linux tells a process's memory: nothing to test here")
    assert measured["peak"] < 150
    assert 0 < measured["growth"] < 30
    assert measured["data"] == pytest.approx(1797 * (64 + 8) / 1e6)


def test_command(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    out, plot = tmp_path / "out.json", tmp_path / "out.png"
    options = ["--cases", "digits", "--quick", "--rounds", "2", "--threads", "2"]
    arguments = parser.parse_args([*options, "--json", str(out), "--plot", str(plot)])
    assert cli.run(arguments) == 0
    printed = capsys.readouterr()
    assert "digits: train 64-32-10, batch 32, sgd" in printed.out
    assert "multiply-add peak, float32, 2 threads" in printed.out
    assert "limit: fixed costs" in printed.out
    assert "quick look" in printed.out
    assert "round 2 of 2" in printed.err
    saved = json.loads(out.read_text())
    (case,) = saved["cases"]
    assert case["flops_per_sample"] == CASES[4].flops_per_sample
    assert case["epoch_samples"] == 1797 // 32 * 32
    assert {result["contender"] for result in case["results"]} == {
        "twolayer float32, 1 thread",
        "twolayer float32, 2 threads",
        "NumPy float32",
        "NumPy float64",
    }
    for result in case["results"]:
        assert len(result["seconds"]) == 2
        assert result["check"]["deviation"] <= result["check"]["tolerance"]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_missing_folder_is_said_before_the_work():
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    with pytest.raises(FileNotFoundError, match="No such file"):
        cli.run(parser.parse_args(["--json", "/no/such/folder/out.json"]))


def test_picture_of_several_cases(images):
    contenders = [Twolayer("float32", 1), Numpy("float32")]
    result = run_benchmark(contenders, [*TRAIN.values(), PREDICT], images)
    axes = figure.plot_benchmark(result).axes
    titles = [a.get_title(loc="left") for a in axes[:3]]
    assert titles == [r.case.title.removeprefix("train ") for r in result.results]
    assert len(axes) == 4
    assert len(axes[0].patches) == 2
    result.results.clear()
    with pytest.raises(ValueError, match="nothing to draw"):
        figure.plot_benchmark(result)


@pytest.mark.filterwarnings("ignore")  # other libraries' own affairs
@pytest.mark.parametrize(
    "peer",
    [peers.Torch(), peers.Torch(autocast=True), peers.Jax(), peers.ScikitLearn()],
    ids=lambda peer: peer.name,
)
def test_peers_agree_with_the_twin(peer, images):
    if (reason := peer.unavailable()) is not None:
        pytest.skip(f"{peer.name}: {reason}; pip install 'twolayer-ext[peers]'")
    for case in (*TRAIN.values(), PREDICT):
        judge = Judge(make_workload(case, images))
        variants = peer.variants(case, 2)
        for variant in (variants[0], variants[-1]):  # raw data and converted, both ways to loop
            session = peer.start(judge.workload, variant)
            check = judge.check(session, peer.tolerance(case))
            assert check.passed, f"{case.name}, {variant}: {check}"
