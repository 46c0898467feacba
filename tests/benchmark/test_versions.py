"""Two versions in turns: what is kept of one, who is called faster, what goes wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from twolayer_ext.benchmark.cases import CASES
from twolayer_ext.benchmark.versions import snapshot
from twolayer_ext.benchmark.versions.contest import (
    CONFIDENCE,
    FEWEST_ROUNDS,
    Comparison,
    VersionError,
    compare,
    ranks_cut,
)
from twolayer_ext.benchmark.versions.report import summary
from twolayer_ext.cli import main
from twolayer_ext.errors import FileFormatError

ROW = [case for case in CASES if case.name == "row"]
QUICK = {"rounds": FEWEST_ROUNDS, "seconds": 0.001, "say": lambda text: None}


def comparison(before, after):
    return Comparison(ROW[0], "float32", 1, before, after, True)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 8, 9, 15, 40])
def test_ranks_leave_out_as_many_as_the_confidence_allows(count):
    cut = ranks_cut(count)
    outside = 2 * stats.binom.cdf([cut, cut + 1], count, 0.5)
    assert outside[1] > 1 - CONFIDENCE
    assert (outside[0] <= 1 - CONFIDENCE) == (count >= FEWEST_ROUNDS)


def test_verdicts():
    rng = np.random.default_rng(0)
    noise = 1 + 0.02 * rng.random((2, 11))
    assert comparison(list(noise[0]), list(noise[1])).verdict == "level"
    faster = comparison(list(1.2 * noise[0]), list(noise[1]))
    slower = comparison(list(noise[0]), list(1.2 * noise[1]))
    assert faster.verdict == "faster"
    assert 1.1 < faster.interval[0] <= faster.ratio <= faster.interval[1] < 1.3
    assert slower.verdict == "slower"
    assert summary([faster, slower, slower]) == "1 faster, 0 level, 2 slower"


def test_what_nobody_would_notice_is_level():
    assert comparison([1.005] * 9, [1.0] * 9).verdict == "level"


def changed_version(folder, old, new):
    """Save this version and change its contenders."""
    snapshot.save(folder)
    path = folder / "twolayer_ext/benchmark/contenders.py"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return snapshot.check(folder)


PREDICT = '        """Return `Network.predict` of the raw rows."""\n'


def test_a_slow_version_is_found(tmp_path):
    slow = changed_version(
        tmp_path / "slow", PREDICT, PREDICT + "        import time; time.sleep(0.2)\n"
    )
    (forth,) = compare(slow, snapshot.running(), ROW, **QUICK)
    assert forth.verdict == "faster"
    assert forth.same_bits
    assert len(forth.before) == len(forth.after) == FEWEST_ROUNDS


def test_other_bits_are_found(tmp_path):
    digits = [case for case in CASES if case.name == "digits"]
    other = changed_version(tmp_path / "other", "reg=0.0,", "reg=1e-7,")
    (result,) = compare(other, snapshot.running(), digits, rows=320, **QUICK)
    assert not result.same_bits


def test_a_version_that_does_not_run(tmp_path, capfd):
    broken = changed_version(tmp_path / "broken", PREDICT, PREDICT + "        1 / 0\n")
    with pytest.raises(VersionError, match=r"broken: the version there ended with status 1"):
        compare(broken, snapshot.running(), ROW, **QUICK)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_version_that_is_wrong(tmp_path):
    wrong = changed_version(tmp_path / "wrong", '"sgd": 1e-4', '"sgd": -1.0')
    with pytest.raises(VersionError, match="wrong: row: wrong: loss"):
        compare(wrong, snapshot.running(), ROW, **QUICK)


def test_what_is_no_version_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="holds no version of this package"):
        snapshot.check(tmp_path)
    with pytest.raises(FileExistsError, match="must be a new folder"):
        snapshot.save(tmp_path)


def test_nothing_is_left_of_a_version_that_cannot_be_saved(tmp_path, monkeypatch):
    def fail(*arguments, **keywords):
        raise OSError("the disk is full")

    monkeypatch.setattr(snapshot.shutil, "copy2", fail)
    with pytest.raises(OSError, match="the disk is full"):
        snapshot.save(tmp_path / "version")
    assert not list(tmp_path.iterdir())


def test_command(tmp_path, capsys):
    assert main(["bench", "--save", str(tmp_path / "version")]) == 0
    assert "saved" in capsys.readouterr().out
    out = tmp_path / "versions.json"
    arguments = ["--compare", str(tmp_path / "version"), "--cases", "row", "--threads", "1"]
    main(["bench", *arguments, "--quick", "--rounds", "6", "--json", str(out)])
    printed = capsys.readouterr().out
    assert "row" in printed
    assert "the same" in printed
    (case,) = json.loads(out.read_text())["cases"]
    assert case["same_bits"] is True
    assert len(case["before"]) == 6
    assert case["verdict"] in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "a", "--peers"], "--peers: given; must be left out with --compare"),
        (["--save", "a", "--json", "b"], "--json: given; must be left out with --save"),
        (["--compare", "."], "holds no version of this package"),
    ],
)
def test_command_refuses(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err
