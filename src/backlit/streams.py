"""Random streams: one for each sample, a function of the seed and of the sample's values.

A sample has the same stream whatever its place in the batch and whatever comes with it.
"""

from math import prod
from typing import Any

import numpy as np

from backlit.checks import is_int, whole

CHUNK = 1 << 18  # values at a time


def check_seed(seed: Any) -> int:
    """A seed as an int; a generator is asked for one, and moves on."""
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    if not is_int(seed):
        raise TypeError(
            f"seed must be an int or a numpy.random.Generator, not {type(seed).__name__}"
        )
    return whole("seed", seed, 0)


def stream_keys(samples: np.ndarray, seed: int) -> np.ndarray:
    """A 64-bit key for each sample.

    Parameters
    ----------
    samples : contiguous float32 array of shape (N, ...)
    seed : int, not negative

    Returns
    -------
    float32 array of shape (2, N)
        Bits in the clothes of floats, as lane values carry them; none is NaN or infinite.
    """
    flat = samples.reshape(len(samples), prod(samples.shape[1:]))
    random = np.random.default_rng(seed)
    # multilinear hashing (Dietzfelbinger, 1996): a random linear form of the values' bits
    factors = random.integers(2**64, size=flat.shape[1], dtype=np.uint64) | np.uint64(1)
    keys = np.full(len(samples), random.integers(2**64, dtype=np.uint64))
    rows = max(1, CHUNK // max(1, flat.shape[1]))
    for first in range(0, len(samples), rows):
        values = flat[first : first + rows] + np.float32(0)  # -0 becomes 0
        keys[first : first + rows] += values.view(np.uint32).astype(np.uint64) @ factors
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # SplitMix64
        keys = (keys ^ (keys >> np.uint64(shift))) * np.uint64(factor)
    keys ^= keys >> np.uint64(31)
    words = np.stack([keys & np.uint64(0xFFFFFFFF), keys >> np.uint64(32)]).astype(np.uint32)
    return (words & np.uint32(0xBFFFFFFF)).view(np.float32)
