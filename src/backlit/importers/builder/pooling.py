"""Pooling in one and two dimensions."""

from collections.abc import Sequence
from typing import Any

from backlit.importers.builder.nodes import Tensor, UnsupportedError
from backlit.importers.builder.products import ProductBuilder
from backlit.importers.builder.windows import image_windows, places_within
from backlit.layers import AvgPool2D, MaxPool2D


class PoolingBuilder(ProductBuilder):
    """Maxima and means of windows."""

    def max_pool(
        self,
        x: Tensor,
        size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int] = (1, 1),
        ceil_mode: bool = False,
    ) -> Tensor:
        """Max pooling in one or two dimensions; arguments as in `convolution`."""
        wide = any(2 * p > n for p, n in zip(padding, (*size, *size), strict=True))
        if wide or any(n != 1 for n in dilation):
            return self._dilated_max_pool(x, size, stride, padding, dilation, ceil_mode)
        return self._pool(x, MaxPool2D, size, stride, padding, ceil_mode=ceil_mode)

    def _dilated_max_pool(
        self,
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
            x = self.gather(x, axis, places)
        return self._pool(x, MaxPool2D, size, size, [0] * 2 * len(size))

    def average_pool(
        self,
        x: Tensor,
        size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> Tensor:
        """Average pooling in one or two dimensions; arguments as in `convolution`."""
        more = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
        return self._pool(x, AvgPool2D, size, stride, padding, **more)

    def _pool(
        self,
        x: Tensor,
        kind: Any,
        size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        **more: Any,
    ) -> Tensor:
        if len(x.shape) == 4:
            return self.append(kind(tuple(size), tuple(stride), tuple(padding), **more), x)
        image = self.reshape(x, (*x.shape[:2], 1, x.shape[2]))
        layer = kind((1, size[0]), (1, stride[0]), (0, padding[0], 0, padding[1]), **more)
        result = self.append(layer, image)
        return self.reshape(result, (*result.shape[:2], result.shape[3]))
