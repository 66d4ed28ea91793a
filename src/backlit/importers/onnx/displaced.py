"""Tensors whose samples' axis is not the first, or is joined with the one behind it.

Models put rows of several samples under one another, ``(samples * rows, features)``, or move the
samples' axis, and undo that later. Such a tensor is kept with the samples first; operators that
treat each sample alone are given that one, with their axes counted as there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value
from backlit.importers.onnx.context import OPERATORS, Context, Operation, Outputs, axes_of


@dataclass(frozen=True)
class Displaced(Tensor):
    """`shape` as the model has it, with the samples in axis `position`.

    `inner` has the samples first and the other axes in order; if they are `joined` with rows, the
    rows are an axis of their own there. Only for operators that look at shapes alone it may pass
    as a tensor.
    """

    inner: Tensor
    position: int
    joined: bool

    def lies_as(self, other: "Displaced") -> bool:
        places = [(len(x.shape), x.position, x.joined) for x in (self, other)]
        return places[0] == places[1]

    def axis(self, axis: int) -> int:
        """An axis of the model's shape, as one of `inner`."""
        if axis == self.position and not (self.joined and self.inner.shape[0] == 1):
            raise UnsupportedError("an operation along the samples' axis")
        return axis + 1 if axis < self.position or self.joined else axis


def placed(inner: Tensor, position: int, joined: bool) -> Tensor:
    """A tensor whose samples are to be found at some axis."""
    if position == 0 and not joined:
        return inner
    samples, *shape = inner.shape
    if joined:
        shape[position] *= samples
    else:
        shape.insert(position, samples)
    return Displaced(inner.number, tuple(shape), inner, position, joined)


