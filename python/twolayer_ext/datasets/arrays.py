"""Data sets as NumPy arrays on disk: a .npz file, or a folder of .npy files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.datasets.dataset import Dataset, names_of_labels
from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.npy import map_npy, read_npz

_NAMES = ("x", "y", "class_names")


def load_arrays(path: str | os.PathLike[str]) -> Dataset:
    """Read a data set from NumPy arrays on disk.

    Parameters
    ----------
    path : path
        A .npz file with arrays ``x``, ``y`` and, if wanted, ``class_names``; or a folder with
        ``x.npy``, ``y.npy`` and, if wanted, ``class_names.npy``. x has shape (n, ...) and any
        numeric dtype; y has shape (n,) or (n, columns) and is of what `train` takes: labels of any
        type, numbers. class_names has shape (c,) and text: a name for each label, or for the
        labels 0 to c - 1, of which y need not hold all.

    Returns
    -------
    Dataset
        x (n, d) in the dtype of the file, with image_shape ``x.shape[1:]`` if the file's x has more
        than two dimensions; y in the dtype of the file, a copy. Without class_names the labels are
        the names; where y holds no labels, there are none. x is a read-only memory map when the
        file is .npy, or .npz written without compression and aligned; a .npz member that is mapped
        is not compared with its checksum.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`, or a folder lacks x.npy or y.npy.
    FileFormatError
        If a file is damaged or truncated, an array is missing or holds Python objects (these would
        need a pickle, and are never loaded), or the arrays do not fit together.
    """
    path = Path(path)
    if path.is_dir():
        arrays = {
            name: map_npy(path / f"{name}.npy")
            for name in _NAMES
            if name != "class_names" or (path / f"{name}.npy").exists()
        }
    elif path.suffix == ".npy":
        raise FileFormatError(f"{path}: is one array; name the folder that holds x.npy and y.npy")
    else:
        arrays = read_npz(path, _NAMES)
    missing = [name for name in ("x", "y") if name not in arrays]
    if missing:
        raise FileFormatError(f"{path}: holds no array called {' or '.join(missing)}")
    x, y = arrays["x"], arrays["y"]
    y = np.array(y, y.dtype.newbyteorder("="))
    if x.ndim < 2 or x.size == 0:
        raise FileFormatError(f"{path}: x has shape {x.shape}; (n, d) or (n, ...) is needed")
    try:
        return Dataset(
            x.reshape(len(x), -1),
            y,
            _names(arrays.get("class_names"), y, path),
            x.shape[1:] if x.ndim > 2 else None,
            path.name,
        )
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: {error}") from error


def _names(names: NDArray[Any] | None, y: NDArray[Any], path: Path) -> tuple[str, ...]:
    if names is None:
        return names_of_labels(y)
    if names.dtype.kind != "U" or names.ndim != 1:
        raise FileFormatError(
            f"{path}: class_names is {names.dtype} of shape {names.shape}; (c,) text is needed"
        )
    return tuple(names.tolist())
