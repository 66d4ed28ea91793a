"""Convolutions."""

from collections.abc import Sequence

from backlit.importers.builder import Tensor, Value
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
    if isinstance(padding, str):
        total = [d * (n - 1) for d, n in zip(spacing, kernel.shape[2:], strict=True)]
        same = padding == "same"
        before = tuple(n // 2 if same else 0 for n in total)
        after = tuple(n - n // 2 if same else 0 for n in total)
    else:
        before = after = spread(padding, axes)
    return b.convolution(x, kernel, offset, steps, (*before, *after), spacing, groups)


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
    return b.transposed_convolution(
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
