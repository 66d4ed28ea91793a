"""The idx format of MNIST's files: a magic number, sizes, and the values in C order.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: Path) -> np.ndarray:
    """The array in an idx file, compressed by gzip or not.

    Raises
    ------
    ValueError
        If it is not such a file, or cut short.
    """
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error) as error:
            raise ValueError(f"truncated or damaged gzip file: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise ValueError("not an idx file: its first bytes are not an idx magic number")
    kind, dimensions = np.dtype(TYPES[content[2]]), content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise ValueError("truncated idx file: its sizes are missing")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, offset=4).tolist())
    if len(content) - start != prod(shape) * kind.itemsize:
        raise ValueError(
            f"damaged idx file: shape {shape} takes {prod(shape) * kind.itemsize} bytes, "
            f"got {len(content) - start}"
        )
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))
