"""Memory that kernels read and write: where it is, and how it is got."""

from ctypes import addressof, c_char
from typing import Any

import numpy as np
from backlit_kernels.target import CACHE_LINE


def address(array: np.ndarray) -> int:
    """Where an array's data lies, by the quickest way there is."""
    buffer: Any = array  # which NumPy's types say from Python 3.12 on
    try:
        return addressof(c_char.from_buffer(buffer))
    except (TypeError, ValueError):  # it is read-only, or empty
        where: int = array.__array_interface__["data"][0]
        return where


def aligned(size: int) -> np.ndarray:
    """Uninitialised float32 memory that begins at a cache line."""
    memory = np.empty(size + CACHE_LINE, np.float32)
    start = (-address(memory) % 64) // 4
    return memory[start : start + size]
