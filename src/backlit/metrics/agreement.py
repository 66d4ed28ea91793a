"""Agreement: whether two maps of the same sample point to the same pixels."""

from typing import Any

import numpy as np

from backlit.metrics.magnitudes import magnitudes

BLOCK = 256  # maps whose ranks stay in the cache


def map_agreement(a: Any, b: Any) -> np.ndarray:
    """Spearman's rank correlation of two maps' magnitudes, sample by sample.

    1 if both put the pixels in the same order of importance, 0 if the orders have nothing to do
    with each other. Equal values share their mean rank.

    Parameters
    ----------
    a, b : arrays of N maps of the same shape
        Axes of length 1 do not count, and either may be flat.

    Returns
    -------
    float64 array of shape (N,); 0 where a map is constant

    Raises
    ------
    ValueError, TypeError
        If the maps do not fit together, or hold anything but finite numbers.
    """
    first, second = magnitudes("a", a), magnitudes("b", b)
    shapes = np.shape(a), np.shape(b)
    if first.shape != second.shape:
        raise ValueError(
            f"a and b must hold as many maps of as many values, got {shapes[0]}, {shapes[1]}"
        )
    one, other = ([n for n in shape[1:] if n > 1] for shape in shapes)
    if one != other and min(len(one), len(other)) > 1:
        raise ValueError(f"a and b must have the same axes, got {shapes[0]}, {shapes[1]}")
    blocks = [
        _correlation(centred_ranks(first[i : i + BLOCK]), centred_ranks(second[i : i + BLOCK]))
        for i in range(0, len(first), BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty(0)


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """Mean ranks along the last axis, less their mean."""
    n = values.shape[1]
    order = values.argsort(axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    begins = np.ones(values.shape, bool)  # each run of equal values
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    length = np.diff(first, append=begins.size)
    middle = np.repeat(first % n + (length - 1) / 2, length)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, middle.reshape(values.shape), axis=1)
    return ranks - (n - 1) / 2


def _correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    norm = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return (x * y).sum(axis=1) / np.where(norm > 0, norm, 1)
