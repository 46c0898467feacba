"""CIFAR-10 (Krizhevsky, 2009) in both layouts its author publishes, unpacked or as .tar.gz."""

from __future__ import annotations

import io
import itertools
import mmap
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from twolayer_ext.datasets import cifar10_layouts
from twolayer_ext.datasets.cifar10_layouts import (
    FEATURES,
    IS_CIFAR100,
    LAYOUTS,
    RECORD_BYTES,
    TRAIN_BATCHES,
    Layout,
    max_file_bytes,
)
from twolayer_ext.datasets.dataset import Dataset
from twolayer_ext.datasets.tar_stream import regular_members
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.reading import (
    GZIP_ERRORS,
    file_size,
    fill,
    gunzip,
    is_gzip,
    open_regular,
)

IMAGE_SHAPE = (3, 32, 32)
CLASS_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)

_HOW_TO_GET = (
    "twolayer_ext.datasets.fetch_cifar10() downloads CIFAR-10, "
    "and by hand it is at https://www.cs.toronto.edu/~kriz/cifar.html"
)
_CIFAR100_FOLDERS = ("cifar-100-python", "cifar-100-binary")
_CIFAR100_FILES = (("train", "test", "meta"), ("train.bin", "test.bin"))
# What the published archives hold besides the batches: a page of HTML and headers.
_ARCHIVE_EXTRA_BYTES = 16 << 20


def load_cifar10(path: str | os.PathLike[str]) -> tuple[Dataset, Dataset]:
    """Read CIFAR-10 from disk.

    Parameters
    ----------
    path : path
        The folder ``cifar-10-batches-py`` (pickles) or ``cifar-10-batches-bin`` (plain records),
        a folder that contains one of them, or the published archive of either
        (``cifar-10-python.tar.gz``, ``cifar-10-binary.tar.gz``), which is read in one pass
        without being unpacked. Where both layouts are present the pickles are read; the result
        is the same.

    Returns
    -------
    train, test : Dataset
        50,000 and 10,000 images: x uint8 (n, 3072), the red, green and blue planes row by row
        (image_shape ``(3, 32, 32)``); y int64 (n,), in the order of the files.

    Raises
    ------
    FileNotFoundError
        If a file is missing; the message says which, and how to get the data.
    FileFormatError
        If a file is damaged, truncated or hostile, holds labels outside 0 to 9, or is CIFAR-100.

    Notes
    -----
    The pickles never reach Python's pickle module: `restricted_pickle` reads them, and builds
    nothing but lists, strings, numbers and one uint8 array. Beyond the result no more than one
    batch's bytes (31 MB) are held in memory.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; {_HOW_TO_GET}")
    with open_regular(path) as file:
        if is_gzip(file):
            try:
                return _read_archive(gunzip(file), str(path))
            except GZIP_ERRORS as error:
                raise FileFormatError(f"{path}: damaged or truncated: {error}") from error
        if _is_cifar100(file):
            raise FileFormatError(f"{path}: {IS_CIFAR100}")
        raise FileFormatError(
            f"{path}: is not a .tar.gz archive; name the archive of CIFAR-10 or the folder it "
            "unpacks to"
        )


def _read_folder(path: Path) -> tuple[Dataset, Dataset]:
    folder, layout = _find_layout(path)
    missing = [name for name in layout.files if not (folder / name).exists()]
    if missing:
        raise FileNotFoundError(f"{folder}: {', '.join(missing)} missing; {_HOW_TO_GET}")
    collector = _Collector(layout)
    for name in layout.files:
        source = str(folder / name)
        with open_regular(folder / name) as file:
            size = file_size(file)
            try:
                target = collector.room(name, size, source)
            except FileFormatError:
                if _is_cifar100(file):
                    raise FileFormatError(f"{source}: {IS_CIFAR100}") from None
                raise
            if fill(file, target) != size:
                raise FileFormatError(f"{source}: became shorter while it was read")
        collector.add(name, target, source)
    return collector.datasets()


def _find_layout(path: Path) -> tuple[Path, Layout]:
    """Folder with the files of a layout (`path` or one below it), and that layout."""
    for layout in LAYOUTS:
        for folder in (path, path / layout.folder):
            if any((folder / name).exists() for name in layout.files):
                return folder, layout
    if any((path / folder).is_dir() for folder in _CIFAR100_FOLDERS):
        raise FileFormatError(f"{path}: {IS_CIFAR100}")
    for name in itertools.chain(*_CIFAR100_FILES):
        if (path / name).is_file():
            with open_regular(path / name) as file:
                if _is_cifar100(file):
                    raise FileFormatError(f"{path}: {IS_CIFAR100}")
    raise FileNotFoundError(
        f"{path}: holds neither {' nor '.join(layout.folder for layout in LAYOUTS)}; {_HOW_TO_GET}"
    )


def _read_archive(stream: BinaryIO, source: str) -> tuple[Dataset, Dataset]:
    collector: _Collector | None = None
    names = set()
    max_bytes = (TRAIN_BATCHES + 1) * max_file_bytes() + _ARCHIVE_EXTRA_BYTES
    for member in regular_members(stream, source, max_bytes=max_bytes):
        *folders, name = member.name.split("/")
        names.add(name)
        if any(folder in _CIFAR100_FOLDERS for folder in folders):
            raise FileFormatError(f"{source}: {IS_CIFAR100}")
        if collector is None:
            layout = next((layout for layout in LAYOUTS if name in layout.files), None)
            collector = _Collector(layout) if layout else None
        if collector is not None and name in collector.missing:
            inner = f"{source}: {member.name}"
            target = collector.room(name, member.size, inner)
            member.read_into(target)
            collector.add(name, target, inner)
    if collector is None and any(names.issuperset(files) for files in _CIFAR100_FILES):
        raise FileFormatError(f"{source}: {IS_CIFAR100}")
    if collector is None:
        raise FileFormatError(f"{source}: holds none of the files of CIFAR-10")
    if collector.missing:
        raise FileFormatError(f"{source}: holds no {', '.join(collector.missing)}")
    return collector.datasets()


def _is_cifar100(file: io.FileIO) -> bool:
    """Whether a file of unknown kind is one of CIFAR-100's."""
    size = file_size(file)
    if size and size % (cifar10_layouts.BATCH_ROWS * (RECORD_BYTES + 1)) == 0:
        return True
    if not size:
        return False
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # Each of its pickles (train, test, meta) names fine_labels or fine_label_names.
        return content[:1] == b"\x80" and content.find(b"fine_label") >= 0


