"""Maps as rows of magnitudes."""

from math import prod
from typing import Any

import numpy as np

from backlit.checks import finite_numbers


def magnitudes(name: str, maps: Any) -> np.ndarray:
    """The magnitudes of N maps, a row for each: float64, as -128 has none in int8."""
    array = finite_numbers(name, maps)
    if array.ndim == 0:
        raise ValueError(f"{name} must hold a map for each sample, got the number {array}")
    return np.abs(array, dtype=np.float64).reshape(len(array), prod(array.shape[1:]))


def shares_of_largest(name: str, maps: Any) -> np.ndarray:
    """The same over the largest of each map, so that their sums do not overflow."""
    values = magnitudes(name, maps)
    largest = values.max(axis=1, keepdims=True, initial=0)
    return values / np.where(largest > 0, largest, 1)
