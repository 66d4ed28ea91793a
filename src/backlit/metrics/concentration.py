"""Concentration: whether a map is a few strong pixels or an even haze."""

from typing import Any

import numpy as np

from backlit.metrics.magnitudes import shares_of_largest


def gini(maps: Any) -> np.ndarray:
    """The Gini coefficient of each map's magnitudes.

    0 for a map spread evenly, near 1 for a single pixel. With values ``v`` in rising order,
    ``sum over i of (2 i - n - 1) v_i / (n sum v)``, i = 1 ... n. A measure of sparsity after
    Hurley and Rickard, "Comparing measures of sparsity", 2009; of explanations, after Chalasani
    et al., "Concise explanations of neural networks using adversarial training", 2020. Quantus'
    `Sparseness` is the same, but that it adds 1e-7 to each magnitude.

    Parameters
    ----------
    maps : array of shape (N, ...)

    Returns
    -------
    float64 array of shape (N,); 0 for a map of zeros

    Raises
    ------
    ValueError, TypeError
        If the maps hold anything but finite numbers.
    """
    values = np.sort(shares_of_largest("maps", maps), axis=1)
    n = values.shape[1]
    weights = 2 * np.arange(1, n + 1, dtype=np.float64) - n - 1
    total = values.sum(axis=1)
    # not a product of matrices: its last digits would depend on the other maps
    return (values * weights).sum(axis=1) / np.where(total > 0, n * total, 1)
