"""Patches of images, laid out as columns, and put back together."""

from collections.abc import Sequence
from math import prod

import numpy as np

from backlit.importers.builder import shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.shapes import Row
from backlit.importers.builder.values import Tensor
from backlit.importers.builder.windows import image_windows

Pair = Sequence[int]


def places(image: Pair, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> np.ndarray:
    """The pixel of each (tap, patch) in row-major order, -1 for one in the padding.

    `padding` is (top, left, bottom, right).
    """
    axes, inside = [], []
    windows = image_windows(image, size, stride, padding, dilation)
    for axis, extent in enumerate(image):
        pixels = np.asarray(windows[axis], int).reshape(-1, size[axis]).T
        axes.append(pixels)
        inside.append((pixels >= 0) & (pixels < extent))
    rows, columns = axes[0][:, None, :, None], axes[1][None, :, None, :]
    within = inside[0][:, None, :, None] & inside[1][None, :, None, :]
    flat = np.where(within, rows * image[1] + columns, -1)
    return flat.reshape(prod(size), -1)


def unfold(b: GraphBuilder, x: Tensor, found: np.ndarray) -> Tensor:
    """(samples, channels * taps, patches) of an image, by `places`."""
    pixels = shapes.reshape(b, x, (*x.shape[:2], prod(x.shape[2:])))
    columns = shapes.gather(b, pixels, 2, found.reshape(-1))
    return shapes.reshape(b, columns, (x.shape[0], x.shape[1] * len(found), -1))


def fold(b: GraphBuilder, x: Tensor, image: Pair, found: np.ndarray) -> Tensor:
    """The reverse: at each pixel of an image the sum of the patches' entries there."""
    channels = x.shape[1] // len(found)
    columns = shapes.reshape(b, x, (x.shape[0], channels, found.size))
    rows: list[Row] = [[] for _ in range(prod(image))]
    for entry, pixel in enumerate(found.reshape(-1)):
        if pixel >= 0:
            rows[pixel].append((entry, 1.0))
    return shapes.reshape(b, shapes.linear_map(b, columns, 2, rows), (x.shape[0], channels, *image))
