"""Reading samples by name or path; the file's ending says how."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from backlit.files import DAMAGE, not_opened, open_arrays, read_array
from backlit.sources.idx import read_idx

SAMPLE_KEYS = ("X", "images", "x", "data", "arr_0")
LABEL_KEYS = ("y", "labels", "target", "targets", "arr_1")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
HOW_PICTURES = "; put pictures into one array (N, H, W, C) of an .npy file first"


class Source(NamedTuple):
    """Samples, and labels where there are any."""

    X: np.ndarray
    y: np.ndarray | None


def read(name: str) -> Source:
    """Samples from a ``.npy``, ``.npz`` or idx file (``.gz`` too), or a data set's name.

    Parameters
    ----------
    name : str
        ``mnist`` for the carried test images, or a path. In an ``.npz`` the samples are under
        ``X``, ``images``, ``x``, ``data`` or ``arr_0``, or the only array. Images of whole
        numbers from 0 to 255 (uint8) are scaled to [0, 1].

    Raises
    ------
    FileNotFoundError
        If there is no such file or data set.
    OSError
        If it cannot be opened.
    ValueError
        If the file is damaged or not of a kind that is known.
    """
    if name == "mnist":
        from backlit.datasets import mnist

        return Source(*mnist())
    path = Path(name)
    if not name or not path.exists():
        raise FileNotFoundError(f"no data set and no file is named {name!r}")
    if path.is_dir():
        raise ValueError(f"cannot read samples from {name!r}: it is a folder{HOW_PICTURES}")
    try:
        source = _read_file(path)
        return Source(as_samples(source.X), source.y)
    except DAMAGE as error:
        if not_opened(error):
            raise
        raise ValueError(f"cannot read samples from {name!r}: {error}") from error


def read_targets(name: str) -> np.ndarray:
    """The classes in a ``.npy`` or idx file (``.gz`` too), such as MNIST's labels.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it cannot be opened.
    ValueError
        If it is damaged, or something else.
    """
    path = Path(name)
    if not _is_idx(path):
        return read_array(path)
    try:
        return read_idx(path)
    except DAMAGE as error:
        if not_opened(error):
            raise
        raise ValueError(f"cannot read targets from {name!r}: {error}") from error


def _is_idx(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(".gz") or ("idx" in name and not name.endswith((".npy", ".npz")))


def _read_file(path: Path) -> Source:
    ending = path.suffix.lower()
    if ending in (".npy", ".npz"):
        file = open_arrays(path)
        if isinstance(file, np.ndarray):
            return Source(file, None)
        with file:
            names = list(file.files)
            samples = next((k for k in SAMPLE_KEYS if k in names), None)
            if samples is None and len(names) == 1:
                samples = names[0]
            if samples is None:
                raise ValueError(f"none of its arrays {names} is named {' or '.join(SAMPLE_KEYS)}")
            labels = next((k for k in LABEL_KEYS if k in names), None)
            return Source(file[samples], None if labels is None else file[labels])
    if _is_idx(path):
        return Source(read_idx(path), None)
    hint = HOW_PICTURES if ending in PICTURE_ENDINGS else ""
    raise ValueError(f"its ending is not .npy, .npz, or that of an idx file{hint}")


def as_samples(array: np.ndarray) -> np.ndarray:
    """Pictures of bytes as numbers in [0, 1]."""
    if array.ndim < 2:
        raise ValueError(f"samples must be (N, D), (N, H, W) or (N, C, H, W), got {array.shape}")
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    return array
