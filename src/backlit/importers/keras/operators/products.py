"""Dense layers and matrix products."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder.einsum import einsum
from backlit.importers.keras.builder import KerasBuilder, Tensor, UnsupportedError
from backlit.importers.keras.operators.activations import activate
from backlit.importers.keras.operators.table import (
    array,
    constant,
    kernel,
    layer,
    operation,
    optional,
)


@layer("Dense")
def dense(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return activate(b, b.units(x, kernel(layer), optional(layer.bias)), layer.activation)


@layer("TimeDistributed")
def time_distributed(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    if type(layer.layer).__name__ != "Dense":
        raise UnsupportedError(f"around a {type(layer.layer).__name__}")
    return dense(b, layer.layer, x)


@layer("EinsumDense")
def einsum_dense(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    result = einsum(b, layer.equation, [b.reorder(x), kernel(layer)])
    if result.shape[0] != b.batch:
        raise UnsupportedError(f"equation={layer.equation!r}: the samples' axis is not the first")
    held = b.hold(result)
    if layer.bias is not None:
        held = b.binary("add", held, b.broadcast(array(layer.bias), len(held.shape)))
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
        row = b.reorder(value, [0, *others, axis % rank])
        row = b.reshape(row, (b.batch, -1, row.shape[-1]))
        if layer.normalize:
            row = b.l2_normalize(row, [2], 1e-6)
        rows.append(row)
    product = b.matmul(rows[0], b.transpose(rows[1], (0, 2, 1)))
    kept = [row.shape[1] for row, value in zip(rows, values, strict=True) if len(value.shape) == 3]
    return b.hold(b.reshape(product, (b.batch, *(kept or [1]))))


# --- operations -----------------------------------------------------------------------------------


@operation("Matmul")
def matmul(b: KerasBuilder, op: Any, first: Any, second: Any) -> Tensor:
    if isinstance(first, Tensor) and not isinstance(second, Tensor):
        weights = constant(second, "a matrix")
        if weights.ndim == 2:
            return b.units(first, weights)
    values = [b.reorder(v) if isinstance(v, Tensor) else constant(v, "") for v in (first, second)]
    rank = max(len(value.shape) for value in values)
    whole = [v if isinstance(v, Tensor) else _of_rank(v, rank) for v in values]
    return b.hold(b.matmul(*whole))


@operation("Dot")
def dot_operation(b: KerasBuilder, op: Any, first: Any, second: Any) -> Tensor:
    if not isinstance(first, Tensor) or isinstance(second, Tensor):
        raise UnsupportedError("a product over all axes but one of what depends on the input")
    return matmul(b, op, first, second)


def _of_rank(value: np.ndarray, rank: int) -> np.ndarray:
    return value.reshape((1,) * (rank - value.ndim) + value.shape)


@operation("Einsum")
def sum_of_products(b: KerasBuilder, op: Any, *values: Any) -> Tensor:
    given = [b.reorder(v) if isinstance(v, Tensor) else constant(v, "") for v in values]
    result = einsum(b, op.subscripts, given)
    if result.shape[0] != b.batch:
        raise UnsupportedError("the samples' axis is not the first")
    return b.hold(result)
