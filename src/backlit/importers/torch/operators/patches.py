"""Sliding windows, laid out and put back together."""

from collections.abc import Sequence

import numpy as np

from backlit.importers.builder import Tensor, patches, shapes
from backlit.importers.builder.windows import windows_along
from backlit.importers.torch.operators.table import TorchBuilder, image_axes, operator

Pair = Sequence[int]


@operator("im2col")
def image_to_columns(
    b: TorchBuilder, x: Tensor, kernel_size: Pair, dilation: Pair, padding: Pair, stride: Pair
) -> Tensor:
    image_axes(x)
    found = patches.places(x.shape[2:], kernel_size, stride, [*padding] * 2, dilation)
    return patches.unfold(b, x, found)


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
    found = patches.places(output_size, kernel_size, stride, [*padding] * 2, dilation)
    return patches.fold(b, x, output_size, found)


@operator("unfold")
def windows_of_axis(b: TorchBuilder, x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows along an axis, whose entries are a last axis."""
    axis = dimension % len(x.shape)
    windows = windows_along(x.shape[axis], size, step)
    taken = shapes.gather(b, x, axis, np.ravel(windows))
    apart = shapes.reshape(b, taken, (*x.shape[:axis], len(windows), size, *x.shape[axis + 1 :]))
    order = [*range(axis + 1), *range(axis + 2, len(apart.shape)), axis + 1]
    return shapes.transpose(b, apart, order)
