"""Operators that change shapes, and those that do nothing at inference."""

from collections.abc import Sequence
from math import prod

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, masks, moved, shapes
from backlit.importers.builder.moved import Moved
from backlit.importers.builder.values import axis_from_front
from backlit.importers.onnx.folding import DRAWS, draws
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, axes_of, operator


@operator("Identity")
def identity(context: Context, node: Operation) -> Outputs:
    return node.tensor()


@operator("Dropout", limits="inference only; no mask")
def dropout(context: Context, node: Operation) -> Outputs:
    node.only_first_output()
    if draws(node.kind, (None, node.constant(1), node.constant(2))):
        raise UnsupportedError(f"it is in training mode: {DRAWS}")
    return node.tensor()


FLOATS = (1, 10, 11, 16)  # TensorProto.FLOAT, FLOAT16, DOUBLE, BFLOAT16


@operator(
    "Cast",
    limits="to float16, bfloat16, float32 or float64, but of masks; all is computed in float32",
)
def cast(context: Context, node: Operation) -> Outputs:
    if node.attributes["to"] not in FLOATS and not masks.is_mask(context.builder, node.tensor()):
        raise UnsupportedError("it rounds")
    return node.tensor()


@operator("CastLike", limits="to float16, bfloat16, float32 or float64; all is computed in float32")
def cast_like(context: Context, node: Operation) -> Outputs:
    value, like = node.value(0), node.value(1)
    if isinstance(value, np.ndarray):  # like a tensor that depends on the input: float32
        return value.astype(np.float32)
    if isinstance(like, np.ndarray) and like.dtype not in (np.float16, np.float32, np.float64):
        raise UnsupportedError("it rounds")
    return node.tensor()


@operator("Shape")
def shape(context: Context, node: Operation) -> Outputs:
    sizes = np.array(node.tensor().shape, np.int64)
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return sizes[start:end]


@operator("Size")
def size(context: Context, node: Operation) -> Outputs:
    return np.array(prod(node.tensor().shape), np.int64)


def reshaped(context: Context, x: Tensor, wanted: Sequence[int]) -> Tensor:
    """The same values in another shape, which may hold one -1."""
    b = context.builder
    sizes = [int(n) for n in wanted]
    if sizes.count(-1) == 1 and (known := -prod(sizes)):
        sizes[sizes.index(-1)] = prod(x.shape) // known
    if prod(sizes) != prod(x.shape):
        raise UnsupportedError(f"reshaping {b.shown(x.shape)} to {b.shown(wanted)} mixes samples")
    if not isinstance(x, Moved) and sizes[:1] == [b.batch]:
        return shapes.reshape(b, x, sizes)
    return moved.reshaped(b, x, sizes)


def transposed(context: Context, x: Tensor, order: Sequence[int]) -> Tensor:
    """Axis i of the result is axis ``order[i]`` of x."""
    if not isinstance(x, Moved) and order[0] == 0:
        return shapes.transpose(context.builder, x, order)
    return moved.permuted(context.builder, x, order)


MAY_MOVE = "may move the samples' axis, or join it with others (see above)"


@operator("Flatten", limits=MAY_MOVE)
def flatten(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    rank, axis = len(x.shape), int(node.attributes.get("axis", 1))
    axis = rank if axis == rank else axis_from_front(axis, rank)  # behind all: one column
    return reshaped(context, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


@operator("Reshape", limits=MAY_MOVE)
def reshape(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    wanted = node.weights(1).tolist()
    if not node.attributes.get("allowzero"):
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return reshaped(context, x, wanted)


@operator("Transpose", limits=MAY_MOVE)
def transpose(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    rank = len(x.shape)
    order = axes_of(node.attributes.get("perm") or range(rank)[::-1], rank)
    if len(order) != rank:
        raise ValueError(f"its perm {order} is not an order of the axes of a tensor of rank {rank}")
    return transposed(context, x, order)


@operator("Squeeze", limits=MAY_MOVE)
def squeeze(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    axes = node.integers("axes", 1)
    if axes is None:
        axes = [axis for axis, n in enumerate(x.shape) if n == 1]
    gone = axes_of(axes, len(x.shape))
    if any(x.shape[axis] != 1 for axis in gone):
        shape = context.builder.shown(x.shape)
        raise UnsupportedError(f"its axes {axes} of shape {shape} are not of extent 1")
    return reshaped(context, x, [n for axis, n in enumerate(x.shape) if axis not in gone])


@operator("Unsqueeze", limits=MAY_MOVE)
def unsqueeze(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    axes = node.integers("axes", 1) or []
    rank = len(x.shape) + len(axes)
    new = axes_of(axes, rank)
    sizes = iter(x.shape)
    return reshaped(context, x, [1 if axis in new else next(sizes) for axis in range(rank)])


@operator("Expand", limits="must keep the samples' axis; the shape must be constant")
def expand(context: Context, node: Operation) -> Outputs:
    return shapes.expand(context.builder, node.tensor(), node.weights(1).tolist())


@operator("Tile", limits="must keep the samples' axis; repeats must be constant")
def tile(context: Context, node: Operation) -> Outputs:
    x, repeats = node.tensor(), node.weights(1).tolist()
    if len(repeats) != len(x.shape):
        raise ValueError(f"its repeats {repeats} are not one for each of {len(x.shape)} axes")
    for axis, count in enumerate(repeats):
        if count != 1:
            x = shapes.gather(context.builder, x, axis, list(range(x.shape[axis])) * int(count))
    return x
