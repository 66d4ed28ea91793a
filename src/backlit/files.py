"""Files that are never seen half written, and what reading a damaged one may raise."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of an ``.npy`` file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or something else.
    """
    try:
        array = np.load(path, allow_pickle=False)
        if isinstance(array, np.ndarray):
            return array
        array.close()
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise ValueError(f"cannot read an array from {str(path)!r}: {error}") from error
    raise ValueError(f"{str(path)!r} holds several arrays: one is given as an .npy file")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A place beside `path` to write to; renamed to `path` at the end, removed on an error.

    The place keeps the file's suffix, as many writers choose the format by it.
    """
    final = Path(path)
    aside = final.with_name(f".{final.stem}.{os.getpid()}{final.suffix}")
    try:
        yield aside
        os.replace(aside, final)
    except BaseException as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(aside):
            error.filename = str(final)
        raise
