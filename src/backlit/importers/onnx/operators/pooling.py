"""Pooling, in one and two dimensions."""

from collections.abc import Sequence
from math import prod

from backlit.importers.builder import Tensor, arithmetic, pooling, reductions, shapes
from backlit.importers.builder.windows import image_windows, mean_rows, sum_rows
from backlit.importers.onnx.operators.convolution import (
    attribute,
    check_dimensions,
    cropped,
    padding_of,
)
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator


class Windows:
    """Where a pooling operator's windows lie."""

    def __init__(self, node: Operation) -> None:
        x = node.tensor()
        dimensions = check_dimensions(x)
        self.sizes = x.shape[2:]
        self.size = attribute(node, "kernel_shape", dimensions)
        self.stride = attribute(node, "strides", dimensions, 1)
        self.dilation = attribute(node, "dilations", dimensions, 1)
        self.padding = padding_of(node, x, self.size, self.stride, self.dilation)
        self.ceil_mode = bool(node.attributes.get("ceil_mode", 0))

    @property
    def plain(self) -> bool:
        """Whether the pooling layers take them as they are."""
        limits = zip(self.padding, self.size * 2, strict=True)
        return all(d == 1 for d in self.dilation) and all(0 <= 2 * p <= s for p, s in limits)

    def of_axes(self) -> list[list[range]]:
        """The places of each window along each axis."""
        return image_windows(
            self.sizes, self.size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


@operator("MaxPool", limits="1-D and 2-D; no indices")
def max_pool(context: Context, node: Operation) -> Outputs:
    node.only_first_output()
    windows = Windows(node)
    x, padding = cropped(context.builder, node.tensor(), windows.padding)
    dilation = windows.dilation
    return pooling.max_pool(
        context.builder, x, windows.size, windows.stride, padding, dilation, windows.ceil_mode
    )


@operator("AveragePool", limits="1-D and 2-D")
def average_pool(context: Context, node: Operation) -> Outputs:
    windows, padded = Windows(node), bool(node.attributes.get("count_include_pad", 0))
    if windows.plain:
        return pooling.average_pool(
            context.builder,
            node.tensor(),
            windows.size,
            windows.stride,
            windows.padding,
            windows.ceil_mode,
            padded,
        )
    x, after = node.tensor(), windows.padding[len(windows.size) :]
    for axis, along in enumerate(windows.of_axes()):
        rows = mean_rows(along, windows.sizes[axis], after[axis] if padded else None)
        x = shapes.linear_map(context.builder, x, 2 + axis, rows)
    return x


@operator("LpPool", limits="1-D and 2-D")
def lp_pool(context: Context, node: Operation) -> Outputs:
    windows, power = Windows(node), node.number("p", 1, 2.0)
    x = arithmetic.powers(context.builder, node.tensor(), power)
    for axis, along in enumerate(windows.of_axes()):
        x = shapes.linear_map(context.builder, x, 2 + axis, sum_rows(along, windows.sizes[axis]))
    return arithmetic.root(context.builder, x, power)


def spatial(x: Tensor) -> Sequence[int]:
    return range(2, len(x.shape))


@operator("GlobalAveragePool")
def global_average(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    return reductions.reduce(context.builder, "mean", x, spatial(x), True)


@operator("GlobalLpPool")
def global_lp(context: Context, node: Operation) -> Outputs:
    x, power = node.tensor(), node.number("p", 1, 2.0)
    raised = arithmetic.powers(context.builder, x, power)
    total = reductions.reduce(context.builder, "sum", raised, spatial(x), True)
    return arithmetic.root(context.builder, total, power)


@operator("GlobalMaxPool")
def global_maximum(context: Context, node: Operation) -> Outputs:
    """The first of equal maxima takes the gradient, as in a pooling window."""
    b, x = context.builder, node.tensor()
    size = prod(x.shape[2:])
    flat = shapes.reshape(b, x, (*x.shape[:2], size))
    largest = pooling.max_pool(b, flat, (size,), (size,), (0, 0))
    return shapes.reshape(b, largest, (*x.shape[:2], *(1 for _ in spatial(x))))
