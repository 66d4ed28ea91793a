"""Attention of several heads."""

from typing import Any

from backlit.importers.keras.builder import KerasBuilder, Tensor, UnsupportedError
from backlit.importers.keras.table import array, kernel, layer, optional


@layer("MultiHeadAttention")
def attention(
    b: KerasBuilder, layer: Any, query: Tensor, value: Tensor, key: Tensor | None = None
) -> Tensor:
    """``softmax(q k / sqrt(d)) v`` for each head, with dense layers before and after."""
    config = layer.get_config()
    for name in ("attention_axes", "output_shape", "sliding_window", "use_gate"):
        if config.get(name) and not (name == "attention_axes" and tuple(config[name]) == (1,)):
            raise UnsupportedError(f"{name}={config[name]}")
    if len(query.shape) != 3 or len(value.shape) != 3:
        raise UnsupportedError(f"an input of shape {b.shape(query)}")
    q = _heads(b, query, layer.query_dense)
    k = _heads(b, value if key is None else key, layer.key_dense)
    v = _heads(b, value, layer.value_dense)
    q = b.activation(q, "scale", factor=layer.key_dim**-0.5)
    shares = b.softmax(b.matmul(q, b.rearrange(k, (0, 1, 3, 2))), 3)
    mixed = b.rearrange(b.matmul(shares, v), (0, 2, 1, 3))
    together = b.hold(b.reshape(mixed, (*mixed.shape[:2], mixed.shape[2] * mixed.shape[3])))
    weights = kernel(layer.output_dense)
    return b.dense(
        together, weights.reshape(-1, weights.shape[-1]), optional(layer.output_dense.bias)
    )


def _heads(b: KerasBuilder, x: Tensor, dense: Any) -> Tensor:
    """A dense layer's result as (samples, heads, steps, features)."""
    weights = kernel(dense)  # (in, heads, features)
    _, heads, features = weights.shape
    bias = None if dense.bias is None else array(dense.bias).reshape(-1)
    row = b.reorder(b.dense(x, weights.reshape(len(weights), -1), bias))
    split = b.reshape(row, (*row.shape[:2], heads, features))
    return b.rearrange(split, (0, 2, 1, 3))
