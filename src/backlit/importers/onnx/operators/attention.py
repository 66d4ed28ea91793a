"""Attention as one operator."""

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, attention, shapes
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator

KNOWN = {"is_causal", "scale", "softcap", "q_num_heads", "kv_num_heads"}
KNOWN |= {"qk_matmul_output_mode", "softmax_precision"}
ABSENT = (4, 5, 6)  # keys and values of the past, lengths


@operator(
    "Attention",
    limits="as many heads of keys as of queries; the mask must be constant and hide no row as a "
    "whole; no past, lengths, softcap or windows; only the first output",
)
def attend(context: Context, node: Operation) -> Outputs:
    node.only_first_output()
    b, inputs, mask = context.builder, node.given(0, 1, 2), node.constant(3)
    heads = [int(node.attributes.get(f"{name}_num_heads", 0)) for name in ("q", "kv", "kv")]
    if node.attributes.get("softcap") or any(node.value(i) is not None for i in ABSENT):
        raise UnsupportedError("attention with a past, lengths or a softcap")
    if other := sorted(node.attributes.keys() - KNOWN):
        raise UnsupportedError(f"attention with {other}")

    def apart(value: Value, count: int) -> Value:
        """(samples, heads, places, width)"""
        if len(value.shape) == 4:
            return value
        if not count or value.shape[2] % count:
            raise ValueError(f"{count} heads of {value.shape[2]} features")
        shape = (*value.shape[:2], count, value.shape[2] // count)
        if isinstance(value, Tensor):
            return shapes.transpose(b, shapes.reshape(b, value, shape), (0, 2, 1, 3))
        return value.reshape(shape).transpose(0, 2, 1, 3)

    q, k, v = (apart(x, count) for x, count in zip(inputs, heads, strict=True))
    if q.shape[1] != k.shape[1]:
        raise UnsupportedError("attention with fewer heads of keys than of queries")
    mask = _whole(mask, q.shape[2], k.shape[2], bool(node.attributes.get("is_causal")))
    result = attention.scaled_dot_product(b, q, k, v, mask, scale=node.attributes.get("scale"))
    if len(inputs[0].shape) == 4:
        return result
    rows = shapes.transpose(b, result, (0, 2, 1, 3))
    return shapes.reshape(b, rows, (*rows.shape[:2], rows.shape[2] * rows.shape[3]))


def _whole(mask: np.ndarray | None, rows: int, columns: int, causal: bool) -> np.ndarray | None:
    """What is added to the scores, infinite where a place is hidden."""
    if mask is None and not causal:
        return None
    added = np.zeros((1, columns)) if mask is None else mask
    if added.dtype == bool:
        added = np.where(added, 0.0, -np.inf)
    around = [(0, 0)] * (added.ndim - 1) + [(0, columns - added.shape[-1])]
    added = np.pad(added, around, constant_values=-np.inf)  # what it does not speak of
    if causal:
        added = np.where(np.tri(rows, columns, dtype=bool), added, -np.inf)
    if np.isneginf(added).all(axis=-1).any():
        raise UnsupportedError("attention with a row of which all is hidden")
    return added
