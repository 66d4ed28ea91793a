"""Interpolation, as a sparse matrix along each axis.

The source of output i is as in PyTorch: ``i * scale`` where corners are aligned or the nearest
value is taken, else ``(i + 1/2) * scale - 1/2``.
"""

from collections.abc import Callable, Sequence
from math import floor

import numpy as np

from backlit.importers.builder import Tensor
from backlit.importers.torch.operators.table import TorchBuilder, image_axes, operator

Row = list[tuple[int, float]]
Rows = Callable[[int, int, float | None], list[Row]]  # of (size, count, factor given)


def nearest_rows(size: int, count: int, factor: float | None, centre: float = 0.0) -> list[Row]:
    # PyTorch computes in float32, and which neighbour is nearest depends on that
    scale = np.float32(1 / factor if factor else size / count)
    sources = np.floor((np.arange(count, dtype=np.float32) + np.float32(centre)) * scale)
    return [[(min(int(source), size - 1), 1.0)] for source in sources]


def exact_rows(size: int, count: int, factor: float | None) -> list[Row]:
    return nearest_rows(size, count, factor, 0.5)


def sources(size: int, count: int, factor: float | None, align_corners: bool) -> list[float]:
    if align_corners:
        return [i * (size - 1) / (count - 1) if count > 1 else 0.0 for i in range(count)]
    scale = 1 / factor if factor else size / count
    return [(i + 0.5) * scale - 0.5 for i in range(count)]


def linear_rows(size: int, count: int, factor: float | None, align_corners: bool) -> list[Row]:
    rows = []
    for source in sources(size, count, factor, align_corners):
        place = min(max(source, 0.0), size - 1)
        low = min(int(place), size - 1)
        share = place - low
        rows.append([(low, 1 - share), (low + 1, share)] if share else [(low, 1.0)])
    return rows


def cubic_rows(size: int, count: int, factor: float | None, align_corners: bool) -> list[Row]:
    """Keys' cubic convolution with a = -3/4."""
    a = -0.75
    rows = []
    for source in sources(size, count, factor, align_corners):
        low = floor(source)
        row: dict[int, float] = {}
        for tap in range(-1, 3):
            d = abs(source - low - tap)
            near = ((a + 2) * d - (a + 3)) * d * d + 1
            far = ((d - 5) * d + 8) * d * a - 4 * a
            place = min(max(low + tap, 0), size - 1)
            row[place] = row.get(place, 0.0) + (near if d <= 1 else far)
        rows.append(list(row.items()))
    return rows


def resize(b: TorchBuilder, x: Tensor, rows: Rows, factors: Sequence[float | None]) -> Tensor:
    """Along each axis of the image, to the expected size."""
    axes = image_axes(x)
    given = [*factors, None, None][:axes]
    for axis in range(axes):
        size, count = x.shape[2 + axis], b.expected[2 + axis]
        if size != count:
            x = b.linear_map(x, 2 + axis, rows(size, count, given[axis]))
    return x


Factors = Sequence[float] | float | None


def _factors(arguments: tuple[Factors, ...]) -> list[float | None]:
    """The factors of the ``.vec`` overloads (a list) and of the others (one for each axis)."""
    flat: list[float | None] = []
    for argument in arguments:
        flat += [argument] if argument is None or isinstance(argument, float) else list(argument)
    return flat


@operator("upsample_nearest1d", "upsample_nearest2d")
def nearest(b: TorchBuilder, x: Tensor, size: Sequence[int] | None, *factors: Factors) -> Tensor:
    return resize(b, x, nearest_rows, _factors(factors))


@operator("_upsample_nearest_exact1d", "_upsample_nearest_exact2d")
def nearest_exact(
    b: TorchBuilder, x: Tensor, size: Sequence[int] | None, *factors: Factors
) -> Tensor:
    return resize(b, x, exact_rows, _factors(factors))


@operator("upsample_linear1d", "upsample_bilinear2d")
def linear(
    b: TorchBuilder,
    x: Tensor,
    size: Sequence[int] | None,
    align_corners: bool,
    *factors: Factors,
) -> Tensor:
    def rows(size: int, count: int, factor: float | None) -> list[Row]:
        return linear_rows(size, count, factor, align_corners)

    return resize(b, x, rows, _factors(factors))


@operator("upsample_bicubic2d")
def cubic(
    b: TorchBuilder,
    x: Tensor,
    size: Sequence[int] | None,
    align_corners: bool,
    *factors: Factors,
) -> Tensor:
    def rows(size: int, count: int, factor: float | None) -> list[Row]:
        return cubic_rows(size, count, factor, align_corners)

    return resize(b, x, rows, _factors(factors))
