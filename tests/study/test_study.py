"""`twolayer study`: what it trains, what it counts, what it writes."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import twolayer_ext as tl
from twolayer_ext.cli import main
from twolayer_ext.cli import study as command
from twolayer_ext.datasets import cifar10_layouts
from twolayer_ext.datasets.split import Split
from twolayer_ext.study import protocol, report
from twolayer_ext.study.document import Paragraph, Table, as_html, as_markdown
from twolayer_ext.study.part_two import compare, strict_errors
from twolayer_ext.study.protocol import FULL, QUICK, ROWS
from twolayer_ext.study.runs import Snapshot, TrainedNet, plans, run_study, study_split
from twolayer_ext.study.signals import fresh_signal
from twolayer_ext.study.statistics import (
    Comparison,
    Estimate,
    binomial_error,
    paired_difference,
    spread,
)
from twolayer_ext.training import study_check

BATCH_ROWS = 40


@pytest.fixture(autouse=True)
def matplotlib_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))


@pytest.fixture
def cifar10(tmp_path, monkeypatch) -> Path:
    """CIFAR-10's binary layout with 240 images that can be learned: a class is a brightness."""
    monkeypatch.setattr(cifar10_layouts, "BATCH_ROWS", BATCH_ROWS)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        labels = random.integers(0, 10, (BATCH_ROWS, 1))
        pixels = 22 * labels + random.integers(0, 50, (BATCH_ROWS, 3072))
        records = np.concatenate([labels, pixels], axis=1).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    names = ["airplane", "automobile", "bird", "cat", "deer"]
    names += ["dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n")
    return folder


@pytest.fixture
def data(cifar10) -> Split:
    return study_split(*tl.datasets.load_cifar10(cifar10))


# what is trained


def test_the_studys_table():
    assert len(ROWS) == 15
    assert sum(row.epochs == 30 for row in ROWS) == 7
    best = max(ROWS, key=lambda row: row.published)
    assert (best.hidden, best.epochs, best.published) == ((128, 256), 30, 56.6)
    dead = min(ROWS, key=lambda row: row.published)
    assert (dead.hidden, dead.learning_rate) == (protocol.DEAD, protocol.DEAD_LEARNING_RATE)
    assert (dead.published, dead.torch_validation, dead.layers) == (7.8, 7.9, 5)


