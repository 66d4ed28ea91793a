"""Operators of tensors whose samples' axis is not the first, or is joined with others.

Models put rows of several samples under one another, ``(samples * rows, features)``, or move the
samples' axis, and undo that later. Operators that treat each sample alone are given the tensor
with the samples first, with their axes counted as there.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError, Value, moved, shapes
from backlit.importers.builder.moved import NOWHERE, Moved
from backlit.importers.onnx.operators.padding import amounts_of
from backlit.importers.onnx.operators.table import OPERATORS, Context, Operation, Outputs, axes_of

FIND_SAMPLES = {"Einsum", "Flatten", "GatherND", "Reshape", "Shape", "Size"}
FIND_SAMPLES |= {"Squeeze", "Transpose", "Unsqueeze"}
OF_EACH = {"Abs", "Cast", "CastLike", "Celu", "Clip", "Dropout", "Elu", "Erf", "Exp", "Gelu"}
OF_EACH |= {"HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Mish", "Neg"}
OF_EACH |= {"Reciprocal", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Swish"}
OF_EACH |= {"Ceil", "Cosh", "Floor", "Round", "Sinh", "Tan"}
OF_EACH |= {"Cos", "Not", "Shrink", "Sign", "Sin", "Tanh", "ThresholdedRelu"}
BROADCAST = {"Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum", "Where"}
BROADCAST |= {"And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor"}
# Those of each image, of which several may be joined with one sample
OF_IMAGES = {"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"}
# The same with weights, and the attribute that counts groups
WITH_WEIGHTS = {"Conv": "group", "GroupNormalization": "num_groups", "InstanceNormalization": ""}
# Those with an attribute "axis", and its default
BY_AXIS = {"Concat": 0, "Gather": 0, "LayerNormalization": -1, "LpNormalization": -1}
BY_AXIS |= {"LogSoftmax": -1, "RMSNormalization": -1, "Softmax": -1, "Split": 0}
TO_THE_END = {"LayerNormalization", "RMSNormalization"}  # from the axis on


def run(context: Context, operation: Operation) -> Outputs:
    """An operation of which an input is moved."""
    kind = operation.kind
    if kind in FIND_SAMPLES:
        return OPERATORS[kind](context, operation)
    if kind in OF_IMAGES | WITH_WEIGHTS.keys() or kind == "BatchNormalization":
        return _of_images(context, operation)
    if kind == "Expand":
        return moved.expanded(context.builder, operation.tensor(), operation.weights(1).tolist())
    inputs, x = _inner(context, operation)
    given, axis = replace(operation, inputs=inputs), x.axis
    if kind in BY_AXIS:
        given, axis = _by_axis(context, given, x)
    elif kind.startswith("Reduce"):
        given, axis = _reduction(given, x)
    elif kind == "Slice":
        given = _slice(given, x)
    elif kind == "Pad":
        given = _pad(given, x)
    elif kind in ("MatMul", "Gemm"):
        # the samples may be rows of the first factor, if the second one is constant
        if axis >= x.rank - (1 if isinstance(operation.value(1), np.ndarray) else 2):
            raise UnsupportedError("a matrix product over the samples' axis")
    elif kind not in OF_EACH | BROADCAST:
        raise UnsupportedError("the samples' axis is moved, or joined with others, before it")
    results = OPERATORS[kind](context, given)

    def back(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return moved.placed(context.builder, value, axis, x.before, x.after)

    return tuple(map(back, results)) if isinstance(results, tuple) else back(results)


def _inner(context: Context, operation: Operation) -> tuple[tuple[Value | None, ...], Moved]:
    """The inputs with the samples first, and one of those that have samples."""
    kind, b, values = operation.kind, context.builder, operation.inputs
    alike = kind in BROADCAST | {"MatMul"}
    rank = max(len(value.shape) for value in values if value is not None) if alike else 0
    tensors = [_of_rank(b, value, rank) for value in values if isinstance(value, Tensor)]
    x = tensors[0]
    if any((*y.place, y.rank) != (*x.place, x.rank) for y in tensors):
        raise UnsupportedError("it combines samples with samples that lie along other axes")

    def constant(value: np.ndarray) -> np.ndarray:
        if kind in BROADCAST | {"Concat"} or (kind == "MatMul" and value.ndim > 2):
            return moved.beside(value, x, b.batch, whole=kind == "Concat")
        return value

    inner = iter([y.inner for y in tensors])
    inputs = (
        next(inner) if isinstance(v, Tensor) else v if v is None else constant(v) for v in values
    )
    return tuple(inputs), x


def _of_rank(b: GraphBuilder, x: Tensor, rank: int) -> Moved:
    """With axes of extent 1 in front, until there are as many as asked for."""
    own = moved.as_moved(b, x)
    new = max(rank - own.rank, 0)
    if not new:
        return own
    inner = shapes.reshape(b, own.inner, (b.batch, *[1] * new, *own.inner.sample))
    axis = NOWHERE if own.axis == NOWHERE else own.axis + new
    return replace(own, shape=(*[1] * new, *own.shape), inner=inner, axis=axis)


def _axis(x: Moved, axis: int) -> int:
    """An axis of x, as one of its `inner`."""
    if axis == x.axis:
        raise UnsupportedError("an operation along the samples' axis")
    return axis + 1


def _by_axis(context: Context, operation: Operation, x: Moved) -> tuple[Operation, int]:
    """With its axis counted as in `inner`, and the samples' place in the result."""
    kind, attributes, position = operation.kind, dict(operation.attributes), x.axis
    flat = "Softmax" in kind and context.opset < 13
    axis = operation.axis(x.rank, 1 if flat else BY_AXIS[kind])
    if (flat or kind in TO_THE_END) and axis < x.axis:
        raise UnsupportedError("an operation along the samples' axis")
    attributes["axis"] = _axis(x, axis)
    if kind == "Gather" and axis < position:
        position += operation.weights(1).ndim - 1
    return replace(operation, attributes=attributes), position


