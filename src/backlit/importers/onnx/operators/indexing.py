"""Operators that take parts of tensors or put them together."""

from math import prod

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError, moved, shapes
from backlit.importers.builder.moved import NOWHERE
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, axes_of, operator


@operator("Concat", limits="not along the samples' axis")
def concatenate(context: Context, node: Operation) -> Outputs:
    values = [value for value in node.inputs if value is not None and value.shape != (0,)]
    rank = max(len(value.shape) for value in values)
    return shapes.concatenate(context.builder, values, node.axis(rank))


@operator("Split", limits="not along the samples' axis")
def split(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    axis = node.axis(len(x.shape), 0)
    sizes = node.integers("split", 1)
    if sizes is None:
        count = int(node.attributes.get("num_outputs", len(node.outputs)))
        largest = -(-x.shape[axis] // count)
        sizes = [largest] * (count - 1) + [x.shape[axis] - largest * (count - 1)]
    ends = np.cumsum(sizes).tolist()
    if sum(sizes) != x.shape[axis] or min(sizes) < 0:
        shape = context.builder.shown(x.shape)
        raise ValueError(f"its sizes {sizes} are not those of axis {axis} of shape {shape}")
    return tuple(
        shapes.gather(context.builder, x, axis, range(end - size, end)) if name else None
        for name, size, end in zip(node.outputs, sizes, ends, strict=True)
    )


@operator("Slice", limits="not along the samples' axis; positions must be constant")
def slice_(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    starts, ends = node.integers("starts", 1) or [], node.integers("ends", 2) or []
    axes = node.integers("axes", 3)
    axes = list(range(len(starts))) if axes is None else axes_of(axes, len(x.shape))
    steps = node.integers("steps", 4) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        wanted = range(x.shape[axis])[start:end:step]
        if not wanted:
            shape = context.builder.shown(x.shape)
            raise UnsupportedError(f"it leaves nothing of axis {axis} of shape {shape}")
        if len(wanted) != x.shape[axis] or step != 1:
            x = shapes.gather(context.builder, x, axis, wanted)
    return x


def places_along(b: GraphBuilder, x: Tensor, axis: int, indices: np.ndarray) -> np.ndarray:
    """Indices counted from the front of an axis."""
    size = x.shape[axis]
    if ((indices < -size) | (indices >= size)).any():
        shape = b.shown(x.shape)
        raise ValueError(f"its indices are outside of axis {axis} of shape {shape}")
    return indices % size


@operator("Gather", limits="not along the samples' axis; indices must be constant")
def gather(context: Context, node: Operation) -> Outputs:
    b, x = context.builder, node.tensor()
    axis = node.axis(len(x.shape), 0)
    indices = places_along(b, x, axis, node.weights(1))
    taken = shapes.gather(b, x, axis, indices.reshape(-1))
    return shapes.reshape(b, taken, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@operator("GatherElements", limits="not along the samples' axis; indices must be constant")
def gather_elements(context: Context, node: Operation) -> Outputs:
    b, x = context.builder, node.tensor()
    axis = node.axis(len(x.shape), 0)
    return shapes.take_along(b, x, axis, places_along(b, x, axis, node.weights(1)))


@operator(
    "GatherND",
    limits="not along the samples' axis, which exporters move behind the others before; indices "
    "must be constant, batch_dims 0",
)
def gather_nd(context: Context, node: Operation) -> Outputs:
    """The entries at places along the first axes, of any number of them."""
    b, places = context.builder, node.weights(1)
    x = moved.as_moved(b, node.tensor())
    if node.attributes.get("batch_dims"):
        raise UnsupportedError(f"batch_dims is {node.attributes['batch_dims']}, not 0")
    *outer, depth = places.shape
    sizes = x.shape[:depth]
    if depth > x.rank or ((places < np.negative(sizes)) | (places >= sizes)).any():
        shape = b.shown(x.shape)
        raise ValueError(f"its indices are outside of the first axes of shape {shape}")
    if NOWHERE != x.axis < depth:
        raise UnsupportedError("an operation along the samples' axis")
    axis = x.axis if x.axis == NOWHERE else x.axis - depth + len(outer)
    flat = np.ravel_multi_index(tuple(np.moveaxis(places % sizes, -1, 0)), sizes)
    rest = x.inner.sample[depth:]
    rows = shapes.reshape(b, x.inner, (b.batch, prod(sizes), *rest))
    taken = shapes.gather(b, rows, 1, flat.reshape(-1))
    result = shapes.reshape(b, taken, (b.batch, *outer, *rest))
    return moved.placed(b, result, axis, x.before, x.after)
