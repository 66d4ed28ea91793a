"""Bilinear interpolation, an axis at a time, as PyTorch's with ``align_corners=False``.

Entries are cells side by side whose outer edges meet those of the axis: an entry's value holds at
its centre, and beyond the outermost centres the outermost values hold.
"""

import numpy as np


def neighbours(size: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """The two of `size` entries that each of `wanted` lies between, and the second one's share.

    Returns
    -------
    neighbours : int64 array of shape (wanted, 2)
    shares : float64 array of shape (wanted,)
    """
    position = np.maximum((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0)
    first = np.minimum(position.astype(np.int64), size - 1)
    return np.stack([first, np.minimum(first + 1, size - 1)], axis=1), position - first


def interpolation_matrix(size: int, wanted: int) -> np.ndarray:
    """The matrix (wanted, size) that takes `size` entries of an axis to `wanted`, in float64."""
    between, share = neighbours(size, wanted)
    each = np.arange(wanted)
    matrix = np.zeros((wanted, size))
    matrix[each, between[:, 0]] = 1 - share
    matrix[each, between[:, 1]] += share  # which may be the first one again
    return matrix