def _reduction(operation: Operation, x: Moved) -> tuple[Operation, int]:
    axes = operation.integers("axes", 1)
    if not axes:
        raise UnsupportedError("an operation along the samples' axis")
    own = axes_of(axes, x.rank)
    attributes = operation.attributes | {"axes": [_axis(x, axis) for axis in own]}
    gone = 0 if attributes.get("keepdims", 1) else sum(axis < x.axis for axis in own)
    only = replace(operation, attributes=attributes, inputs=operation.inputs[:1])
    return only, x.axis - gone


def _of_images(context: Context, operation: Operation) -> Outputs:
    x, rest = moved.as_moved(context.builder, operation.tensor()), operation.inputs[1:]

    def call(image: Tensor, inputs: Sequence[Value | None], **attributes: Any) -> Tensor:
        merged = operation.attributes | attributes
        given = replace(operation, inputs=(image, *inputs), attributes=merged)
        result = OPERATORS[operation.kind](context, given)
        assert isinstance(result, Tensor)
        return result

    def of_groups(together: Tensor, count: int) -> Tensor:
        if operation.kind not in WITH_WEIGHTS:
            return call(together, rest)
        weights = (operation.constant(i) for i in range(1, len(operation.inputs)))
        tiled = [None if w is None else np.concatenate([w] * count) for w in weights]
        name = WITH_WEIGHTS[operation.kind]
        groups = {name: int(operation.attributes.get(name, 1)) * count} if name else {}
        return call(together, tiled, **groups)

    if operation.kind == "BatchNormalization":
        return moved.by_channels(context.builder, x, lambda inner: call(inner, rest))
    return moved.by_groups(context.builder, x, of_groups)


def _pad(operation: Operation, x: Moved) -> Operation:
    amounts = amounts_of(operation, x.rank)
    attributes = operation.attributes | {"axes": [_axis(x, axis) for axis, _, _ in amounts]}
    attributes["pads"] = [before for _, before, _ in amounts] + [after for *_, after in amounts]
    value = operation.constant(2)
    return replace(operation, attributes=attributes, inputs=(operation.inputs[0], None, value))


def _slice(operation: Operation, x: Moved) -> Operation:
    starts, axes = operation.integers("starts", 1) or [], operation.integers("axes", 3)
    own = axes_of(axes if axes is not None else range(len(starts)), x.rank)
    attributes: dict[str, Any] = {"starts": starts, "ends": operation.integers("ends", 2)}
    attributes["axes"] = [_axis(x, axis) for axis in own]
    attributes["steps"] = operation.integers("steps", 4) or [1] * len(starts)
    return replace(operation, attributes=attributes, inputs=operation.inputs[:1])