def reshaped(context: Context, x: Tensor, wanted: Sequence[int]) -> Tensor:
    """The same values in another shape."""
    inner, position = (x.inner, x.position) if isinstance(x, Displaced) else (x, 0)
    batch, sizes = context.builder.batch, [int(n) for n in wanted]
    if sizes.count(-1) == 1 and (known := -prod(sizes)):
        sizes[sizes.index(-1)] = prod(x.shape) // known
    before = prod(x.shape[:position]) if batch > 1 else 1
    for place, size in enumerate(sizes if prod(sizes) == prod(x.shape) else []):
        if prod(sizes[:place]) == before and size % batch == 0:
            rows = [size // batch] if size != batch else []
            shape = (batch, *sizes[:place], *rows, *sizes[place + 1 :])
            return placed(context.builder.reshape(inner, shape), place, bool(rows))
    raise UnsupportedError(f"reshaping {x.shape} to {tuple(wanted)} mixes samples")


def transposed(context: Context, x: Tensor, order: Sequence[int]) -> Tensor:
    """Axis i of the result is axis ``order[i]`` of x."""
    if not isinstance(x, Displaced):
        x = Displaced(x.number, x.shape, x, 0, False)
    position, inner_order = list(order).index(x.position), [0]
    for axis in order:
        if axis != x.position:
            inner_order.append(x.axis(axis))
        elif x.joined:
            inner_order.append(axis + 1)
    return placed(context.builder.transpose(x.inner, inner_order), position, x.joined)


OF_SHAPES = {"Flatten", "Reshape", "Shape", "Size", "Squeeze", "Transpose", "Unsqueeze"}
OF_EACH = {"Abs", "Cast", "CastLike", "Celu", "Clip", "Dropout", "Elu", "Erf", "Exp", "Gelu"}
OF_EACH |= {"HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Mish", "Neg"}
OF_EACH |= {"Reciprocal", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Swish"}
OF_EACH |= {"Tanh", "ThresholdedRelu"}
BROADCAST = {"Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum", "Where"}
# Those with an attribute "axis", and its default
BY_AXIS = {"Concat": 0, "Gather": 0, "LayerNormalization": -1, "LpNormalization": -1}
BY_AXIS |= {"LogSoftmax": -1, "RMSNormalization": -1, "Softmax": -1, "Split": 0}
TO_THE_END = {"LayerNormalization", "RMSNormalization"}  # from the axis on


def run(context: Context, operation: Operation) -> Outputs:
    """An operation of which an input is displaced."""
    kind = operation.kind
    if kind in OF_SHAPES:
        return OPERATORS[kind](context, operation)
    x = next(value for value in operation.inputs if isinstance(value, Displaced))
    inputs = tuple(_inner(kind, value, x) for value in operation.inputs)
    given, position = replace(operation, inputs=inputs), x.position
    if kind in BY_AXIS:
        given, position = _by_axis(context, given, x)
    elif kind.startswith("Reduce"):
        given, position = _reduction(given, x)
    elif kind == "Slice":
        given = _slice(given, x)
    elif kind in ("MatMul", "Gemm"):
        # the samples may be rows of the first factor, if the second one is constant
        last = len(x.shape) - (2 if isinstance(operation.value(1), np.ndarray) else 3)
        if position > last:
            raise UnsupportedError("a matrix product over the samples' axis")
    elif kind not in OF_EACH | BROADCAST:
        raise UnsupportedError("the samples' axis is moved, or joined with others, before it")
    results = OPERATORS[kind](context, given)

    def back(value: Any) -> Any:
        return placed(value, position, x.joined) if isinstance(value, Tensor) else value

    return tuple(map(back, results)) if isinstance(results, tuple) else back(results)


def _inner(kind: str, value: Value | None, x: Displaced) -> Value | None:
    if isinstance(value, Tensor):
        if isinstance(value, Displaced) and value.lies_as(x):
            return value.inner
        raise UnsupportedError("it combines samples with samples that lie along other axes")
    if value is None or not (
        kind in BROADCAST | {"Concat"} or (kind == "MatMul" and value.ndim > 2)
    ):
        return value
    own = x.position - (len(x.shape) - value.ndim)  # the samples' axis there
    if kind == "Concat":
        return value[None] if x.joined else np.moveaxis(value, own, 0)
    if own < 0 or x.joined:
        return value
    if value.shape[own] != 1:
        raise UnsupportedError("a constant that differs from sample to sample")
    return value.squeeze(own)


def _by_axis(context: Context, operation: Operation, x: Displaced) -> tuple[Operation, int]:
    """With its axis counted as in `inner`, and the samples' place in the result."""
    kind, attributes, position = operation.kind, dict(operation.attributes), x.position
    flat = "Softmax" in kind and context.opset < 13
    axis = int(attributes.get("axis", 1 if flat else BY_AXIS[kind])) % len(x.shape)
    if (flat or kind in TO_THE_END) and axis < position:
        raise UnsupportedError("an operation along the samples' axis")
    attributes["axis"] = x.axis(axis)
    if kind == "Gather" and axis < position:
        position += operation.weights(1).ndim - 1
    return replace(operation, attributes=attributes), position


def _reduction(operation: Operation, x: Displaced) -> tuple[Operation, int]:
    axes = operation.integers("axes", 1)
    if not axes:
        raise UnsupportedError("an operation along the samples' axis")
    own = axes_of(axes, len(x.shape))
    attributes = operation.attributes | {"axes": [x.axis(axis) for axis in own]}
    gone = 0 if attributes.get("keepdims", 1) else sum(axis < x.position for axis in own)
    only = replace(operation, attributes=attributes, inputs=operation.inputs[:1])
    return only, x.position - gone


def _slice(operation: Operation, x: Displaced) -> Operation:
    starts, axes = operation.integers("starts", 1) or [], operation.integers("axes", 3)
    own = axes_of(axes if axes is not None else range(len(starts)), len(x.shape))
    attributes: dict[str, Any] = {"starts": starts, "ends": operation.integers("ends", 2)}
    attributes["axes"] = [x.axis(axis) for axis in own]
    attributes["steps"] = operation.integers("steps", 4) or [1] * len(starts)
    return replace(operation, attributes=attributes, inputs=operation.inputs[:1])
