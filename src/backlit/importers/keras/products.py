"""Matrix products of `keras.ops`."""

from typing import Any

import numpy as np

from backlit.importers.builder.attention import attention
from backlit.importers.builder.einsum import einsum
from backlit.importers.keras.builder import KerasBuilder, Tensor, UnsupportedError
from backlit.importers.keras.table import constant, operation


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
def dot(b: KerasBuilder, op: Any, first: Any, second: Any) -> Tensor:
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


@operation("DotProductAttention")
def of_heads(
    b: KerasBuilder, op: Any, query: Tensor, key: Tensor, value: Tensor, **more: Any
) -> Tensor:
    """Of (samples, places, heads, features)."""
    if op.attn_logits_soft_cap or more.keys() - {"scale"}:
        raise UnsupportedError(f"called with {', '.join(more)}")
    q, k, v = (b.reorder(x, (0, 2, 1, 3)) for x in (query, key, value))
    mixed = attention(b, q, k, v, causal=op.is_causal, scale=more.get("scale"))
    return b.hold(b.rearrange(mixed, (0, 2, 1, 3)))
