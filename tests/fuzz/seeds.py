"""Right files of every kind, the seeds of the corpus; `python -m fuzz.seeds` writes them."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fuzz.readers import CORPUS, JOURNAL_HEADER, as_file
from twolayer_ext import Network, losses, train
from twolayer_ext.datasets.cifar10 import CLASS_NAMES
from twolayer_ext.files.safetensors import write_safetensors

PIXELS = np.arange(3072, dtype=np.uint8)[None]


def npy(values: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version, allow_pickle=False)
    return stream.getvalue()


def npz(save: Callable[..., None] = np.savez) -> bytes:
    stream = io.BytesIO()
    x = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    save(stream, x=x, y=np.array([0, 1, 1, 2]), class_names=np.array(["a", "b", "c"]))
    return stream.getvalue()


def network(sizes: tuple[int, ...], **options: Any) -> bytes:
    path = as_file(b"")
    Network(sizes, seed=0, **options).save(path)
    return path.read_bytes()


def idx(shape: tuple[int, ...]) -> bytes:
    head = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    return head + bytes(i % 7 for i in range(int(np.prod(shape))))


def batch(protocol: int) -> bytes:
    batch = {"batch_label": "b", "labels": [3], "data": PIXELS, "filenames": ["p.png"]}
    return pickle.dumps(batch, protocol)


def tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue().rstrip(b"\0") + bytes(1024 + 512)


def archive(layout: str) -> bytes:
    stems = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    if layout == "py":
        files = {f"cifar-10-batches-py/{stem}": batch(2) for stem in stems}
        meta = pickle.dumps({"label_names": list(CLASS_NAMES)}, 2)
        return tar(files | {"cifar-10-batches-py/batches.meta": meta})
    files = {f"cifar-10-batches-bin/{stem}.bin": b"\3" + PIXELS.tobytes() for stem in stems}
    meta = "\n".join(CLASS_NAMES).encode()
    return tar(files | {"cifar-10-batches-bin/batches.meta.txt": meta})


def journal() -> bytes:
    run = {
        "config": {"hidden_sizes": [4], "learning_rate": 0.1},
        "epochs": 1,
        "score_name": "accuracy",
        "number": 0,
        **dict.fromkeys(("val_score", "val_loss", "score", "seconds"), 0.5),
    }
    lines = (JOURNAL_HEADER, run, run | {"val_loss": None})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def safetensors(arrays: dict[str, np.ndarray], **metadata: str) -> bytes:
    path = as_file(b"")
    write_safetensors(path, arrays, metadata)
    return path.read_bytes()


def checkpoint(**options: Any) -> bytes:
    path = as_file(b"")
    path.unlink()
    x = np.arange(12, dtype=np.uint8).reshape(6, 2)
    y = np.array(["a", "b"] * 3)
    common: dict[str, Any] = {"hidden_sizes": (2,), "batch_size": 2, "epochs": 2, "seed": 0}
    train(x, y, checkpoint=path, progress=False, threads=1, **(common | options))
    return path.read_bytes()


def compressed(content: bytes) -> bytes:
    """As the published archives are."""
    return gzip.compress(content, 9, mtime=0)


def seeds() -> Iterator[tuple[str, str, bytes]]:
    """Yield reader, name and content."""
    arrays = {
        "uint8": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "float": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.eye(3)),
        "big_endian": np.arange(3, dtype=">i4"),
        "text": np.array(["one", "two"]),
        "empty": np.zeros((0, 3)),
    }
    for name, values in arrays.items():
        for reader in ("npy", "npy_stream"):
            yield reader, name, npy(values)
    yield "npy", "version_2", npy(arrays["uint8"], (2, 0))
    yield "npz", "stored", npz()
    yield "npz", "compressed", npz(np.savez_compressed)
    yield "network", "float32", network((2, 3))
    yield "network", "float64", network((2, 2, 1), loss=losses.Quantile([0.5]), dtype="float64")
    for reader in ("idx", "idx_gzip"):
        yield reader, "pair", b"\x0a" + idx((2, 2, 2)) + idx((2,))
        yield reader, "flat", b"\x0b" + idx((3, 2)) + idx((3,))
    images, labels = (gzip.compress(idx(shape), mtime=0) for shape in ((2, 2, 2), (2,)))
    yield "idx", "gzipped", bytes([len(labels)]) + images + labels
    for protocol in (2, 3, 4):
        small = {"label_names": list(CLASS_NAMES), "num_vis": 3072, "data": PIXELS[:, :4]}
        yield "pickle", f"meta_{protocol}", pickle.dumps(small, protocol)
        yield "pickled_batch", f"protocol_{protocol}", batch(protocol)
    yield "tar", "files", tar({"a/b": b"content", "c": bytes(600)})
    yield "tar", "empty", bytes(1024)
    yield "cifar10_archive", "records_gzipped", compressed(archive("bin"))
    yield "cifar10_archive", "pickles_gzipped", compressed(archive("py"))
    yield "cifar10_archive", "nothing", bytes(1024)
    yield "journal", "runs", journal()
    yield "safetensors", "two", safetensors({"a": arrays["float"], "b": arrays["uint8"]}, c="d")
    yield (
        "safetensors",
        "types",
        safetensors({"a": np.ones((), bool), "b": np.zeros((0, 2), "<i8")}),
    )
    yield "checkpoint", "sgd", checkpoint(optimizer="sgd", schedule=lambda step, steps: 1.0)
    yield "checkpoint", "best", checkpoint(validation_fraction=0.34, early_stopping=1)
    yield "checkpoint", "norm", checkpoint(batch_norm=True, average_epochs=1)


def main() -> None:
    """Write them."""
    for reader, name, content in seeds():
        folder = CORPUS / reader
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
