"""scikit-learn's own tests of its two classes, with the import changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import twolayer_ext

sklearn = pytest.importorskip("sklearn", "1.9")
THEIRS = Path(sklearn.__file__).parent
PACKAGE = str(Path(twolayer_ext.__file__).parents[1])
IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
# What is not ours to pass: it calls private methods.
LEFT_OUT = {"test_gradient": "calls _loss_grad_lbfgs with buffers for each layer"}


@pytest.mark.exhaustive
def test_theirs_pass(tmp_path):
    tests = THEIRS / "neural_network/tests/test_mlp.py"
    if not tests.is_file():
        pytest.skip("this scikit-learn comes without its tests")
    text = tests.read_text(encoding="utf-8")
    assert IMPORT in text
    changed = text.replace(IMPORT, IMPORT.replace("sklearn.neural_network", "twolayer_ext"))
    (tmp_path / "test_mlp.py").write_text(changed, encoding="utf-8")
    fixtures = (THEIRS / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(fixtures, encoding="utf-8")
    names = " and ".join(f"not {name}" for name in LEFT_OUT)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            names,
            "test_mlp.py",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PACKAGE, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(LEFT_OUT)} deselected" in done.stdout