class _Collector:
    """The arrays being filled, file by file, in whatever order the files come."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.missing = list(layout.files)
        rows = cifar10_layouts.BATCH_ROWS
        self._train_x = np.empty((TRAIN_BATCHES * rows, FEATURES), np.uint8)
        self._train_y = np.empty(TRAIN_BATCHES * rows, np.int64)
        self._test_x = np.empty((rows, FEATURES), np.uint8)
        self._test_y = np.empty(rows, np.int64)
        # One buffer serves all files; its pages become real only as far as files fill them.
        self._buffer = memoryview(bytearray(max_file_bytes()))

    def room(self, name: str, size: int, source: str) -> memoryview:
        """Where to put the `size` bytes of the file `name`, if it may have that many."""
        self.layout.check_size(name, size, source)
        return self._buffer[:size]

    def add(self, name: str, content: memoryview, source: str) -> None:
        """Take over what the file `name` holds."""
        self.missing.remove(name)
        if name == self.layout.meta:
            if self.layout.parse_meta(content, source) != CLASS_NAMES:
                raise FileFormatError(f"{source}: the class names are not those of CIFAR-10")
            return
        pixels, labels = self.layout.parse_batch(content, source)
        wrong = np.flatnonzero((labels < 0) | (labels >= len(CLASS_NAMES)))
        if wrong.size:
            raise FileFormatError(
                f"{source}: label {labels[wrong[0]]} in row {wrong[0]}; "
                f"labels are 0 to {len(CLASS_NAMES) - 1}"
            )
        index = self.layout.batches.index(name)
        if index == TRAIN_BATCHES:
            self._test_x[:], self._test_y[:] = pixels, labels
        else:
            rows = slice(index * len(labels), (index + 1) * len(labels))
            self._train_x[rows], self._train_y[rows] = pixels, labels

    def datasets(self) -> tuple[Dataset, Dataset]:
        return (
            Dataset(self._train_x, self._train_y, CLASS_NAMES, IMAGE_SHAPE, "CIFAR-10 train"),
            Dataset(self._test_x, self._test_y, CLASS_NAMES, IMAGE_SHAPE, "CIFAR-10 test"),
        )
