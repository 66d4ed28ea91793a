"""Scaled dot-product attention."""

from math import sqrt

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value
from backlit.importers.torch.operators.table import TorchBuilder, operator


@operator("scaled_dot_product_attention")
def attention(
    b: TorchBuilder,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query key^T / sqrt(width) + mask) value``."""
    if dropout_p:
        raise UnsupportedError("dropout that is on in evaluation mode too")
    if enable_gqa:
        raise UnsupportedError("enable_gqa=True")
    q, k, v = (x if isinstance(x, Tensor) else b.tensor(x, x.shape) for x in (query, key, value))
    rank = len(k.shape)
    flipped = b.transpose(k, (*range(rank - 2), rank - 1, rank - 2))
    factor = 1 / sqrt(q.shape[-1]) if scale is None else scale
    scores = b.matmul(b.activation(q, "scale", factor=factor), flipped)
    if is_causal:
        attn_mask = np.tri(q.shape[-2], k.shape[-2], dtype=bool)
    if attn_mask is not None:
        if not isinstance(attn_mask, Tensor) and attn_mask.dtype == bool:
            attn_mask = np.where(attn_mask, 0.0, -np.inf)
        scores = b.binary("add", scores, attn_mask)
    return b.matmul(b.softmax(scores, -1), v)
