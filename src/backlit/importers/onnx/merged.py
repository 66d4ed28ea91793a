"""Tensors whose first axis is the samples' and another one together.

Models put rows of several samples under one another, ``(samples * rows, features)``, and take them
apart again. Such a tensor is kept as ``(samples, rows, features)``; operators that treat each row
alone are given that one, with their axes counted one further.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from backlit.importers.builder import Tensor, UnsupportedError, Value
from backlit.importers.onnx.context import (
    OPERATORS,
    AnyValue,
    Context,
    Merged,
    Operation,
    Outputs,
    axes_of,
)

# Operators of each entry, or of each row's last axes
ROWWISE = {"Abs", "Add", "Cast", "CastLike", "Celu", "Clip", "Div", "Dropout", "Elu", "Erf", "Exp"}
ROWWISE |= {"Gelu", "Gemm", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "MatMul"}
ROWWISE |= {"Max", "Mean", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu"}
ROWWISE |= {"Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tanh"}
ROWWISE |= {"ThresholdedRelu", "Where"}
# Those with an attribute "axis", and its default
BY_AXIS = {"Concat": 0, "Gather": 0, "LayerNormalization": -1, "LpNormalization": -1}
BY_AXIS |= {"LogSoftmax": -1, "RMSNormalization": -1, "Softmax": -1, "Split": 0}
OF_SHAPES = {"Flatten", "Reshape", "Shape", "Size", "Squeeze", "Unsqueeze"}


def reshaped(context: Context, x: Tensor, wanted: Sequence[int]) -> Tensor | Merged:
    """The same values in another shape, whose first axis may join the samples' with others."""
    sizes = [int(n) for n in wanted]
    if sizes.count(-1) == 1 and (known := -prod(sizes)):
        sizes[sizes.index(-1)] = prod(x.shape) // known
    batch = context.builder.batch
    if not sizes or sizes[0] == batch or sizes[0] % batch or prod(sizes) != prod(x.shape):
        return context.builder.reshape(x, sizes)
    rows = sizes[0] // batch
    return Merged(context.builder.reshape(x, (batch, rows, *sizes[1:])))


def run(context: Context, operation: Operation, inputs: Sequence[AnyValue | None]) -> Outputs:
    """An operation of which an input is merged."""
    kind, first = operation.kind, inputs[0]
    function = OPERATORS[kind]
    if kind in OF_SHAPES and isinstance(first, Merged):
        outer = Tensor(first.inner.number, first.shape)  # only its shape is looked at
        others = tuple(_inner(value, 0, kind) for value in inputs[1:])
        return function(context, replace(operation, inputs=(outer, *others)))
    rank = max(len(value.shape) for value in inputs if isinstance(value, Merged))
    given = replace(operation, inputs=tuple(_inner(value, rank, kind) for value in inputs))
    if kind not in ROWWISE:
        given = _shifted(context, given, rank)
    results = function(context, given)
    if isinstance(results, tuple):
        return tuple(Merged(r) if isinstance(r, Tensor) else r for r in results)
    return Merged(results) if isinstance(results, Tensor) else results


def _inner(value: AnyValue | None, rank: int, kind: str) -> Value | None:
    if isinstance(value, Merged):
        return value.inner
    if isinstance(value, Tensor):
        raise UnsupportedError("it combines samples with samples that are joined with other axes")
    if value is not None and value.ndim == rank and kind == "Concat":
        return value[None]
    return value


def _shifted(context: Context, operation: Operation, rank: int) -> Operation:
    """With axes counted one further. Of a single sample, axis 0 has no other's rows."""
    kind, attributes = operation.kind, dict(operation.attributes)

    def further(axes: Sequence[int]) -> list[int]:
        own = axes_of(axes, rank)
        if 0 in own and context.builder.batch != 1:
            raise UnsupportedError("an operation along the samples' axis")
        return [axis + 1 for axis in own]

    if kind in BY_AXIS:
        default = 1 if "Softmax" in kind and context.opset < 13 else BY_AXIS[kind]
        attributes["axis"] = further([int(attributes.get("axis", default))])[0]
        return replace(operation, attributes=attributes)
    if kind == "Transpose":
        order = list(attributes.get("perm") or range(rank)[::-1])
        if order[0] != 0 and context.builder.batch != 1:
            raise UnsupportedError("it moves the samples' axis")
        return replace(operation, attributes={"perm": [0, *(axis + 1 for axis in order)]})
    if kind.startswith("Reduce") and (axes := operation.integers("axes", 1)):
        attributes["axes"] = further(axes)
        return replace(operation, attributes=attributes, inputs=operation.inputs[:1])
    raise UnsupportedError("the samples' axis is joined with others before it")
