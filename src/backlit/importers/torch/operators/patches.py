"""Sliding windows, laid out and put back together."""

from collections.abc import Sequence

import numpy as np

from backlit.importers.builder import Tensor
from backlit.importers.builder.patches import fold, places, unfold
from backlit.importers.builder.windows import windows_along
from backlit.importers.torch.operators.table import TorchBuilder, image_axes, operator

Pair = Sequence[int]


@operator("im2col")
def image_to_columns(
    b: TorchBuilder, x: Tensor, kernel_size: Pair, dilation: Pair, padding: Pair, stride: Pair
) -> Tensor:
    image_axes(x)
    return unfold(b, x, places(x.shape[2:], kernel_size, stride, [*padding] * 2, dilation))


@operator("col2im")
def columns_to_image(
    b: TorchBuilder,
    x: Tensor,
    output_size: Pair,
    kernel_size: Pair,
    dilation: Pair,
    padding: Pair,
    stride: Pair,
) -> Tensor:
    found = places(output_size, kernel_size, stride, [*padding] * 2, dilation)
    return fold(b, x, output_size, found)


@operator("unfold")
def windows_of_axis(b: TorchBuilder, x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows along an axis, whose entries are a last axis."""
    axis = dimension % len(x.shape)
    windows = windows_along(x.shape[axis], size, step)
    taken = b.gather(x, axis, np.ravel(windows))
    apart = b.reshape(taken, (*x.shape[:axis], len(windows), size, *x.shape[axis + 1 :]))
    order = [*range(axis + 1), *range(axis + 2, len(apart.shape)), axis + 1]
    return b.transpose(apart, order)
