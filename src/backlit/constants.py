"""The constants of a model's programs: weights as kernels read them, packed once for all methods.

Programs number floats by where they lie in memory, from `ORIGIN` on, so that constants are neither
moved nor copied when a program is linked.
"""

from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Any
from weakref import WeakValueDictionary, ref

import numpy as np
from backlit_kernels.frame import floats_at
from backlit_kernels.target import CACHE_LINE

from backlit.layout import round_up
from backlit.memory import address, aligned

ORIGIN = 64  # bytes; not 0, which NumPy takes for no memory at all
SAMPLED = 1024  # floats that tell most arrays apart


class Constants:
    """Float32 arrays that stay where they are while some program uses them, equal ones once."""

    def __init__(self) -> None:
        self._kept: WeakValueDictionary[Hashable, np.ndarray] = WeakValueDictionary()
        self._made: dict[Hashable, tuple[ref[np.ndarray], ref[np.ndarray]]] = {}

    def __reduce__(self) -> Any:
        return Constants, ()  # a copy, or another process, makes its own

    def place(self, values: Any) -> np.ndarray:
        """An array of these values, to be kept as long as it is used."""
        array = np.asarray(values, dtype=np.float32)
        sample = array.flat[:: array.size // SAMPLED + 1]
        digest = blake2b(sample.tobytes(), digest_size=16).digest()
        number = 0  # of arrays with the same sample
        while (kept := self._kept.get((array.shape, digest, number))) is not None:
            if np.array_equal(kept.view(np.uint32), array.view(np.uint32)):
                return kept
            number += 1
        kept = self._kept[array.shape, digest, number] = _padded(array)
        return kept

    def derived(
        self, source: np.ndarray, recipe: Hashable, make: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """`place` of what `make` makes from `source`; `recipe` names what it makes.

        That is made once for an array that cannot change, known again by where its data lies.
        """
        owner = source
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if owner.flags.writeable:
            return self.place(make())
        key = address(source), source.shape, source.strides, recipe
        known, made = self._made.get(key, (_nothing, _nothing))
        kept = made()
        if known() is not owner or kept is None:  # another array may lie there after its end
            kept = self.place(make())
            alive = {k: v for k, v in self._made.items() if v[1]() is not None}
            self._made = {**alive, key: (ref(owner), ref(kept))}
        return kept


class ConstantsInUse:
    """Those of one program, which keeps them: numbers of floats in memory."""

    memory = floats_at(ORIGIN)

    def __init__(self, constants: Constants) -> None:
        self._constants = constants
        self._used: list[np.ndarray] = []

    def place(self, values: Any) -> int:
        """The number of the first of these values."""
        return self._number(self._constants.place(values))

    def derived(self, source: np.ndarray, recipe: Hashable, make: Callable[[], np.ndarray]) -> int:
        """The same of `Constants.derived`."""
        return self._number(self._constants.derived(source, recipe, make))

    def _number(self, kept: np.ndarray) -> int:
        self._used.append(kept)
        return (address(kept) - ORIGIN) // 4


def _nothing() -> None:
    """A reference to nothing."""


def _padded(array: np.ndarray) -> np.ndarray:
    """A copy in order, and zeros: the last vector of a run of single floats may reach past it."""
    memory = aligned(round_up(array.size, CACHE_LINE) + CACHE_LINE)
    memory[array.size :] = 0
    copy = memory[: array.size].reshape(array.shape)
    copy[...] = array
    return copy
