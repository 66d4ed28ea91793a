"""Attention."""

from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, attention, shapes
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.products import units
from backlit.importers.keras.operators.table import array, kernel, layer, operation, optional


@layer("MultiHeadAttention", "GroupedQueryAttention")
def of_heads(
    b: KerasBuilder,
    layer: Any,
    query: Tensor,
    value: Tensor,
    key: Tensor | None = None,
    use_causal_mask: bool = False,
) -> Tensor:
    """``softmax(q k / sqrt(d)) v`` for each head, with dense layers before and after."""
    for name in ("sliding_window", "use_gate"):
        if layer.get_config().get(name):
            raise UnsupportedError(f"{name}=True")
    axes = list(range(1, len(query.shape) - 1))
    if list(getattr(layer, "_attention_axes", None) or axes) != axes:
        raise UnsupportedError(f"attention_axes={layer.get_config()['attention_axes']}")
    q = _heads(b, query, _dense(layer, "query"))
    k = _heads(b, value if key is None else key, _dense(layer, "key"))
    v = _heads(b, value, _dense(layer, "value"))
    repeats = np.repeat(np.arange(k.shape[1]), q.shape[1] // k.shape[1])
    k, v = shapes.gather(b, k, 1, repeats), shapes.gather(b, v, 1, repeats)
    mixed = attention.scaled_dot_product(b, q, k, v, causal=use_causal_mask)
    rows = layout.rearrange(b, mixed, (0, 2, 1, 3))
    joined = (*b.shape(query)[:-1], rows.shape[2] * rows.shape[3])
    together = layout.hold(b, shapes.reshape(b, rows, joined))
    dense = _dense(layer, "output")
    weights = kernel(dense)
    if weights.ndim != 3:
        raise UnsupportedError(f"output_shape={layer.get_config()['output_shape']}")
    return units(b, together, weights.reshape(-1, weights.shape[-1]), optional(dense.bias))


def _dense(layer: Any, name: str) -> Any:
    """One of the dense layers, which the two kinds of layers call otherwise."""
    return getattr(layer, f"{name}_dense", None) or getattr(layer, f"_{name}_dense")


def _heads(b: KerasBuilder, x: Tensor, dense: Any) -> Tensor:
    """A dense layer's result as (samples, heads, places, features)."""
    weights = kernel(dense)  # (in, heads, features)
    _, heads, features = weights.shape
    bias = None if dense.bias is None else array(dense.bias).reshape(-1)
    row = layout.reorder(b, units(b, x, weights.reshape(len(weights), -1), bias))
    split = shapes.reshape(b, row, (b.batch, -1, heads, features))
    return layout.rearrange(b, split, (0, 2, 1, 3))


@layer("Attention")
def plain(
    b: KerasBuilder, layer: Any, values: list[Tensor], use_causal_mask: bool = False
) -> Tensor:
    """Attention of a query, a value and perhaps a key, as they are."""
    if layer.score_mode != "dot":
        raise UnsupportedError(f"score_mode={layer.score_mode!r}")
    q, v, *more = (layout.reorder(b, value) for value in values)
    k = more[0] if more else v
    scale = float(array(layer.scale)) if layer.use_scale else 1.0
    mixed = attention.scaled_dot_product(b, q, k, v, causal=use_causal_mask, scale=scale)
    return layout.hold(b, mixed)


@operation("DotProductAttention")
def dot_product_attention(
    b: KerasBuilder, op: Any, query: Tensor, key: Tensor, value: Tensor, **more: Any
) -> Tensor:
    """Of (samples, places, heads, features)."""
    if op.attn_logits_soft_cap or more.keys() - {"scale"}:
        raise UnsupportedError(f"called with {', '.join(more)}")
    q, k, v = (layout.reorder(b, x, (0, 2, 1, 3)) for x in (query, key, value))
    mixed = attention.scaled_dot_product(b, q, k, v, causal=op.is_causal, scale=more.get("scale"))
    return layout.hold(b, layout.rearrange(b, mixed, (0, 2, 1, 3)))
