"""Images in buffers, and the windows that convolutions read of them."""

from dataclasses import dataclass

import numpy as np

from backlit.instructions import Buffer, Place
from backlit.layers import Conv2D
from backlit.layout import Layout
from backlit.lowering.context import Lowering


@dataclass(frozen=True)
class Image:
    """A layout, and the buffer where an image lies so, from its float `start` on."""

    buffer: Buffer
    layout: Layout
    start: int = 0

    def at(self, row: int = 0, column: int = 0) -> Place:
        """A pixel of the first channel."""
        pixel = self.layout.origin + row * self.layout.pitch + column * self.layout.lanes
        return self.buffer.at(self.start + pixel)


def image_of(lowering: Lowering, tensor: int, buffer: Buffer) -> Image:
    """A buffer with a tensor's layout."""
    return Image(buffer, lowering.layouts[tensor])


@dataclass(frozen=True)
class Windows:
    """The windows of a convolution, `size` (rows, columns) of them.

    Each reads the pixels that lie `taps` (patch offsets, in floats) from its own; windows and
    outputs are so many pixels apart (rows, columns), and the first output is the pixel `out_start`.
    """

    size: tuple[int, ...]
    taps: np.ndarray
    x_stride: tuple[int, int] = (1, 1)
    out_stride: tuple[int, int] = (1, 1)
    out_start: tuple[int, int] = (0, 0)


def tap_offsets(source: Layout, channels: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The table of patch offsets: channels, kernel rows, kernel columns, in weight order."""
    planes = np.arange(channels) * source.plane
    return (planes[:, None, None] + rows[:, None] * source.pitch + columns * source.lanes).reshape(
        -1
    )


def window_offsets(source: Layout, layer: Conv2D) -> np.ndarray:
    """That of a convolution's windows, from the pixel that an output lies at."""
    rows, columns = (
        np.arange(size) * spread - before
        for size, spread, before in zip(
            layer.weights.shape[2:], layer.dilation, layer.padding[:2], strict=True
        )
    )
    return tap_offsets(source, layer.weights.shape[1], rows, columns)
