"""Focus: how much of a map's mass lies on the strokes of what was drawn."""

from typing import Any, NamedTuple

import numpy as np

from backlit.checks import finite_numbers, flag, number, whole
from backlit.images import as_images
from backlit.metrics.magnitudes import shares_of_largest

MOST = 4  # channels of what is surely a picture


class Focus(NamedTuple):
    """For each sample, float64 arrays of shape (N,)."""

    share: np.ndarray  # of the map's mass, on the stroke
    expected: np.ndarray  # the same for a map spread evenly: the stroke's share of the pixels


def stroke_mask(
    X: Any, threshold: float = 0.3, dilation: int = 1, *, channels_last: bool | None = None
) -> np.ndarray:
    """Where the strokes are: pixels above a threshold, and their neighbours.

    Parameters
    ----------
    X : array of shape (N, C, H, W), (N, H, W) or (N, D)
        Bright strokes on a dark ground.
    threshold : float
        Pixels with a channel above this belong to a stroke.
    dilation : int
        How many pixels the strokes are widened by, diagonals included.
    channels_last : bool, optional
        Whether X is (N, H, W, C). None: it is not, and is refused if it looks as if it were (a
        last axis of at most four, a second one of more).

    Returns
    -------
    bool array of shape (N, H, W)

    Raises
    ------
    ValueError, TypeError
        For samples that are no pictures or not finite; for a wrong threshold or dilation.
    """
    threshold, dilation = number("threshold", threshold), whole("dilation", dilation, 0)
    mask = np.asarray((_images("X", X, channels_last) > threshold).any(axis=1))
    for _ in range(dilation):
        for axis in (1, 2):
            grown = mask.copy()
            first = [slice(None)] * 3
            last = [slice(None)] * 3
            first[axis], last[axis] = slice(None, -1), slice(1, None)
            grown[tuple(first)] |= mask[tuple(last)]
            grown[tuple(last)] |= mask[tuple(first)]
            mask = grown
    return mask


def focus(
    maps: Any,
    X: Any,
    threshold: float = 0.3,
    dilation: int = 1,
    *,
    channels_last: bool | None = None,
) -> Focus:
    """The share of each map's mass on the stroke, against that of a map spread evenly.

    The relevance mass accuracy of Arras, Osman and Samek, "CLEVR-XAI: a benchmark dataset for the
    ground truth evaluation of neural network explanations", 2022, of magnitudes, with the stroke
    for the truth. (Quantus' `RelevanceMassAccuracy` takes signed maps unless told otherwise.)

    Parameters
    ----------
    maps : array of the shape of `X`
        Attributions; their magnitudes count.
    X, threshold, dilation, channels_last
        As for `stroke_mask`.

    Returns
    -------
    Focus
        A map without mass has the expected share.

    Raises
    ------
    ValueError, TypeError
        If maps and samples do not fit together, or hold anything but finite numbers; and as
        `stroke_mask`.
    """
    pictures = _images("X", X, channels_last)
    mapped = _images("maps", maps, channels_last)
    if pictures.shape[0] != mapped.shape[0] or pictures.shape[2:] != mapped.shape[2:]:
        raise ValueError(f"maps must be of the shape of X, got {np.shape(maps)} and {np.shape(X)}")
    mask = stroke_mask(pictures, threshold, dilation, channels_last=False)
    mass = shares_of_largest("maps", mapped).reshape(mapped.shape).sum(axis=1)
    total = mass.sum(axis=(1, 2))
    expected = mask.mean(axis=(1, 2))
    share = np.where(mask, mass, 0).sum(axis=(1, 2)) / np.where(total > 0, total, 1)
    return Focus(np.where(total > 0, share, expected), expected)


def _images(name: str, given: Any, channels_last: bool | None) -> np.ndarray:
    """Finite numbers as (N, C, H, W)."""
    array = finite_numbers(name, given)
    if array.ndim == 4 and channels_last is None and array.shape[3] <= MOST < array.shape[1]:
        raise ValueError(
            f"{name} looks like (N, H, W, C): give channels_last=True if it is and False if not, "
            f"got shape {array.shape}"
        )
    if array.ndim == 4 and channels_last is not None and flag("channels_last", channels_last):
        array = np.moveaxis(array, -1, 1)
    return as_images(array, argument=name)
