"""Masks, tensors of ones and zeros, and choices by them; their derivative is 0, as of any step."""

import numpy as np

from backlit.importers.builder import arithmetic
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, Value
from backlit.layers import Activation
from backlit.operators import AxisMap, Binary, Concatenate, Constant, Reduce, Reshape, Transpose

OPPOSITE = ("scale", (-1.0, 1.0))


def is_mask(b: GraphBuilder, x: Tensor) -> bool:
    """Whether a tensor holds ones and zeros only, by the operations that make it."""
    node = b.graph.producer(x.number)
    if node is None:
        return False
    layer = node.layer
    if isinstance(layer, Constant):
        return bool(np.isin(layer.values, (0, 1)).all())
    if isinstance(layer, Activation) and layer.name == "step":
        return layer.parameters[0] in (0, 1)
    turned = isinstance(layer, Activation) and (layer.name, layer.parameters) == OPPOSITE
    logic = isinstance(layer, Binary) and layer.function in ("multiply", "larger")
    moves = isinstance(layer, Reshape | Transpose | Concatenate)
    moves |= isinstance(layer, Reduce) and layer.function == "larger"
    if isinstance(layer, AxisMap):
        moves = bool((np.diff(layer.starts) <= 1).all() and (layer.weights == 1).all())
    known = turned or logic or moves
    return known and all(is_mask(b, b.of(number)) for number in node.inputs)


def opposite(b: GraphBuilder, mask: Tensor) -> Tensor:
    return arithmetic.scale(b, mask, -1.0, 1.0)


def both(b: GraphBuilder, x: Value, y: Value) -> Tensor:
    """Where two masks hold."""
    return arithmetic.binary(b, "multiply", x, y)


def any_of(b: GraphBuilder, x: Value, y: Value) -> Tensor:
    """Where one of two masks holds, or both."""
    return arithmetic.binary(b, "larger", x, y)


def choose(b: GraphBuilder, mask: Value, x: Value, y: Value) -> Tensor:
    """Where a mask holds, x, else y: what it takes from each side, added up."""
    if isinstance(mask, Tensor):
        return _choose_by_tensor(b, mask, x, y)
    parts: list[Value] = []
    for value, chosen in ((x, mask), (y, ~mask)):
        if isinstance(value, Tensor):
            parts.append(arithmetic.binary(b, "multiply", value, chosen.astype(np.float32)))
        else:  # not a product: infinity times zero is not zero
            parts.append(np.where(chosen, np.asarray(value), 0.0))
    return arithmetic.binary(b, "add", *parts)


def _choose_by_tensor(b: GraphBuilder, mask: Tensor, x: Value, y: Value) -> Tensor:
    """A tensor that is not finite where it is not chosen gives NaN, as its gradient would."""
    parts = []
    for value, share in ((x, mask), (y, opposite(b, mask))):
        if not isinstance(value, Tensor):
            value = np.clip(value, arithmetic.HIDDEN, -arithmetic.HIDDEN)
            if value.size == 1 and not value.any():
                continue
        parts.append(arithmetic.binary(b, "multiply", share, value))
    if len(parts) == 1:
        return parts[0]
    return arithmetic.binary(b, "add", *(parts or [mask, opposite(b, mask)]))
