"""From the paths on the command line to rows, labels and how they are split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from twolayer_ext import datasets
from twolayer_ext.datasets import Dataset
from twolayer_ext.datasets.sklearn import SKLEARN_NAMES
from twolayer_ext.files.npy import map_npy, read_npz
from twolayer_ext.losses import Task
from twolayer_ext.rows import as_rows
from twolayer_ext.streams import Purpose, generator

EMBEDDED = "digits"
DIGITS_TRAINING = 1197
DIGITS_VALIDATION = 300
CIFAR10_TRAINING = 49_000
OTHER_VALIDATION_FRACTION = 0.1

SPLIT_HELP = f"""\
split:
  Digits: {DIGITS_TRAINING} training, {DIGITS_VALIDATION} validation, 300 test images: fixed.
  CIFAR-10: training images 0-48999, validation 49000-49999, test all 10,000 test images.
  Other data: a tenth of the rows, drawn by the seed, for validation; no test set.
  --validation-fraction, --validation-data and --test-data override this."""


@dataclass(frozen=True)
class Sources:
    """What the options brought to train on and to evaluate: views of the loaded rows."""

    training: Dataset
    validation: Dataset | None
    validation_fraction: float
    test: Dataset | None
    validation_option: str = "--data"  # where the validation set comes from
    test_option: str = "--data"

    def check(self, task: Task, features: int, dtype: str) -> None:
        """Raise what `train` and `evaluate` would, naming the option that the data came from.

        Raises
        ------
        ValueError, TypeError
            Data of other sizes or types than a network of this task, features and dtype takes.
        """
        for part, option in (
            (self.training, "--data"),
            (self.validation, self.validation_option),
            (self.test, self.test_option),
        ):
            if part is not None:
                as_rows(part.x, features=features, dtype=dtype, name=f"x of {option}")
                task.encode(part.y, rows=len(part), name=f"y of {option}")


def load_sources(
    data: Sequence[str],
    validation_data: Sequence[str],
    test_data: Sequence[str],
    validation_fraction: float | None,
    limit: int | None,
) -> Sources:
    """Load what ``twolayer train`` was told to, and split it as `SPLIT_HELP` says.

    Raises
    ------
    ValueError
        Arguments that exclude each other, or paths of no known form.
    FileFormatError, OSError
        A file is broken or missing.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"--limit: was {limit}; it should be 1 or more")
    if validation_data and validation_fraction is not None:
        raise ValueError("--validation-data and --validation-fraction: give one of them")

    loaded, test = _load(data)
    training, validation = loaded, None
    validation_option = test_option = "--data"
    if validation_data:
        validation_option = "--validation-data"
        validation = _load_evaluation_set(validation_data)
    elif validation_fraction is None:
        counts = {"digits": DIGITS_TRAINING, "cifar10": CIFAR10_TRAINING}
        split_at = counts.get(_form(data))
        if split_at is None:
            validation_fraction = OTHER_VALIDATION_FRACTION
        else:
            training, validation = loaded.part(0, split_at), loaded.part(split_at, None)
    if test_data:
        test_option = "--test-data"
        test = _load_evaluation_set(test_data)
    if limit is not None:
        training = training.part(0, limit)
    return Sources(
        training, validation, validation_fraction or 0.0, test, validation_option, test_option
    )


def is_digits(data: Sequence[str]) -> bool:
    """Whether the paths mean the embedded digits: none, or their name."""
    return not data or list(data) == [EMBEDDED]


def load_rows(data: Sequence[str]) -> tuple[NDArray[Any], Dataset | None]:
    """Load what ``twolayer predict`` reads: x, and the data set with its targets, if it has any.

    Besides all that `train` takes: one .npy file, and an .npz file or a folder without y. x has
    shape (rows, features): images are made rows.

    Raises
    ------
    ValueError
        Paths of no known form, or an array that does not hold rows.
    FileFormatError, OSError
        A file is broken or missing.
    """
    x = None
    if len(data) == 1 and data[0] not in (EMBEDDED, *SKLEARN_NAMES):
        x = _load_unlabelled(Path(data[0]))
    if x is None:
        labelled = _load_evaluation_set(data)
        return labelled.x, labelled
    if x.ndim < 2 or x.size == 0:
        raise ValueError(
            f"{data[0]}: x has shape {x.shape}; it should be (rows, features), none of them 0, or "
            "(images, height, width)"
        )
    return x.reshape(len(x), -1), None


def _load_unlabelled(path: Path) -> NDArray[Any] | None:
    """Load x if targets are missing; None if they are there, or this is data of another kind."""
    if path.suffix == ".npy":
        return map_npy(path)
    if path.suffix == ".npz":
        arrays = read_npz(path, ("x", "y"))
        return None if "y" in arrays else arrays.get("x")
    if (path / "x.npy").exists() and not (path / "y.npy").exists():
        return map_npy(path / "x.npy")
    return None


def _load_evaluation_set(data: Sequence[str]) -> Dataset:
    """Load the test set of CIFAR-10, all rows of other data."""
    if is_digits(data):
        return datasets.load_digits()
    training, test = _load(data)
    return training if test is None else test


def _form(data: Sequence[str]) -> str:
    """Tell the form of the data by its paths: digits, sklearn, cifar10, idx or arrays."""
    if is_digits(data):
        return "digits"
    if len(data) == 2:
        return "idx"
    if len(data) > 2:
        raise ValueError(f"{' '.join(data)}: {len(data)} paths; should be one, or two IDX files")
    if data[0] in SKLEARN_NAMES:
        return "sklearn"
    path = Path(data[0])
    if path.is_dir():
        arrays = any(entry.suffix == ".npy" for entry in path.iterdir())
        return "arrays" if arrays else "cifar10"
    if path.suffix == ".npz":
        return "arrays"
    if path.suffix in (".gz", ".tgz") and not path.name.endswith("ubyte.gz"):
        return "cifar10"
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    raise ValueError(
        f"{path}: is of no known form; it should be a folder, a .npz file, CIFAR-10's "
        ".tar.gz, or two IDX files: images and labels"
    )


def _load(data: Sequence[str]) -> tuple[Dataset, Dataset | None]:
    """Load (training and validation rows, test rows or None)."""
    form = _form(data)
    if form == "digits":
        digits = datasets.load_digits()
        # Always seed 0: the test images stay unseen whatever --seed says.
        order = generator(0, Purpose.SPLIT).permutation(len(digits))
        shuffled = replace(digits, x=digits.x[order], y=digits.y[order])
        end = DIGITS_TRAINING + DIGITS_VALIDATION
        return shuffled.part(0, end), shuffled.part(end, None)
    if form == "sklearn":
        return datasets.load_sklearn(data[0]), None
    if form == "cifar10":
        return datasets.load_cifar10(data[0])
    if form == "idx":
        return datasets.load_idx(data[0], data[1]), None
    return datasets.load_arrays(data[0]), None
