"""Pixels as channels, channels as pixels, and channels in another order."""

import numpy as np

from backlit.importers.builder import Tensor, shapes
from backlit.importers.torch.operators.table import TorchBuilder, operator


@operator("channel_shuffle")
def channel_shuffle(b: TorchBuilder, x: Tensor, groups: int) -> Tensor:
    order = np.arange(x.shape[1]).reshape(groups, -1).T.reshape(-1)
    return shapes.gather(b, x, 1, order)


@operator("pixel_shuffle")
def pixel_shuffle(b: TorchBuilder, x: Tensor, factor: int) -> Tensor:
    n, channels, height, width = x.shape
    blocks = shapes.reshape(b, x, (n, channels // factor**2, factor, factor, height, width))
    return shapes.reshape(b, shapes.transpose(b, blocks, (0, 1, 4, 2, 5, 3)), b.expected)


@operator("pixel_unshuffle")
def pixel_unshuffle(b: TorchBuilder, x: Tensor, factor: int) -> Tensor:
    n, channels, height, width = x.shape
    blocks = shapes.reshape(b, x, (n, channels, height // factor, factor, width // factor, factor))
    return shapes.reshape(b, shapes.transpose(b, blocks, (0, 1, 3, 5, 2, 4)), b.expected)
