"""Arenas that are lent again: the system hands out new memory page by page, which takes longer
than a small model's pass."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from backlit.layout import CACHE_LINE

KEPT_BYTES = 8 * 1024 * 1024  # of arenas that nobody uses, together
_spare: list[np.ndarray] = []  # smallest first
_lock = threading.Lock()


def address(array: np.ndarray) -> int:
    """Where an array's data lies (quicker than through ctypes)."""
    where: int = array.__array_interface__["data"][0]
    return where


def aligned(size: int) -> np.ndarray:
    """Uninitialised float32 memory that begins at a cache line."""
    memory = np.empty(size + CACHE_LINE, np.float32)
    start = (-address(memory) % 64) // 4
    return memory[start : start + size]


@contextmanager
def borrowed(size: int) -> Iterator[np.ndarray]:
    """An arena of at least so many floats, with whatever was left in it."""
    arena = _take(size)
    if arena is None:
        arena = aligned(size)
    try:
        yield arena
    finally:
        _keep(arena)


def _take(size: int) -> np.ndarray | None:
    with _lock:
        for place, arena in enumerate(_spare):
            if arena.size >= size:
                return _spare.pop(place)
    return None


def _keep(arena: np.ndarray) -> None:
    if arena.nbytes > KEPT_BYTES:
        return
    with _lock:
        while _spare and sum(a.nbytes for a in _spare) + arena.nbytes > KEPT_BYTES:
            _spare.pop(0)
        _spare.append(arena)
        _spare.sort(key=len)
