"""Comparisons, masks, and what is chosen by them."""

from collections.abc import Callable

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, Value, comparisons, masks, patterns
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator

COMPARISONS = {
    "Greater": "greater",
    "Less": "less",
    "GreaterOrEqual": "greater_equal",
    "LessOrEqual": "less_equal",
    "Equal": "equal",
}


@operator(*COMPARISONS, limits="the derivative is 0")
def compare(context: Context, node: Operation) -> Outputs:
    return comparisons.compare(context.builder, COMPARISONS[node.kind], *node.given(0, 1))


@operator("Sign", limits="the derivative is 0")
def sign(context: Context, node: Operation) -> Outputs:
    return comparisons.sign(context.builder, node.tensor())


@operator("Not")
def opposite(context: Context, node: Operation) -> Outputs:
    return masks.opposite(context.builder, node.tensor())


def exactly_one(b: GraphBuilder, x: Value, y: Value) -> Tensor:
    return comparisons.compare(b, "not_equal", x, y)


OF_MASKS: dict[str, Callable[[GraphBuilder, Value, Value], Tensor]] = {
    "And": masks.both,
    "Or": masks.any_of,
    "Xor": exactly_one,
}


@operator(*OF_MASKS)
def of_masks(context: Context, node: Operation) -> Outputs:
    numbers = (v if isinstance(v, Tensor) else v.astype(np.float32) for v in node.given(0, 1))
    return OF_MASKS[node.kind](context.builder, *numbers)


@operator("Where", limits="what is not chosen must be finite, but constants")
def where(context: Context, node: Operation) -> Outputs:
    b = context.builder
    condition, x, y = node.given(0, 1, 2)
    if not isinstance(condition, Tensor):
        return masks.choose(b, condition.astype(bool), x, y)
    found = patterns.softplus(b, condition, x, y)
    return masks.choose(b, condition, x, y) if found is None else found
