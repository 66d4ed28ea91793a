"""Interpolation, as a sparse matrix along an axis.

The source of output i is as in PyTorch: ``i * scale`` where corners are aligned or the nearest
value is taken, else ``(i + 1/2) * scale - 1/2``.
"""

from collections.abc import Callable
from math import floor

import numpy as np

from backlit.importers.builder.shapes import Row

Rows = Callable[[int, int, float | None], list[Row]]  # of (size, count, factor given)


def nearest_rows(
    size: int, count: int, factor: float | None = None, centre: float = 0.0
) -> list[Row]:
    # PyTorch computes in float32, and which neighbour is nearest depends on that
    scale = np.float32(1 / factor if factor else size / count)
    sources = np.floor((np.arange(count, dtype=np.float32) + np.float32(centre)) * scale)
    return [[(min(int(source), size - 1), 1.0)] for source in sources]


def exact_rows(size: int, count: int, factor: float | None = None) -> list[Row]:
    return nearest_rows(size, count, factor, 0.5)


def sources(size: int, count: int, factor: float | None, align_corners: bool) -> list[float]:
    if align_corners:
        return [i * (size - 1) / (count - 1) if count > 1 else 0.0 for i in range(count)]
    scale = 1 / factor if factor else size / count
    return [(i + 0.5) * scale - 0.5 for i in range(count)]


def linear_rows(
    size: int, count: int, factor: float | None = None, align_corners: bool = False
) -> list[Row]:
    rows = []
    for source in sources(size, count, factor, align_corners):
        place = min(max(source, 0.0), size - 1)
        low = min(int(place), size - 1)
        share = place - low
        rows.append([(low, 1 - share), (low + 1, share)] if share else [(low, 1.0)])
    return rows


def cubic_rows(
    size: int, count: int, factor: float | None = None, align_corners: bool = False
) -> list[Row]:
    """Keys' cubic convolution with a = -3/4."""
    rows = []
    for source in sources(size, count, factor, align_corners):
        low = floor(source)
        row: dict[int, float] = {}
        for tap in range(-1, 3):
            place = min(max(low + tap, 0), size - 1)
            row[place] = row.get(place, 0.0) + keys(source - low - tap, -0.75)
        rows.append(list(row.items()))
    return rows


def smooth_rows(
    size: int, count: int, factor: float | None, weigh: Callable[[float], float], reach: float
) -> list[Row]:
    """With antialiasing: weights of all within `reach`, which grows as the image shrinks."""
    scale = 1 / factor if factor else size / count
    stretch = max(scale, 1.0)
    rows = []
    for i in range(count):
        centre = scale * (i + 0.5)
        first = max(int(centre - reach * stretch + 0.5), 0)
        last = min(int(centre + reach * stretch + 0.5), size)
        shares = [weigh((place - centre + 0.5) / stretch) for place in range(first, last)]
        total = sum(shares)
        rows.append([(first + n, share / total) for n, share in enumerate(shares)])
    return rows


def tent(distance: float) -> float:
    return max(1 - abs(distance), 0.0)


def keys(distance: float, a: float = -0.5) -> float:
    """Keys' cubic convolution."""
    d = abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * a - 4 * a
    return near if d <= 1 else far if d < 2 else 0.0
