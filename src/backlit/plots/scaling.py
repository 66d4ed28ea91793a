"""From values to what is displayed: maps by a high percentile, pictures by their range.

A map is never scaled by its lone maximum: one extreme pixel would make all the others black.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backlit.checks import number

PERCENTILE = 99.0


def check_percentile(percentile: float) -> float:
    """A percentile above 0."""
    percentile = number("percentile", percentile)
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile must be above 0 and at most 100, got {percentile:g}")
    return percentile


def display_limit(values: npt.ArrayLike, percentile: float = PERCENTILE) -> float:
    """The magnitude that is displayed at full strength.

    Parameters
    ----------
    values : array
        One map, or several that are to share a scale. Any shape.
    percentile : float
        Above 0, at most 100 (the maximum). Default 99.

    Returns
    -------
    float
        The percentile of ``|values|``, by linear interpolation. Where that is 0 (a map with
        few pixels other than 0) the maximum, and 1 where that is 0 too, so that one can divide.
        Values that are not finite do not count.

    Raises
    ------
    ValueError, TypeError
        For no values, or a percentile out of range.
    """
    percentile = check_percentile(percentile)
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError(f"values must not be empty, got shape {array.shape}")
    magnitudes = np.abs(finite(array))
    return float(np.percentile(magnitudes, percentile)) or float(magnitudes.max()) or 1.0


def scale(values: npt.ArrayLike, percentile: float = PERCENTILE) -> np.ndarray:
    """`values` over their `display_limit`, clipped to [-1, 1]: float64, same shape.

    A signed map keeps its 0 at 0, the middle of a diverging colour map. NaN stays NaN. Parameters
    and errors as for `display_limit`.
    """
    limit = display_limit(values, percentile)
    return np.clip(np.asarray(values, dtype=np.float64), -limit, limit) / limit


def finite(values: np.ndarray) -> np.ndarray:
    """The finite ones of some values, in a row; a 0 where there are none."""
    kept = values[np.isfinite(values)]
    return kept if kept.size else np.zeros(1)


def strongest_channel(maps: np.ndarray) -> np.ndarray:
    """(N, C, H, W) to (N, H, W): at each pixel the channel of the largest magnitude, sign kept.

    For |gradient| that is the maximum over channels, as in Simonyan, Vedaldi and Zisserman,
    "Deep inside convolutional networks" (2013), section 3.1.
    """
    strongest = np.abs(maps).argmax(axis=1)[:, np.newaxis]
    return np.take_along_axis(maps, strongest, axis=1)[:, 0]


def pictures(images: np.ndarray) -> np.ndarray:
    """Images (N, C, H, W) to be looked at: (N, H, W, 3) float64 in [0, 1].

    The range of all given images together becomes 0 to 1, unless it is within [0, 1] already.
    Three channels are taken as red, green and blue, and so are the first of four (the last is
    an opacity, or a light that nobody sees); any other number is averaged to grey.
    """
    images = images.astype(np.float64)
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        images = (images - low) / ((high - low) or 1.0)
    if images.shape[1] == 4:
        images = images[:, :3]
    elif images.shape[1] != 3:
        images = images.mean(axis=1, keepdims=True).repeat(3, axis=1)
    return images.transpose(0, 2, 3, 1)