def test_plans_cover_every_row_with_every_seed():
    everything = plans(FULL, lambda size: 49_000 // size)
    two, adam, he, cured = (
        [plan for plan in everything if plan.part == part]
        for part in ("sgd", "adam", "he", "cured")
    )
    assert len(everything) == sum(map(len, (two, adam, he, cured)))
    assert [plan.name for plan in two] == ["baseline", "tuned"]
    assert [plan.snapshots for plan in two] == [(5,), (8,)]  # 1000 steps of 245 and 140 an epoch
    covered = {
        (tuple(plan.options["hidden_sizes"]), plan.options["learning_rate"], epochs, plan.seed)
        for plan in adam
        for epochs in plan.snapshots
    }
    assert covered == {
        (row.hidden, row.learning_rate, row.epochs, seed) for row in ROWS for seed in (0, 1, 2)
    }
    assert len(adam) == 8 * 3  # a run of 30 epochs stands for that of 10, too
    assert {plan.options["init"] for plan in adam} == {1e-3}
    dead = next(plan for plan in adam if plan.snapshots == (10,))
    assert [(plan.seed, plan.snapshots) for plan in he] == [(0, (10,))]
    for plan in he:
        assert plan.options == {**dead.options, "init": "he"}
    for plan in cured:
        assert plan.options["schedule"] is not None
        assert plan.options.keys() == tl.recipes.study_cured().keys()
    for plan in (dead, *he, *cured):
        assert plan.options["hidden_sizes"] == protocol.DEAD
        assert plan.options["learning_rate"] == protocol.DEAD_LEARNING_RATE
    assert [(plan.seed, plan.snapshots) for plan in cured] == [(seed, (10,)) for seed in (0, 1, 2)]


def test_ten_epochs_are_the_first_ten_of_thirty(pixels, same_bits):
    """What the plans rely on: the schedule does not depend on how long it will be."""
    x, y = pixels
    kept = []

    def keep(event):
        if event.epoch == 2:
            kept.append(tl.Network.from_state(event.network.state()))

    recipe = tl.recipes.study_adam((8,), epochs=4) | {"batch_size": 20}
    tl.train(x, y, **recipe, callbacks=[keep])
    short = tl.train(x, y, **recipe | {"epochs": 2}).network
    assert same_bits(kept[0], short)


def test_work_is_counted_in_operations():
    (tuned,) = [plan for plan in plans(FULL, lambda size: 140) if plan.name == "tuned"]
    per_sample = 2 * (2 * 3072 * 512 + 3 * 512 * 10)
    assert tuned.work(3072, 10, 49_000) == 350_000 * per_sample
    (best,) = [p for p in plans(FULL, lambda size: 245) if p.name == "[128, 256] at 0.001"][:1]
    per_sample = 2 * (2 * 3072 * 128 + 3 * (128 * 256 + 256 * 10))
    assert best.work(3072, 10, 49_000) == 30 * 49_000 * per_sample


def test_the_split(data):
    assert [len(part) for part in (data.training.x, data.validation.x, data.test.x)] == [196, 4, 40]
    assert data.training.x.base is not None  # views


# what is counted


def test_binomial_error_of_1000_and_10000_images():
    assert 100 * binomial_error(0.55, 1000) == pytest.approx(1.573, abs=1e-3)
    assert 100 * binomial_error(0.55, 10_000) == pytest.approx(0.497, abs=1e-3)


def test_errors_of_a_difference():
    comparison = Comparison((0.50, 0.51, 0.52), 0.53, 10_000)
    assert comparison.difference == pytest.approx(-0.02)
    assert comparison.seeds_error == pytest.approx(0.01 * math.sqrt(4 / 3))
    assert comparison.images_error == pytest.approx(math.sqrt(0.51 * 0.49 + 0.53 * 0.47) / 100)
    total = math.hypot(comparison.seeds_error, comparison.images_error)
    assert comparison.error == pytest.approx(total)
    assert comparison.within
    assert not Comparison((0.50, 0.51, 0.52), 0.58, 10_000).within
    assert math.isnan(spread([0.5]))


def test_paired_difference_sees_that_the_images_are_the_same():
    random = np.random.default_rng(0)
    hard = random.random(10_000)
    one, other = hard < 0.52, hard < 0.50
    difference = paired_difference([one], [other])
    assert difference.value == pytest.approx(0.02, abs=0.005)
    assert difference.error < 0.002 < binomial_error(0.5, 10_000)
    assert difference.clear
    seeds = [hard < 0.52, hard < 0.48]  # now one side depends much on its seed
    assert not paired_difference(seeds, [other]).clear
    assert str(Estimate(-0.0123, 0.004)) == "−1.2 ± 0.4"


def made_up_rows(monkeypatch, ours, torch):
    """A study of made-up accuracies on 1000 validation and 10,000 test images, three seeds."""

    class MadeUp:
        def snapshots(self, row):
            result = []
            for accuracy in ours[row.hidden]:
                right = np.arange(10_000) < accuracy * 10_000
                result.append(Snapshot(1.0, accuracy, np.zeros(10_000, np.int64), right, None))
            return result

    images = SimpleNamespace(validation=range(1000), test=range(10_000))
    rows = [protocol.Row(10, 1e-3, hidden, 50.0, t, t, (0, 0)) for hidden, t in torch.items()]
    monkeypatch.setattr("twolayer_ext.study.part_two.ROWS", rows)
    return compare(MadeUp(), images)


def test_verdicts_on_rows(monkeypatch):
    ours = {(1,): (0.50, 0.51, 0.52), (2,): (0.50, 0.51, 0.52), (3,): (0.50, 0.51, 0.52)}
    rows = made_up_rows(monkeypatch, ours, {(1,): 51.5, (2,): 60.0, (3,): 10.0})
    assert [row.test.within for row in rows] == [True, False, False]
    assert [row.settled for row in rows] == [True, True, False]
    assert [row.comparable for row in rows] == [True, True, False]  # the third: one net asleep
    strict = strict_errors(rows, "test")
    error = 0.01 * math.sqrt(4 / 3)
    assert strict[:2] == pytest.approx([-0.005 / error, -0.09 / error])
    assert math.isnan(strict[2])  # a net asleep is not compared


# why the dead net is dead


def test_the_signal_dies_with_small_weights_and_lives_with_hes(data):
    small = fresh_signal(data, protocol.DEAD, 1e-3)
    he = fresh_signal(data, protocol.DEAD, "he")
    assert len(small.outputs) == 6
    assert len(small.gradients) == len(small.decays) == 5
    assert small.outputs[0] == he.outputs[0] > 0.1
    assert small.outputs[-1] < 1e-8
    assert he.outputs[-1] > 0.1
    assert all(decay > 100 * g for g, decay in zip(small.gradients, small.decays, strict=True))
    assert all(g > decay for g, decay in zip(he.gradients, he.decays, strict=True))
    assert small.decays == pytest.approx([1e-6] * 5, rel=0.1)


# the report


def test_documents_escape_and_align():
    blocks = [
        Paragraph("a < b & `c < d` and *so* on"),
        Table(["name", "many\nlines"], [["x|y", "1.0"], ["z", "10.0"]], caption="note"),
    ]
    page = as_html("T<", blocks)
    assert "<p>a &lt; b &amp; <code>c &lt; d</code> and <em>so</em> on</p>" in page
    assert '<td class="left">x|y</td><td>1.0</td>' in page
    assert "<title>T&lt;</title>" in page
    assert as_markdown(blocks, "f") == (
        "a < b & `c < d` and *so* on\n\n"
        "| name | many lines |\n| :--- | ---------: |\n| x\\|y |        1.0 |\n"
        "| z    |       10.0 |\n\n*note*\n"
    )


def assert_whole_report(folder: Path) -> dict:
    """Check what every report holds; return its results.json."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 8
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    for outside in ("http", "<script", "<link", "url("):
        assert outside not in page
    pictures = re.findall(r"\]\((figures/[a-z-]+\.png)\)", markdown)
    assert {folder / name for name in pictures} == set((folder / "figures").iterdir())
    for name in pictures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    # The code in it is the twin's own, line by line.
    rooms = [Path(room.__file__).parent for room in (tl.reference, tl.losses, tl.optimizers)]
    files = [path for room in rooms for path in room.glob("*.py")]
    twin = "".join(path.read_text(encoding="utf-8") for path in files)
    blocks = re.findall(r"```python\n(.*?)```", markdown, re.S)
    assert len(blocks) == 6
    for line in "\n".join(blocks).splitlines():
        assert line in twin
    for text in (page, markdown):
        for finding in study_check.toy_check():
            assert finding.what in text
    prose = re.sub(r"```python\n.*?```", "", markdown, flags=re.S)
    assert not re.search(r"\b(nan|None|inf)\b", prose)
    results = json.loads((folder / "results.json").read_text())
    assert len(results["part_two"]) == 15
    return results


def test_the_command_writes_a_quick_report(cifar10, tmp_path, capsys):
    out = tmp_path / "deep" / "report"
    arguments = ["--data", str(cifar10), "--out", str(out), "--quick"]
    assert main(["study", *arguments, "--compute-dtype", "bfloat16"]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert "for all runs in bfloat16" in output
    assert "report.html" in output
    assert output.count("[128, 256] at 0.001") == 2  # both numbers of epochs
    results = assert_whole_report(out)
    assert results["quick"]
    assert results["compute_dtype"] == "bfloat16"
    assert results["seeds"] == [0]
    markdown = (out / "report.md").read_text(encoding="utf-8")
    assert "12 training runs in bfloat16" in markdown
    assert "Nothing here compares" in (out / "report.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in out.iterdir()) == [
        "figures",
        "report.html",
        "report.md",
        "results.json",
    ]


def test_three_seeds_of_made_up_images(data, tmp_path):
    scale = protocol.Scale(quick=False, seeds=(0, 1, 2), steps=20, epochs={10: 2, 30: 4})
    finished: list[TrainedNet] = []
    study = run_study(data, scale, finished=finished.append)
    assert len(finished) == 2 + 8 * 3 + 1 + 3 == len(study.runs)
    assert study.compute_dtype == "float32"
    for row in ROWS:
        assert len(study.snapshots(row)) == 3
    run = study.adam[(128, 256), 1e-3][1]
    assert run.plan.seed == 1
    # The same as a run on its own, whatever ran beside it.
    options = tl.recipes.study_adam(epochs=4)
    alone = tl.train(data.training.x, data.training.y, **options, seed=1).network
    np.testing.assert_array_equal(alone.predict(data.test.x), run.last.predictions)
    assert run.last.training == alone.evaluate(data.training.x, data.training.y)[1]
    assert run.last.test == alone.evaluate(data.test.x, data.test.y)[1]
    assert set(run.snapshots) == {2, 4}
    assert run.snapshots[2].training is None
    names = report.write_report(study, data, tmp_path)
    assert names[-1] == "results.json"
    results = assert_whole_report(tmp_path)
    assert not results["quick"]
    first = results["part_two"][0]
    assert len(first["test"]["ours"]) == 3
    assert first["test"]["ours"][0] == study.adam[(64,), 1e-3][0].snapshots[2].test
    assert "within two standard errors of" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_runs_in_bfloat16_are_those_of_train(data):
    scale = protocol.Scale(quick=False, seeds=(3,), steps=5, epochs={10: 1, 30: 2})
    study = run_study(data, scale, compute_dtype="bfloat16")
    assert study.compute_dtype == "bfloat16"
    (run,) = study.adam[(128, 256), 1e-3]
    options = tl.recipes.study_adam(epochs=2)
    for compute_dtype, same in (("bfloat16", True), ("float32", False)):
        alone = tl.train(
            data.training.x, data.training.y, **options, seed=3, compute_dtype=compute_dtype
        )
        assert (alone.history["step_loss"] == run.history["step_loss"]) is same
    with pytest.raises(ValueError, match="compute_dtype: 'float64'; must be None or 'float32'"):
        run_study(data, scale, compute_dtype="float64")


@pytest.mark.parametrize(
    ("arguments", "instructions", "expected"),
    [
        ([], "native", "bfloat16"),
        ([], "emulated", "float32"),
        (["--compute-dtype", "auto"], "native", "bfloat16"),
        (["--compute-dtype", "float32"], "native", "float32"),
        (["--compute-dtype", "bfloat16"], "emulated", "bfloat16"),
    ],
)
def test_bfloat16_where_the_cpu_has_it(
    cifar10, tmp_path, monkeypatch, arguments, instructions, expected
):
    def spy(*_, compute_dtype, **__):
        seen.append(compute_dtype)
        raise KeyboardInterrupt

    seen: list[str] = []
    monkeypatch.setattr(command, "build_info", lambda: {"bfloat16": instructions})
    monkeypatch.setattr(command, "run_study", spy)
    line = ["study", "--data", str(cifar10), "--out", str(tmp_path / "out"), *arguments]
    assert main(line) == 130
    assert seen == [expected]


def test_without_matplotlib_nothing_is_trained(cifar10, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(command, "run_study", None)
    out = tmp_path / "out"
    assert main(["study", "--data", str(cifar10), "--out", str(out)]) == 2
    assert "twolayer-ext[plot]" in capsys.readouterr().err
    assert not out.exists()


def test_errors_are_one_line(cifar10, tmp_path, capsys):
    for arguments, part in (
        (["--data", str(tmp_path / "nowhere"), "--out", "out"], "nowhere"),
        (["--data", str(cifar10), "--out", str(cifar10 / "test_batch.bin")], "test_batch.bin"),
        (["--data", str(cifar10)], "--out"),
        (["--data", str(cifar10), "--out", "out", "--compute-dtype", "half"], "'half'"),
    ):
        assert main(["study", *arguments]) == 2
        errors = capsys.readouterr().err
        assert len(errors.splitlines()) == 1
        assert part in errors


def test_ctrl_c_is_status_130(cifar10, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_study", interrupted)
    assert main(["study", "--data", str(cifar10), "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "twolayer study: interrupted\n"


def test_the_quick_scale_is_a_small_one():
    assert QUICK.quick
    assert QUICK.epochs.keys() == FULL.epochs.keys() == {10, 30}
    assert all(QUICK.epochs[e] < e == FULL.epochs[e] for e in (10, 30))
