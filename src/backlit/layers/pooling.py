"""Pooling layers."""

from dataclasses import dataclass
from typing import Any

from backlit.checks import flag
from backlit.layers.base import Layer, Shape, border, image_shape, pair


class _Pool2D(Layer):
    size: Any
    stride: Any
    padding: Any
    ceil_mode: bool

    def __post_init__(self) -> None:
        size = pair("size", self.size)
        padding = border("padding", self.padding)
        if any(2 * p > s for p, s in zip(padding, size * 2, strict=True)):
            raise ValueError(f"padding must be at most half the size {size}, got {padding}")
        self._set(
            size=size,
            stride=size if self.stride is None else pair("stride", self.stride),
            padding=padding,
            ceil_mode=flag("ceil_mode", self.ceil_mode),
        )

    def output_shape(self, shape: Shape) -> Shape:
        channels, *sizes = image_shape(self, shape)
        result = [channels]
        for axis, size in enumerate(sizes):
            before, after = self.padding[axis], self.padding[axis + 2]
            room = size + before + after - self.size[axis]
            # rounding up, a window may be larger than the image by less than a stride
            if room < 0 and not (self.ceil_mode and room > -self.stride[axis]):
                raise ValueError(
                    f"{type(self).__name__} of size {self.size} does not fit into its padded "
                    f"input of shape {shape}"
                )
            steps = room // self.stride[axis]
            # a last window that is cut short must still begin inside the image or before it
            if self.ceil_mode and room % self.stride[axis]:
                steps += (steps + 1) * self.stride[axis] < size + before
            result.append(steps + 1)
        return tuple(result)


@dataclass(frozen=True, eq=False, repr=False)
class MaxPool2D(_Pool2D):
    """The maximum over windows; of equal maxima the first in row-major order takes the gradient.

    Parameters
    ----------
    size : int or pair (rows, columns)
    stride : int or pair, default `size`
    padding : int, pair or (top, left, bottom, right), default 0
        At most half the size; never the maximum.
    ceil_mode : bool
        Whether a last window that is cut short counts. Default: it does not.

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong kind or range.
    """

    size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class AvgPool2D(_Pool2D):
    """The mean over windows.

    Parameters
    ----------
    size, stride, padding, ceil_mode
        As for `MaxPool2D`.
    count_include_pad : bool
        Whether padding counts as zeros (the default) or not at all.

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong kind or range.
    """

    size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(count_include_pad=flag("count_include_pad", self.count_include_pad))


@dataclass(frozen=True, eq=False, repr=False)
class GlobalAvgPool2D(Layer):
    """The mean of each channel: (channels, height, width) to (channels, 1, 1)."""

    def output_shape(self, shape: Shape) -> Shape:
        return (image_shape(self, shape)[0], 1, 1)
