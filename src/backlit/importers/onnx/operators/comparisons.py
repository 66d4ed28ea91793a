"""Comparisons, masks, and what is chosen by them."""

from collections.abc import Callable

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, Value
from backlit.importers.builder.patterns import softplus
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
    return context.builder.compare(COMPARISONS[node.kind], *node.given(0, 1))


@operator("Sign", limits="the derivative is 0")
def sign(context: Context, node: Operation) -> Outputs:
    return context.builder.sign(node.tensor())


@operator("Not")
def opposite(context: Context, node: Operation) -> Outputs:
    return context.builder.opposite(node.tensor())


def exactly_one(builder: GraphBuilder, a: Value, b: Value) -> Tensor:
    return builder.compare("not_equal", a, b)


OF_MASKS: dict[str, Callable[[GraphBuilder, Value, Value], Tensor]] = {
    "And": GraphBuilder.both,
    "Or": GraphBuilder.any_of,
    "Xor": exactly_one,
}


@operator(*OF_MASKS)
def of_masks(context: Context, node: Operation) -> Outputs:
    numbers = (v if isinstance(v, Tensor) else v.astype(np.float32) for v in node.given(0, 1))
    return OF_MASKS[node.kind](context.builder, *numbers)


@operator("Where", limits="what is not chosen must be finite, but constants")
def where(context: Context, node: Operation) -> Outputs:
    condition, a, b = node.given(0, 1, 2)
    if not isinstance(condition, Tensor):
        return context.builder.choose(condition.astype(bool), a, b)
    found = softplus(context.builder, condition, a, b)
    return context.builder.choose(condition, a, b) if found is None else found
