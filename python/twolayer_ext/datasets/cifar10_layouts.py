"""What the files of CIFAR-10's two published layouts are called, and how one is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.datasets.restricted_pickle import read_pickle
from twolayer_ext.errors import FileFormatError

BATCH_ROWS = 10_000
TRAIN_BATCHES = 5
FEATURES = 3072
RECORD_BYTES = 1 + FEATURES
IS_CIFAR100 = "this is CIFAR-100; load_cifar10 reads CIFAR-10"

_CIFAR100_KEYS = {"fine_labels", "coarse_labels", "fine_label_names", "coarse_label_names"}
_MAX_META_BYTES = 64 * 1024
# Pixels, label and file name take about 3,100 bytes a row in the published pickles.
_MAX_PICKLED_ROW = 4096

_Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


@dataclass(frozen=True)
class Layout:
    """One of the two layouts.

    Attributes
    ----------
    folder : str
        The folder the published archive unpacks to.
    batches : tuple of str
        The five training files in order, then the test file.
    meta : str
        The file with the class names.
    check_batch_size : callable
        ``(bytes, source)``: raises FileFormatError if no batch has that size.
    parse_batch : callable
        ``(content, source) -> (pixels uint8 (n, 3072), labels int64 (n,))``; both may be views of
        the content.
    parse_meta : callable
        ``(content, source) -> class names``.
    """

    folder: str
    batches: tuple[str, ...]
    meta: str
    check_batch_size: Callable[[int, str], None]
    parse_batch: Callable[[memoryview, str], _Batch]
    parse_meta: Callable[[memoryview, str], tuple[str, ...]]

    @property
    def files(self) -> tuple[str, ...]:
        """All files of the layout."""
        return (*self.batches, self.meta)

    def check_size(self, name: str, size: int, source: str) -> None:
        """Raise FileFormatError if the file `name` cannot have `size` bytes."""
        if name != self.meta:
            self.check_batch_size(size, source)
        elif size > _MAX_META_BYTES:
            raise FileFormatError(f"{source}: {size} bytes; ten class names take far less")


def max_file_bytes() -> int:
    """Return the most bytes any file of either layout may have."""
    return max(BATCH_ROWS * _MAX_PICKLED_ROW, _MAX_META_BYTES)


def _check_pickle_size(size: int, source: str) -> None:
    if size > BATCH_ROWS * _MAX_PICKLED_ROW:
        raise FileFormatError(
            f"{source}: {size} bytes; a batch of CIFAR-10 has about {BATCH_ROWS * 3100}"
        )


def _read_cifar10_pickle(content: memoryview, source: str) -> dict[str, object]:
    result = read_pickle(content, source)
    if not _CIFAR100_KEYS.isdisjoint(result):
        raise FileFormatError(f"{source}: {IS_CIFAR100}")
    return result


def _parse_pickled_batch(content: memoryview, source: str) -> _Batch:
    batch = _read_cifar10_pickle(content, source)
    pixels, labels = batch.get("data"), batch.get("labels")
    if not isinstance(pixels, np.ndarray) or pixels.shape != (BATCH_ROWS, FEATURES):
        raise FileFormatError(
            f"{source}: 'data' is not an array of {BATCH_ROWS} x {FEATURES} bytes"
        )
    if not isinstance(labels, list) or len(labels) != BATCH_ROWS:
        raise FileFormatError(f"{source}: 'labels' is not a list of {BATCH_ROWS} labels")
    if not all(type(label) is int for label in labels):
        raise FileFormatError(f"{source}: 'labels' holds something that is not a whole number")
    return pixels, np.array(labels, np.int64)


def _parse_pickled_meta(content: memoryview, source: str) -> tuple[str, ...]:
    names = _read_cifar10_pickle(content, source).get("label_names")
    if not isinstance(names, list):
        raise FileFormatError(f"{source}: 'label_names' is not a list")
    return tuple(
        name.decode("latin-1") if isinstance(name, bytes) else name if isinstance(name, str) else ""
        for name in names
    )


def _check_records_size(size: int, source: str) -> None:
    if size in (BATCH_ROWS * (RECORD_BYTES + 1), TRAIN_BATCHES * BATCH_ROWS * (RECORD_BYTES + 1)):
        raise FileFormatError(f"{source}: has records of {RECORD_BYTES + 1} bytes; {IS_CIFAR100}")
    if size != BATCH_ROWS * RECORD_BYTES:
        raise FileFormatError(
            f"{source}: {size} bytes; {BATCH_ROWS} records of {RECORD_BYTES} bytes are "
            f"{BATCH_ROWS * RECORD_BYTES}: truncated, or not CIFAR-10"
        )


def _parse_records(content: memoryview, source: str) -> _Batch:
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _parse_text_meta(content: memoryview, source: str) -> tuple[str, ...]:
    return tuple(bytes(content).decode("latin-1").split())


_STEMS = (*(f"data_batch_{i}" for i in range(1, TRAIN_BATCHES + 1)), "test_batch")

PICKLED = Layout(
    "cifar-10-batches-py",
    _STEMS,
    "batches.meta",
    _check_pickle_size,
    _parse_pickled_batch,
    _parse_pickled_meta,
)
RECORDS = Layout(
    "cifar-10-batches-bin",
    tuple(f"{stem}.bin" for stem in _STEMS),
    "batches.meta.txt",
    _check_records_size,
    _parse_records,
    _parse_text_meta,
)
LAYOUTS = (PICKLED, RECORDS)
