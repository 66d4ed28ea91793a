"""Interpolation."""

from collections.abc import Callable, Sequence
from typing import Any

from backlit.importers.builder import Tensor, UnsupportedError, shapes
from backlit.importers.builder.resizing import (
    Rows,
    cubic_rows,
    exact_rows,
    keys,
    linear_rows,
    nearest_rows,
    smooth_rows,
    tent,
)
from backlit.importers.builder.shapes import Row
from backlit.importers.torch.operators.table import TorchBuilder, image_axes, operator


def resize(b: TorchBuilder, x: Tensor, rows: Rows, factors: Sequence[float | None]) -> Tensor:
    """Along each axis of the image, to the expected size."""
    axes = image_axes(x)
    given = [*factors, None, None][:axes]
    for axis in range(axes):
        size, count = x.shape[2 + axis], b.expected[2 + axis]
        if size != count:
            x = shapes.linear_map(b, x, 2 + axis, rows(size, count, given[axis]))
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


def _smooth(weigh: Callable[[float], float], reach: float) -> Any:
    def handler(
        b: TorchBuilder,
        x: Tensor,
        size: Sequence[int] | None,
        align_corners: bool,
        *factors: Factors,
    ) -> Tensor:
        if align_corners:
            raise UnsupportedError("antialias=True with align_corners=True")

        def rows(size: int, count: int, factor: float | None) -> list[Row]:
            return smooth_rows(size, count, factor, weigh, reach)

        return resize(b, x, rows, _factors(factors))

    return handler


operator("_upsample_bilinear2d_aa")(_smooth(tent, 1.0))
operator("_upsample_bicubic2d_aa")(_smooth(keys, 2.0))
