"""Scaled dot-product attention."""

from math import sqrt

import numpy as np

from backlit.importers.builder import activations, arithmetic, products, shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, Value


def scaled_dot_product(
    b: GraphBuilder,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """``softmax(query key^T / sqrt(width) + mask) value``."""
    q, k, v = (x if isinstance(x, Tensor) else b.tensor(x, x.shape) for x in (query, key, value))
    rank = len(k.shape)
    flipped = shapes.transpose(b, k, (*range(rank - 2), rank - 1, rank - 2))
    factor = 1 / sqrt(q.shape[-1]) if scale is None else scale
    scores = products.matmul(b, arithmetic.scale(b, q, factor), flipped)
    hidden = [] if mask is None else [mask]
    if causal:
        hidden.append(np.tri(q.shape[-2], k.shape[-2], dtype=bool))
    for one in hidden:
        if not isinstance(one, Tensor) and one.dtype == bool:
            one = np.where(one, 0.0, -np.inf)
        scores = arithmetic.binary(b, "add", scores, one)
    return products.matmul(b, activations.softmax(b, scores, -1), v)
