"""Scaled dot-product attention."""

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, attention, shapes
from backlit.importers.torch.operators.table import TorchBuilder, operator


@operator("scaled_dot_product_attention")
def scaled_dot_product_attention(
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
    if dropout_p:
        raise UnsupportedError("dropout that is on in evaluation mode too")
    if enable_gqa:
        heads = query.shape[-3]
        key, value = (repeated(b, x, heads) for x in (key, value))
    return attention.scaled_dot_product(b, query, key, value, attn_mask, is_causal, scale)


def repeated(b: TorchBuilder, x: Value, heads: int) -> Value:
    """Each head as often as that there are so many; they are the third axis from the last."""
    times = heads // x.shape[-3]
    if not isinstance(x, Tensor):
        return np.repeat(x, times, -3)
    return shapes.gather(b, x, -3, np.repeat(np.arange(x.shape[-3]), times))
