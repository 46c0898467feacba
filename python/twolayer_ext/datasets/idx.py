"""IDX files, the format of MNIST and its relatives, plain or gzipped.

The format (LeCun, Cortes, Burges: the MNIST database): two zero bytes, a type code (8 for unsigned
bytes), the number of dimensions, each dimension as a big-endian 32-bit number, then the values.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.datasets.dataset import Dataset, names_of_labels
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.reading import (
    GZIP_ERRORS,
    check_shape,
    file_size,
    fill,
    gunzip,
    is_gzip,
    open_regular,
    read_growing,
)

_UNSIGNED_BYTE = 8
_MAX_DIMENSIONS = 4
# A small gzip file can claim and hold any number of zeros; above this it has to be unpacked first.
_MAX_UNZIPPED = 1 << 32


def load_idx(images: str | os.PathLike[str], labels: str | os.PathLike[str]) -> Dataset:
    """Read a pair of IDX files: MNIST, Fashion-MNIST and what else has their format.

    Parameters
    ----------
    images : path
        File of unsigned bytes with 2 to 4 dimensions, the first the number of images; plain or
        gzipped, told apart by content.
    labels : path
        File of unsigned bytes with one dimension of the same length.

    Returns
    -------
    Dataset
        x uint8 (n, d); y int64 (n,); image_shape is the file's dimensions after the first, such
        as ``(28, 28)``; the class names are the labels.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    FileFormatError
        If a file is damaged, truncated, longer than its header says, or holds other than unsigned
        bytes, or if the two do not belong together.

    Notes
    -----
    A plain file's size is compared with its header before anything is allocated. From a gzipped
    one memory is taken only as data really arrives, up to the size in the header, 4 GiB at most.
    """
    pixels = _read(Path(images))
    classes = _read(Path(labels))
    if pixels.ndim == 1 and classes.ndim > 1:
        raise FileFormatError(f"{images}: holds labels, and {labels} images; swap them")
    if pixels.ndim == 1:
        raise FileFormatError(f"{images}: has one dimension; images have two to four")
    if classes.ndim != 1:
        raise FileFormatError(f"{labels}: has {classes.ndim} dimensions; labels have one")
    if len(pixels) != len(classes):
        raise FileFormatError(
            f"{labels}: {len(classes)} labels for the {len(pixels)} images of {images}"
        )
    if pixels.size == 0:
        raise FileFormatError(f"{images}: holds no pixels")
    y = classes.astype(np.int64)
    return Dataset(
        pixels.reshape(len(pixels), -1),
        y,
        names_of_labels(y),
        pixels.shape[1:] if pixels.ndim > 2 else None,
        Path(images).name,
    )


def _read(path: Path) -> NDArray[np.uint8]:
    with open_regular(path) as file:
        if not is_gzip(file):
            stream = cast(BinaryIO, file)
            shape, header_bytes = _read_header(stream, path)
            actual = file_size(file) - header_bytes
            if actual != math.prod(shape):
                raise _wrong_size(path, shape, f"{actual} follow")
            values = np.empty(shape, np.uint8)
            if fill(stream, values.reshape(-1).data) != actual:
                raise FileFormatError(f"{path}: became shorter while it was read")
            return values
        try:
            return _read_gzip(gunzip(file), path)
        except GZIP_ERRORS as error:
            raise FileFormatError(f"{path}: damaged or truncated: {error}") from error


def _read_gzip(stream: BinaryIO, path: Path) -> NDArray[np.uint8]:
    shape, _ = _read_header(stream, path)
    expected = math.prod(shape)
    if expected > _MAX_UNZIPPED:
        raise FileFormatError(f"{path}: claims {expected} bytes; unpack it first if that is true")
    content = read_growing(stream, expected + 1)
    if len(content) != expected:
        follow = "more follow" if len(content) > expected else f"{len(content)} follow"
        raise _wrong_size(path, shape, follow)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_header(stream: BinaryIO, path: Path) -> tuple[tuple[int, ...], int]:
    """Shape the header tells, and the header's length in bytes."""
    magic = stream.read(4)
    if len(magic) != 4 or magic[:2] != b"\0\0":
        raise FileFormatError(f"{path}: does not begin as an IDX file does")
    if magic[2] != _UNSIGNED_BYTE:
        raise FileFormatError(f"{path}: has values of type code {magic[2]}; 8 (bytes) is needed")
    if not 1 <= magic[3] <= _MAX_DIMENSIONS:
        raise FileFormatError(f"{path}: has {magic[3]} dimensions; 1 to 4 are needed")
    lengths = stream.read(4 * magic[3])
    if len(lengths) != 4 * magic[3]:
        raise FileFormatError(f"{path}: ends inside its header; truncated")
    shape = struct.unpack(f">{magic[3]}I", lengths)
    check_shape(shape, 1, str(path))
    return shape, 4 + len(lengths)


def _wrong_size(path: Path, shape: tuple[int, ...], follow: str) -> FileFormatError:
    return FileFormatError(
        f"{path}: the header says {' x '.join(map(str, shape))} bytes, but {follow}; "
        "truncated or damaged"
    )
