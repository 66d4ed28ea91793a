"""Agreement: whether two maps of the same sample point to the same pixels."""

from typing import Any

import numpy as np


def map_agreement(a: Any, b: Any) -> np.ndarray:
    """Spearman's rank correlation of two maps' magnitudes, sample by sample.

    1 if both put the pixels in the same order of importance, 0 if the orders have nothing to do
    with each other. Equal values share their mean rank.

    Parameters
    ----------
    a, b : arrays of N maps with as many values each

    Returns
    -------
    float64 array of shape (N,); 0 where a map is constant

    Raises
    ------
    ValueError
        If the maps do not fit together.
    """
    first, second = (np.abs(np.asarray(maps)) for maps in (a, b))
    first, second = (maps.reshape(len(maps), -1) for maps in (first, second))
    if first.shape != second.shape:
        raise ValueError(
            f"a and b must hold as many maps of as many values, got {np.shape(a)}, {np.shape(b)}"
        )
    x, y = centred_ranks(first), centred_ranks(second)
    norm = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return (x * y).sum(axis=1) / np.where(norm > 0, norm, 1)


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """Mean ranks along the last axis, less their mean."""
    order = values.argsort(axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    n = values.shape[1]
    position = np.broadcast_to(np.arange(n), values.shape)
    changes = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(values), 1), bool)
    begins = np.concatenate([edge, changes], axis=1)
    ends = np.concatenate([changes, edge], axis=1)
    first = np.maximum.accumulate(np.where(begins, position, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, position, n)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2, axis=1)
    return ranks - (n - 1) / 2
