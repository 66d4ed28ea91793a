"""Two ways to see memory: a vector at a time, or one float at a time.

Tiles of several samples (and long runs of one sample) are read in vectors. Where a tile holds a
single sample and neighbours in memory are not independent, the same kernel reads one float into
every lane and writes the first lane alone: the same instructions, so the same bits.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from backlit_kernels.kernel import Kernel
from backlit_kernels.vector import LANES, load, load_one, store, store_one


def for_lanes(make: Callable[..., Any]) -> Callable[..., Kernel]:
    """A kernel family: ``make(load, store, width, *key)`` builds the kernel's function.

    The family is called with the number of lanes first: 1 for single floats, else vectors.
    """

    @cache
    def build(single: bool, *key: Any) -> Kernel:
        access = (load_one, store_one, 1) if single else (load, store, LANES)
        words = [make.__module__.rpartition(".")[2], make.__name__, *map(str, key)]
        return Kernel(make(*access, *key), "_".join([*words, "single"] if single else words))

    return lambda lanes, *key: build(lanes == 1, *key)
