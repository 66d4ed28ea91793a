"""Pooling in one and two dimensions: maxima and means of windows."""

from collections.abc import Sequence
from typing import Any

from backlit.importers.builder import shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, UnsupportedError
from backlit.importers.builder.windows import image_windows, places_within
from backlit.layers import AvgPool2D, MaxPool2D


def max_pool(
    b: GraphBuilder,
    x: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> Tensor:
    """Max pooling in one or two dimensions; arguments as in `products.convolution`."""
    wide = any(2 * p > n for p, n in zip(padding, (*size, *size), strict=True))
    if wide or any(n != 1 for n in dilation):
        return _dilated_max_pool(b, x, size, stride, padding, dilation, ceil_mode)
    return _pool(b, x, MaxPool2D, size, stride, padding, ceil_mode=ceil_mode)


def _dilated_max_pool(
    b: GraphBuilder,
    x: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> Tensor:
    """Windows laid out one after the other; what lies in the padding repeats a neighbour."""
    axes = image_windows(x.shape[2:], size, stride, padding, dilation, ceil_mode)
    for axis, windows in enumerate(axes, 2):
        extent = x.shape[axis]
        places: list[int] = []
        for window in windows:
            inside = places_within(window, extent)
            if not inside:
                raise UnsupportedError("a pooling window that lies in the padding")
            places += (place if 0 <= place < extent else inside[0] for place in window)
        x = shapes.gather(b, x, axis, places)
    return _pool(b, x, MaxPool2D, size, size, [0] * 2 * len(size))


def average_pool(
    b: GraphBuilder,
    x: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Average pooling in one or two dimensions; arguments as in `products.convolution`."""
    more = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    return _pool(b, x, AvgPool2D, size, stride, padding, **more)


def _pool(
    b: GraphBuilder,
    x: Tensor,
    kind: Any,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    **more: Any,
) -> Tensor:
    if len(x.shape) == 4:
        return b.append(kind(tuple(size), tuple(stride), tuple(padding), **more), x)
    image = shapes.reshape(b, x, (*x.shape[:2], 1, x.shape[2]))
    layer = kind((1, size[0]), (1, stride[0]), (0, padding[0], 0, padding[1]), **more)
    result = b.append(layer, image)
    return shapes.reshape(b, result, (*result.shape[:2], result.shape[3]))
