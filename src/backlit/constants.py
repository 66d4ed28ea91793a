"""The constants of a model's programs: weights as kernels read them, packed once for all methods.

Programs number floats by where they lie in memory, from `ORIGIN` on, so that constants are neither
moved nor copied when a program is linked.
"""

from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Any
from weakref import ref

import numpy as np
from backlit_kernels.frame import floats_at

from backlit.layout import CACHE_LINE, round_up
from backlit.memory import address, aligned

ORIGIN = 64  # bytes; not 0, which NumPy takes for no memory at all
SAMPLED = 1024  # floats that tell most arrays apart


class Constants:
    """Float32 arrays that stay where they are, equal ones once."""

    memory = floats_at(ORIGIN)

    def __init__(self) -> None:
        self._kept: dict[Hashable, list[np.ndarray]] = {}
        self._made: dict[Hashable, tuple[ref[np.ndarray], int]] = {}

    def __reduce__(self) -> Any:
        return Constants, ()  # a copy, or another process, makes its own

    def place(self, values: Any) -> int:
        """The number of the first of these values."""
        array = np.asarray(values, dtype=np.float32)
        sample = array.flat[:: array.size // SAMPLED + 1]
        key = array.shape, blake2b(sample.tobytes(), digest_size=16).digest()
        found = self._kept.setdefault(key, [])
        for kept in found:
            if np.array_equal(kept.view(np.uint32), array.view(np.uint32)):
                return _number(kept)
        kept = _padded(array)
        found.append(kept)
        return _number(kept)

    def derived(self, source: np.ndarray, recipe: Hashable, make: Callable[[], np.ndarray]) -> int:
        """The same of what `make` makes from an array, which the recipe tells from all else.

        It is made once if the array cannot change, and known again by where its data lies.
        """
        owner = source
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if owner.flags.writeable:
            return self.place(make())
        key = address(source), source.shape, source.strides, recipe
        known, number = self._made.get(key, (None, 0))
        if known is None or known() is not owner:  # others may lie there after its end
            number = self.place(make())
            self._made[key] = ref(owner), number
        return number


def _padded(array: np.ndarray) -> np.ndarray:
    """A copy in order, and zeros: the last vector of a run of single floats may reach past it."""
    memory = aligned(round_up(array.size, CACHE_LINE) + CACHE_LINE)
    memory[array.size :] = 0
    copy = memory[: array.size].reshape(array.shape)
    copy[...] = array
    return copy


def _number(kept: np.ndarray) -> int:
    return (address(kept) - ORIGIN) // 4
