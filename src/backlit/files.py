"""Files that are never seen half written, and what reading a damaged one may raise."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

DAMAGE = (
    OSError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def not_opened(error: BaseException) -> bool:
    """Whether a file could not even be opened: such an error names the file."""
    return isinstance(error, OSError) and error.filename is not None


def open_arrays(path: str | os.PathLike[str]) -> Any:
    """What `numpy.load` gives, pickles aside: for other files it advises to allow those."""
    with open(path, "rb") as file:
        if not file.read(6).startswith((b"\x93NUMPY", b"PK")):
            raise ValueError("it is no .npy or .npz file, whatever its name")
    return np.load(path, allow_pickle=False)


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of an ``.npy`` file, or the only one of an ``.npz`` file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it cannot be opened, such as a folder.
    ValueError
        If it is damaged, or something else.
    """
    try:
        array = open_arrays(path)
        if isinstance(array, np.ndarray):
            return array
        with array:
            if len(array.files) == 1:
                return np.asarray(array[array.files[0]])
    except DAMAGE as error:
        if not_opened(error):
            raise
        raise ValueError(f"cannot read an array from {str(path)!r}: {error}") from error
    raise ValueError(f"{str(path)!r} holds several arrays: one is given as an .npy file")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A place beside `path` to write to; renamed to `path` at the end, removed on an error.

    The place keeps the file's suffix, as many writers choose the format by it. Of a link, the
    file that it leads to is replaced. An error in writing names the file.
    """
    final = Path(os.path.realpath(path))
    aside = final.with_name(f".{final.stem}.{os.getpid()}{final.suffix}")
    try:
        yield aside
        os.replace(aside, final)
    except BaseException as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            if error.filename is None and error.errno is None:  # as NumPy reports a full disk
                raise OSError(f"cannot write to {str(path)!r}: {error}") from error
            if error.filename in (None, str(aside)):
                error.filename = str(path)
        raise
