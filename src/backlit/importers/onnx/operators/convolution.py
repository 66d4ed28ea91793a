"""Convolutions and transposed convolutions, in one and two dimensions."""

from collections.abc import Sequence

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError, products, shapes
from backlit.importers.builder.windows import halves, same_padding
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator

AUTO_PAD = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def check_dimensions(x: Tensor) -> int:
    """The number of spatial dimensions, which must be 1 or 2."""
    dimensions = len(x.shape) - 2
    if dimensions not in (1, 2):
        raise UnsupportedError(
            f"its input's samples, of shape {x.sample}, have {dimensions} spatial dimensions; 1 "
            "or 2 are supported"
        )
    return dimensions


def attribute(node: Operation, name: str, count: int, default: int | None = None) -> list[int]:
    """So many numbers, all of them the default where the attribute is left out or empty."""
    given = [int(n) for n in node.attributes.get(name) or ()]
    if not given and default is not None:
        return [default] * count
    if len(given) != count:
        raise ValueError(f"its {name} must be {count} numbers, not {given}")
    return given


def weights_of(node: Operation, dimensions: int) -> np.ndarray:
    """Those of a convolution, of two axes of channels and so many spatial dimensions."""
    weights = node.weights(1)
    if weights.ndim != dimensions + 2:
        raise ValueError(f"its weights of shape {weights.shape} must have {dimensions + 2} axes")
    size = list(weights.shape[2:])
    if list(node.attributes.get("kernel_shape") or size) != size:
        given = node.attributes["kernel_shape"]
        raise ValueError(f"its kernel_shape {given} is not that of its weights, {size}")
    return weights


def padding_of(
    node: Operation, x: Tensor, size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """(before ..., after ...), explicit or automatic."""
    dimensions = len(size)
    automatic = node.choice("auto_pad", *AUTO_PAD)
    if automatic == "VALID":
        return [0] * 2 * dimensions
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        odd_after = automatic == "SAME_UPPER"
        return same_padding(x.shape[2:], size, stride, dilation, odd_after=odd_after)
    return attribute(node, "pads", 2 * dimensions, 0)


def cropped(b: GraphBuilder, x: Tensor, padding: list[int]) -> tuple[Tensor, list[int]]:
    """Take negative padding away from an image; returns what padding remains."""
    dimensions = len(padding) // 2
    for axis in range(dimensions):
        before, after = min(padding[axis], 0), min(padding[axis + dimensions], 0)
        x = shapes.pad(b, x, 2 + axis, before, after)
    return x, [max(n, 0) for n in padding]


def bias_of(node: Operation) -> np.ndarray | None:
    bias = node.constant(2)
    return None if bias is None else bias.reshape(-1)


@operator("Conv", limits="1-D and 2-D; weights and bias must be constant")
def convolution(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    dimensions = check_dimensions(x)
    weights = weights_of(node, dimensions)
    stride = attribute(node, "strides", dimensions, 1)
    dilation = attribute(node, "dilations", dimensions, 1)
    padding = padding_of(node, x, weights.shape[2:], stride, dilation)
    x, padding = cropped(context.builder, x, padding)
    groups = int(node.attributes.get("group", 1))
    return products.convolution(
        context.builder, x, weights, bias_of(node), stride, padding, dilation, groups
    )


@operator("ConvTranspose", limits="1-D and 2-D; weights and bias must be constant")
def transposed_convolution(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    dimensions = check_dimensions(x)
    weights = weights_of(node, dimensions)
    stride = attribute(node, "strides", dimensions, 1)
    dilation = attribute(node, "dilations", dimensions, 1)
    extra = attribute(node, "output_padding", dimensions, 0)
    automatic = node.choice("auto_pad", *AUTO_PAD)
    wanted = node.attributes.get("output_shape")
    reaches = [(n - 1) * d + 1 for n, d in zip(weights.shape[2:], dilation, strict=True)]
    sizes = zip(x.shape[2:], stride, reaches, extra, strict=True)
    whole = [(size - 1) * s + reach + e for size, s, reach, e in sizes]
    if wanted is None and automatic in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [size * s for size, s in zip(x.shape[2:], stride, strict=True)]
    if wanted is not None:
        totals = [n - int(w) for n, w in zip(whole, list(wanted)[-dimensions:], strict=True)]
        extra = [e + max(-total, 0) for e, total in zip(extra, totals, strict=True)]
        cuts = [max(total, 0) for total in totals]
        padding = halves(cuts, odd_after=automatic == "SAME_UPPER")
    elif automatic == "VALID":
        padding = [0] * 2 * dimensions
    else:
        padding = attribute(node, "pads", 2 * dimensions, 0)
    groups = int(node.attributes.get("group", 1))
    return products.transposed_convolution(
        context.builder, x, weights, bias_of(node), stride, padding, dilation, groups, extra
    )
