"""Dense layers and matrix products."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, arithmetic, einsum, products, shapes
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.activations import activate
from backlit.importers.keras.operators.normalization import l2_normalize
from backlit.importers.keras.operators.table import (
    array,
    constant,
    kernel,
    layer,
    operation,
    optional,
)
from backlit.layers import Conv2D, Dense, Flatten
from backlit.operators import Reshape, Transpose


def units(
    b: KerasBuilder, x: Tensor, weights: np.ndarray, bias: np.ndarray | None = None
) -> Tensor:
    """``x @ weights + bias`` along Keras's last axis, of a value that is held."""
    if len(x.shape) == 2:
        x, weights = _in_any_order(b, x, np.asarray(weights, np.float32))
        return b.append(Dense(weights, bias), x)
    if not b.channels_last:
        return products.dense(b, x, weights, bias)
    rows = x.shape[2:] if len(x.shape) == 4 else (1, prod(x.shape[2:]))
    image = shapes.reshape(b, x, (b.batch, x.shape[1], *rows))
    layer = Conv2D(np.asarray(weights, np.float32).T[:, :, None, None], bias)
    result = b.append(layer, image)
    return shapes.reshape(b, result, (b.batch, result.shape[1], *x.shape[2:]))


def _in_any_order(b: KerasBuilder, x: Tensor, weights: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """A row of features and the weights for it, without transposing before flattening."""
    node = b.graph.producer(x.number)
    if node is None or not isinstance(node.layer, Flatten | Reshape):
        return x, weights
    before = b.graph.producer(node.inputs[0])
    if before is None or not isinstance(before.layer, Transpose):
        return x, weights
    source = b.of(before.inputs[0])
    order = np.arange(prod(source.sample)).reshape(source.sample)
    places = order.transpose(before.layer.axes).reshape(-1)
    permuted = np.empty_like(weights)
    permuted[places] = weights
    label, b.label = b.label, f"{node.name}.channels_first"
    row = layout.flatten(b, source)
    b.label = label
    return row, permuted


@layer("Dense")
def dense(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return activate(b, units(b, x, kernel(layer), optional(layer.bias)), layer.activation)


@layer("TimeDistributed")
def time_distributed(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    if type(layer.layer).__name__ != "Dense":
        raise UnsupportedError(f"around a {type(layer.layer).__name__}")
    return dense(b, layer.layer, x)


@layer("EinsumDense")
def einsum_dense(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    result = einsum.sum_of_products(b, layer.equation, [layout.reorder(b, x), kernel(layer)])
    if result.shape[0] != b.batch:
        raise UnsupportedError(f"equation={layer.equation!r}: the samples' axis is not the first")
    held = layout.hold(b, result)
    if layer.bias is not None:
        held = arithmetic.binary(b, "add", held, b.broadcast(array(layer.bias), len(held.shape)))
    return activate(b, held, layer.activation)


@layer("Dot")
def dot(b: KerasBuilder, layer: Any, values: Sequence[Tensor]) -> Tensor:
    """The sum over one axis of each, for every pair of places along the others."""
    axes = (layer.axes,) * 2 if isinstance(layer.axes, int) else layer.axes
    rows = []
    for value, axis in zip(values, axes, strict=True):
        rank = len(value.shape)
        if rank > 3:
            raise UnsupportedError(f"an input of shape {b.shape(value)}")
        others = [i for i in range(1, rank) if i != axis % rank]
        row = layout.reorder(b, value, [0, *others, axis % rank])
        row = shapes.reshape(b, row, (b.batch, -1, row.shape[-1]))
        if layer.normalize:
            row = l2_normalize(b, row, [2], 1e-6)
        rows.append(row)
    product = products.matmul(b, rows[0], shapes.transpose(b, rows[1], (0, 2, 1)))
    kept = [row.shape[1] for row, value in zip(rows, values, strict=True) if len(value.shape) == 3]
    return layout.hold(b, shapes.reshape(b, product, (b.batch, *(kept or [1]))))


# --- operations -----------------------------------------------------------------------------------


@operation("Matmul")
def matmul(b: KerasBuilder, op: Any, first: Any, second: Any) -> Tensor:
    if isinstance(first, Tensor) and not isinstance(second, Tensor):
        weights = constant(second, "a matrix")
        if weights.ndim == 2:
            return units(b, first, weights)
    values = [
        layout.reorder(b, v) if isinstance(v, Tensor) else constant(v, "") for v in (first, second)
    ]
    rank = max(len(value.shape) for value in values)
    whole = [v if isinstance(v, Tensor) else _of_rank(v, rank) for v in values]
    return layout.hold(b, products.matmul(b, *whole))


@operation("Dot")
def dot_operation(b: KerasBuilder, op: Any, first: Any, second: Any) -> Tensor:
    if not isinstance(first, Tensor) or isinstance(second, Tensor):
        raise UnsupportedError("a product over all axes but one of what depends on the input")
    return matmul(b, op, first, second)


def _of_rank(value: np.ndarray, rank: int) -> np.ndarray:
    return value.reshape((1,) * (rank - value.ndim) + value.shape)


@operation("Einsum")
def sum_of_products(b: KerasBuilder, op: Any, *values: Any) -> Tensor:
    given = [layout.reorder(b, v) if isinstance(v, Tensor) else constant(v, "") for v in values]
    result = einsum.sum_of_products(b, op.subscripts, given)
    if result.shape[0] != b.batch:
        raise UnsupportedError("the samples' axis is not the first")
    return layout.hold(b, result)
