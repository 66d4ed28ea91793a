"""Dense layers, matrix products, and convolutions in one and two dimensions."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import numpy as np

from backlit.importers.builder import shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, UnsupportedError, Value
from backlit.layers import Conv2D, ConvTranspose2D, Dense
from backlit.operators import AxisMap, MatMul


def dense(
    b: GraphBuilder, x: Tensor, weights: np.ndarray, bias: np.ndarray | None = None
) -> Tensor:
    """``x @ weights + bias`` along the last axis; weights are (in, out)."""
    return b.append(Dense(weights, bias), x)


def matmul(b: GraphBuilder, x: Value, y: Value) -> Tensor:
    """NumPy's matmul of a tensor and a constant, or of two tensors of one rank."""
    if isinstance(x, Tensor) and not isinstance(y, Tensor):
        y = np.asarray(y)
        if y.ndim == 1:
            product = dense(b, x, y[:, None])
            return shapes.reshape(b, product, product.shape[:-1])
        if y.ndim > 2 and prod(y.shape[:-2]) == 1:
            y = y.reshape(y.shape[-2:])
        if y.ndim == 2:
            return dense(b, x, y)
    if isinstance(y, Tensor) and not isinstance(x, Tensor):
        x = np.asarray(x)
        rank = len(y.shape)
        if rank < 3:
            raise UnsupportedError("a matrix product that mixes samples")
        if x.ndim == 2:
            swap = (*range(rank - 2), rank - 1, rank - 2)
            return shapes.transpose(b, dense(b, shapes.transpose(b, y, swap), x.T), swap)
    return _of_tensors(b, x, y)


def _of_tensors(b: GraphBuilder, x: Value, y: Value) -> Tensor:
    """A matrix product for each sample; a constant is the same one for all."""
    shape = x.shape if isinstance(x, Tensor) else y.shape
    first, second = b.tensor(x, shape), b.tensor(y, shape)
    rank = max(len(first.shape), len(second.shape))
    if len(first.shape) != len(second.shape) or rank < 3:
        both = f"{b.shown(first.shape)} and {b.shown(second.shape)}"
        raise UnsupportedError(f"a matrix product of shapes {both}")
    outer = np.broadcast_shapes(first.sample[:-2], second.sample[:-2])
    first = shapes.expand(b, first, (b.batch, *outer, *first.sample[-2:]))
    second = shapes.expand(b, second, (b.batch, *outer, *second.sample[-2:]))
    return b.append(MatMul(), first, second)


def convolution(
    b: GraphBuilder,
    x: Tensor,
    weights: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """A convolution in one or two dimensions; weights are (out, in / groups, ...).

    `padding` is (top, left, bottom, right), or (before, after) in one dimension, where
    `stride` and `dilation` have one entry.
    """
    if len(x.shape) == 3:
        return _of_one_row(b, convolution, x, weights, bias, stride, padding, dilation, groups)
    x, padding = _with_padding(b, x, padding)
    layer = Conv2D(weights, bias, tuple(stride), tuple(padding), tuple(dilation), groups)
    return b.append(layer, x)


def transposed_convolution(
    b: GraphBuilder,
    x: Tensor,
    weights: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    output_padding: Sequence[int] = (0, 0),
) -> Tensor:
    """A transposed convolution; weights are (in, out / groups, ...). Otherwise as above."""
    if len(x.shape) == 3:
        convolve = partial(transposed_convolution, output_padding=(0, output_padding[0]))
        return _of_one_row(b, convolve, x, weights, bias, stride, padding, dilation, groups)
    layer = ConvTranspose2D(
        weights,
        bias,
        tuple(stride),
        tuple(padding),
        tuple(dilation),
        groups,
        tuple(output_padding),
    )
    return b.append(layer, x)


def _of_one_row(
    b: GraphBuilder,
    convolve: Callable[..., Tensor],
    x: Tensor,
    weights: np.ndarray,
    bias: np.ndarray | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """A convolution in one dimension: that of an image of one row."""
    image = shapes.reshape(b, x, (*x.shape[:2], 1, x.shape[2]))
    filters = np.asarray(weights)[:, :, None]
    before, after = padding
    row = (1, stride[0]), (0, before, 0, after), (1, dilation[0])
    result = convolve(b, image, filters, bias, *row, groups)
    return shapes.reshape(b, result, (*result.shape[:2], result.shape[3]))


def _with_padding(
    b: GraphBuilder, x: Tensor, padding: Sequence[int]
) -> tuple[Tensor, Sequence[int]]:
    """An image before it was padded with zeros, and all padding together."""
    total = list(padding)
    while (node := b.graph.producer(x.number)) and isinstance(node.layer, AxisMap):
        amounts = node.layer.zeros_around()
        if amounts is None or node.layer.axis == 0:
            break
        total[node.layer.axis - 1] += amounts[0]
        total[node.layer.axis + 1] += amounts[1]
        x = b.of(node.inputs[0])
    return x, total
