"""Pooling."""

from collections.abc import Sequence
from math import prod
from typing import Any

from backlit.importers.builder import (
    Tensor,
    UnsupportedError,
    arithmetic,
    pooling,
    reductions,
    shapes,
)
from backlit.importers.builder.windows import mean_rows, windows_along
from backlit.importers.torch.operators.table import (
    Missing,
    TorchBuilder,
    image_axes,
    operator,
    spread,
)

Sizes = int | Sequence[int]


@operator("max_pool1d", "max_pool2d")
def max_pool(
    b: TorchBuilder,
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Tensor:
    axes = image_axes(x)
    size = spread(kernel_size, axes)
    steps = spread(stride, axes) or size
    border = spread(padding, axes) * 2
    return pooling.max_pool(b, x, size, steps, border, spread(dilation, axes), ceil_mode)


@operator("max_pool1d_with_indices", "max_pool2d_with_indices")
def max_pool_with_indices(
    b: TorchBuilder, x: Tensor, *arguments: Any, **more: Any
) -> tuple[Tensor, Missing]:
    return max_pool(b, x, *arguments, **more), Missing()


@operator("avg_pool1d", "avg_pool2d")
def average_pool(
    b: TorchBuilder,
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    axes = image_axes(x)
    size = spread(kernel_size, axes)
    steps = spread(stride, axes) or size
    border = spread(padding, axes) * 2
    if divisor_override is None:
        return pooling.average_pool(b, x, size, steps, border, ceil_mode, count_include_pad)
    if ceil_mode:  # where windows that hang over count less
        raise UnsupportedError("divisor_override with ceil_mode")
    means = pooling.average_pool(b, x, size, steps, border)
    return arithmetic.scale(b, means, prod(size) / divisor_override)


@operator("avg_pool3d")
def average_of_channels(
    b: TorchBuilder,
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """As `torch.nn.functional.local_response_norm` calls it: a moving mean along one axis."""
    size, border = spread(kernel_size, 3), spread(padding, 3)
    plain = size[1:] == (1, 1) and not any(border) and spread(stride, 3) == (1, 1, 1)
    if not plain or divisor_override is not None:
        raise UnsupportedError("pooling in three dimensions")
    windows = windows_along(x.shape[2], size[0], 1)
    return shapes.linear_map(b, x, 2, mean_rows(windows, x.shape[2]))


# --- adaptive -------------------------------------------------------------------------------------


def adaptive_windows(size: int, count: int) -> list[range]:
    """What each of `count` outputs is pooled from."""
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


@operator("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d")
def adaptive_average_pool(b: TorchBuilder, x: Tensor, output_size: Sizes) -> Tensor:
    sizes, counts = x.shape[2:], b.expected[2:]
    image_axes(x)
    if sizes == counts:
        return x
    if all(count == 1 for count in counts):
        return reductions.reduce(b, "mean", x, list(range(2, len(x.shape))), True)
    if all(size % count == 0 for size, count in zip(sizes, counts, strict=True)):
        windows = [size // count for size, count in zip(sizes, counts, strict=True)]
        return pooling.average_pool(b, x, windows, windows, [0] * 2 * len(windows))
    for axis, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        if size != count:
            x = shapes.linear_map(b, x, 2 + axis, mean_rows(adaptive_windows(size, count), size))
    return x


@operator("adaptive_max_pool1d", "adaptive_max_pool2d")
def adaptive_max_pool(
    b: TorchBuilder, x: Tensor, output_size: Sizes
) -> tuple[Tensor, Missing] | Tensor:
    sizes, counts = x.shape[2:], b.expected[2:]
    image_axes(x)
    longest = []
    for axis, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        windows = adaptive_windows(size, count)
        longest.append(max(map(len, windows)))
        # windows one after the other, all as long as the longest: repeats change no maximum
        places = [min(w[0] + i, w[-1]) for w in windows for i in range(longest[-1])]
        x = shapes.gather(b, x, 2 + axis, places)
    return pooling.max_pool(b, x, longest, longest, [0] * 2 * len(longest)), Missing()
