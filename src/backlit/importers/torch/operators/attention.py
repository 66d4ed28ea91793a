"""Scaled dot-product attention."""

from backlit.importers.builder import Tensor, UnsupportedError, Value
from backlit.importers.builder.attention import attention
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
        raise UnsupportedError("enable_gqa=True")
    return attention(b, query, key, value, attn_mask, is_causal, scale)
