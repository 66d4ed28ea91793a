"""Maps as rows of magnitudes."""

from math import prod
from typing import Any

import numpy as np

from backlit.arguments import finite_numbers


def magnitudes(name: str, maps: Any) -> np.ndarray:
    """The magnitudes of N maps, a row for each."""
    array = finite_numbers(name, maps)
    if array.ndim == 0:
        raise ValueError(f"{name} must hold a map for each sample, got the number {array}")
    return np.abs(array).reshape(len(array), prod(array.shape[1:]))
