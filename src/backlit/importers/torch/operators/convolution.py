"""Convolutions."""

from collections.abc import Sequence

from backlit.importers.builder import Tensor, Value, products
from backlit.importers.builder.windows import same_padding
from backlit.importers.torch.operators.table import (
    TorchBuilder,
    constant,
    image_axes,
    operator,
    spread,
    weights,
)

Sizes = int | Sequence[int]


@operator("conv1d", "conv2d")
def convolution(
    b: TorchBuilder,
    x: Tensor,
    weight: Value,
    bias: Value | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    kernel, offset = weights(weight, "a kernel"), constant(bias, "a bias")
    axes = image_axes(x)
    steps, spacing = spread(stride, axes), spread(dilation, axes)
    border: Sequence[int]
    if not isinstance(padding, str):
        border = spread(padding, axes) * 2
    elif padding == "same":
        border = same_padding(x.shape[2:], kernel.shape[2:], steps, spacing)
    else:  # "valid"
        border = [0] * 2 * axes
    return products.convolution(b, x, kernel, offset, steps, border, spacing, groups)


@operator("conv_transpose1d", "conv_transpose2d")
def transposed_convolution(
    b: TorchBuilder,
    x: Tensor,
    weight: Value,
    bias: Value | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    kernel, offset = weights(weight, "a kernel"), constant(bias, "a bias")
    axes = image_axes(x)
    border = spread(padding, axes) * 2
    return products.transposed_convolution(
        b,
        x,
        kernel,
        offset,
        spread(stride, axes),
        border,
        spread(dilation, axes),
        groups,
        spread(output_padding, axes),
    )


@operator("convolution")
def any_convolution(
    b: TorchBuilder,
    x: Tensor,
    weight: Value,
    bias: Value | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
) -> Tensor:
    if transposed:
        return transposed_convolution(
            b, x, weight, bias, stride, padding, output_padding, groups, dilation
        )
    return convolution(b, x, weight, bias, stride, padding, dilation, groups)
