"""Arithmetic of tensors and constants, with broadcasting."""

from collections.abc import Callable
from functools import reduce

import numpy as np

from backlit.importers.builder import Tensor, Value, arithmetic, patterns
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator

BINARY = {"Add": "add", "Sub": "subtract", "Div": "divide", "Pow": "raise_to"}


@operator(*BINARY)
def binary(context: Context, node: Operation) -> Outputs:
    return arithmetic.binary(context.builder, BINARY[node.kind], *node.given(0, 1))


@operator("Mul")
def multiply(context: Context, node: Operation) -> Outputs:
    return patterns.product(context.builder, *node.given(0, 1))


def fold(
    context: Context,
    node: Operation,
    function: str,
    of_constants: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Tensor:
    """A function of two made one of many; the constants among them are taken together first."""
    values = [value for value in node.inputs if value is not None]
    tensors: list[Value] = [value for value in values if isinstance(value, Tensor)]
    constants = [value for value in values if not isinstance(value, Tensor)]
    if constants:
        tensors.append(reduce(of_constants, constants))
    result = reduce(lambda x, y: arithmetic.binary(context.builder, function, x, y), tensors)
    assert isinstance(result, Tensor)
    return result


@operator("Sum")
def total(context: Context, node: Operation) -> Outputs:
    return fold(context, node, "add", np.add)


@operator("Mean")
def mean(context: Context, node: Operation) -> Outputs:
    result = fold(context, node, "add", np.add)
    return arithmetic.scale(context.builder, result, 1 / len(node.inputs))


@operator("Max")
def largest(context: Context, node: Operation) -> Outputs:
    return fold(context, node, "larger", np.maximum)


@operator("Min")
def smallest(context: Context, node: Operation) -> Outputs:
    return fold(context, node, "smaller", np.minimum)


@operator("Neg")
def negative(context: Context, node: Operation) -> Outputs:
    return arithmetic.negative(context.builder, node.tensor())


@operator("Trilu", limits="k must be constant")
def triangle(context: Context, node: Operation) -> Outputs:
    x, diagonal = node.tensor(), int(node.number("k", 1, 0))
    upper = bool(node.attributes.get("upper", 1))
    lower = np.tri(x.shape[-2], x.shape[-1], diagonal - upper)
    return arithmetic.binary(context.builder, "multiply", x, 1 - lower if upper else lower)
