"""Writers of CIFAR-10's files, for tests that need a whole data set or a broken one."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from twolayer_ext.datasets import cifar10_layouts

CLASS_NAMES = [
    *["airplane", "automobile", "bird", "cat", "deer"],
    *["dog", "frog", "horse", "ship", "truck"],
]
SMALL_ROWS = 20


class PickleWriter:
    """Writes what Python 2's cPickle wrote with protocol 2, opcode for opcode."""

    def __init__(self) -> None:
        self.out = bytearray(b"\x80\x02}")
        self.memo = 0
        self.put()
        self.out += b"("

    def put(self) -> None:
        self.memo += 1
        self.out += b"q%c" % self.memo if self.memo < 256 else b"r" + struct.pack("<I", self.memo)

    def text(self, value: bytes, *, put: bool = True) -> None:
        self.out += b"U%c" % len(value) + value
        if put:
            self.put()

    def number(self, value: int) -> None:
        self.out += b"K%c" % value if value < 256 else b"M" + struct.pack("<H", value)

    def items(self, values: list, write: Callable) -> None:
        self.out += b"]"
        self.put()
        for start in range(0, len(values), 1000):
            self.out += b"("
            for value in values[start : start + 1000]:
                write(value)
            self.out += b"e"

    def array(self, pixels: np.ndarray, type_code: bytes = b"u1", order: bytes = b"\x89") -> None:
        self.out += b"cnumpy.core.multiarray\n_reconstruct\n"
        self.put()
        self.out += b"cnumpy\nndarray\n"
        self.put()
        self.out += b"K\0\x85U\x01b\x87R"
        self.put()
        self.out += b"(K\x01"
        for length in pixels.shape:
            self.number(length)
        self.out += b"\x86cnumpy\ndtype\n"
        self.put()
        self.out += b"U\x02" + type_code + b"K\0K\x01\x87R"
        self.put()
        minus_one = b"J\xff\xff\xff\xff"
        self.out += b"(K\x03U\x01|NNN" + minus_one + minus_one + b"K\0tb" + order
        self.out += b"T" + struct.pack("<i", pixels.nbytes) + pixels.tobytes()
        self.put()
        self.out += b"tb"

    def finish(self) -> bytes:
        return bytes(self.out + b"u.")


def pickled_batch(labels: np.ndarray, pixels: np.ndarray, labels_key: bytes = b"labels") -> bytes:
    writer = PickleWriter()
    writer.text(b"batch_label")
    writer.text(b"a batch for tests")
    writer.text(labels_key)
    writer.items(labels.tolist(), writer.number)
    writer.text(b"data")
    writer.array(pixels)
    writer.text(b"filenames")
    writer.items([b"picture_%05d.png" % i for i in range(len(labels))], writer.text)
    return writer.finish()


def cifar100_batch(labels: np.ndarray, pixels: np.ndarray) -> bytes:
    """One of CIFAR-100's two, with its own keys."""
    writer = PickleWriter()
    writer.text(b"filenames")
    writer.items([b"picture_s_%06d.png" % i for i in range(len(labels))], writer.text)
    writer.text(b"batch_label")
    writer.text(b"training batch 1 of 1")
    for key, values in ((b"fine_labels", labels), (b"coarse_labels", labels // 5)):
        writer.text(key)
        writer.items(values.tolist(), writer.number)
    writer.text(b"data")
    writer.array(pixels)
    return writer.finish()


def pickled_meta(names: list[str], key: bytes = b"label_names") -> bytes:
    writer = PickleWriter()
    writer.text(b"num_cases_per_batch")
    writer.number(10_000)
    writer.text(key)
    writer.items([name.encode() for name in names], writer.text)
    writer.text(b"num_vis")
    writer.number(3072)
    return writer.finish()


class Cifar10Writer:
    """Random images in both layouts."""

    class_names = CLASS_NAMES
    pickled_batch = staticmethod(pickled_batch)
    pickled_meta = staticmethod(pickled_meta)
    cifar100_batch = staticmethod(cifar100_batch)

    def content(self, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (6 * rows, 3072) and labels (6 * rows,) of all batches, no two alike."""
        rng = np.random.default_rng(seed)
        first = rng.integers(0, 256, (rows, 3072), np.uint8)
        pixels = np.concatenate([first + np.uint8(batch) for batch in range(6)])
        return pixels, rng.integers(0, 10, 6 * rows).astype(np.uint8)

    def write(self, parent: Path, layout: str, rows: int = SMALL_ROWS, seed: int = 0) -> Path:
        """Write a layout ("py" or "bin") below `parent`; return its folder."""
        folder = parent / f"cifar-10-batches-{layout}"
        folder.mkdir(parents=True)
        pixels, labels = self.content(rows, seed)
        for batch in range(6):
            part = slice(batch * rows, (batch + 1) * rows)
            stem = f"data_batch_{batch + 1}" if batch < 5 else "test_batch"
            if layout == "py":
                (folder / stem).write_bytes(pickled_batch(labels[part], pixels[part]))
            else:
                records = np.column_stack([labels[part], pixels[part]])
                (folder / f"{stem}.bin").write_bytes(records.tobytes())
        if layout == "py":
            (folder / "batches.meta").write_bytes(pickled_meta(CLASS_NAMES))
        else:
            (folder / "batches.meta.txt").write_text("\n".join(CLASS_NAMES) + "\n\n")
        return folder


@pytest.fixture
def cifar10_writer() -> Cifar10Writer:
    return Cifar10Writer()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let a batch have 20 rows instead of 10,000."""
    monkeypatch.setattr(cifar10_layouts, "BATCH_ROWS", SMALL_ROWS)
    return SMALL_ROWS


@pytest.fixture(scope="session")
def real_cifar10() -> Path:
    """Folder that holds CIFAR-10 in both layouts."""
    folder = os.environ.get("TWOLAYER_CIFAR10")
    if not folder:
        pytest.skip(
            "set TWOLAYER_CIFAR10 to a folder that holds cifar-10-batches-py and "
            "cifar-10-batches-bin, from https://www.cs.toronto.edu/~kriz/cifar.html"
        )
    return Path(folder)
