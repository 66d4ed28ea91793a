"""Operators of any graph: two tensors, shapes, reductions, sparse matrices along an axis."""

import numpy as np

from backlit.exporters.onnx.writing import Writer, form
from backlit.graph import Node
from backlit.operators import (
    Add,
    AxisMap,
    Binary,
    Concatenate,
    Constant,
    MatMul,
    Reduce,
    Reshape,
    Transpose,
)

FUNCTIONS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "larger": "Max",
    "smaller": "Min",
    "raise_to": "Pow",
}


@form(Constant)
def constant(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, Constant)
    return writer.constant("values", node.layer.values[None])


@form(Add)
def add(writer: Writer, node: Node) -> str:
    return writer.emit("Add", writer.input(node, 0), writer.input(node, 1))


@form(Binary)
def binary(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, Binary)
    rank = len(writer.graph.shapes[node.output])
    both = [writer.of_rank(tensor, rank) for tensor in node.inputs]
    return writer.emit(FUNCTIONS[node.layer.function], *both)


@form(MatMul)
def matrix_product(writer: Writer, node: Node) -> str:
    return writer.emit("MatMul", writer.input(node, 0), writer.input(node, 1))


@form(Reduce)
def reduction(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, Reduce)
    axes = writer.integers("axes", [axis + 1 for axis in node.layer.axes])
    kind = {"add": "ReduceSum", "larger": "ReduceMax"}[node.layer.function]
    return writer.emit(kind, writer.input(node), axes, keepdims=1)


@form(Reshape)
def reshape(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, Reshape)
    shape = writer.integers("shape", (-1, *node.layer.shape))
    return writer.emit("Reshape", writer.input(node), shape)


@form(Transpose)
def transpose(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, Transpose)
    order = [0, *(axis + 1 for axis in node.layer.axes)]
    return writer.emit("Transpose", writer.input(node), perm=order)


@form(Concatenate)
def concatenate(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, Concatenate)
    if all(writer.is_fixed(tensor) for tensor in node.inputs):
        values = [writer.values[tensor] for tensor in node.inputs]
    else:
        values = [writer.repeated(tensor) for tensor in node.inputs]
    return writer.emit("Concat", *values, axis=node.layer.axis + 1)


# --- sparse matrices along an axis ----------------------------------------------------------------


@form(AxisMap)
def axis_map(writer: Writer, node: Node) -> str:
    """A selection of entries where it is one, else a matrix product along the axis."""
    layer, rank = node.layer, len(writer.shape(node)) + 1
    assert isinstance(layer, AxisMap)
    indices = _selected(layer)
    if indices is None:
        return _product(writer, writer.input(node), layer, rank)
    return _selection(writer, writer.input(node), layer, rank, indices)


def _selected(layer: AxisMap) -> np.ndarray | None:
    """The input of each output, -1 for none; None if outputs are more than one input each."""
    counts = np.diff(layer.starts)
    if (counts > 1).any() or (layer.weights != 1).any():
        return None
    indices = np.full(len(counts), -1)
    indices[counts == 1] = layer.columns
    return indices


def _selection(writer: Writer, x: str, layer: AxisMap, rank: int, indices: np.ndarray) -> str:
    axis = layer.axis + 1
    inside = np.flatnonzero(indices >= 0)
    if len(inside) == len(indices):
        return _entries(writer, x, axis, layer.size, indices)
    if len(inside) and len(inside) == inside[-1] - inside[0] + 1:  # zeros at the ends alone
        x = _entries(writer, x, axis, layer.size, indices[inside])
        return _pad(writer, x, axis, rank, inside[0], len(indices) - 1 - inside[-1])
    x = _pad(writer, x, axis, rank, 0, 1)
    wanted = np.where(indices < 0, layer.size, indices)
    return _entries(writer, x, axis, layer.size + 1, wanted)


def _entries(writer: Writer, x: str, axis: int, size: int, indices: np.ndarray) -> str:
    """Entries along an axis: a slice where they follow each other in equal steps."""
    if np.array_equal(indices, np.arange(size)):
        return x
    step = int(indices[1] - indices[0]) if len(indices) > 1 else 1
    if step > 0 and (np.diff(indices) == step).all():
        ends = {"starts": indices[0], "ends": indices[-1] + 1, "axes": axis, "steps": step}
        return writer.emit(
            "Slice", x, *(writer.integers(name, [int(n)]) for name, n in ends.items())
        )
    return writer.emit("Gather", x, writer.integers("indices", indices.tolist()), axis=axis)


def _pad(writer: Writer, x: str, axis: int, rank: int, before: int, after: int) -> str:
    pads = np.zeros((2, rank), np.int64)
    pads[:, axis] = before, after
    return writer.emit("Pad", x, writer.integers("padding", pads.reshape(-1).tolist()))


def _product(writer: Writer, x: str, layer: AxisMap, rank: int) -> str:
    outputs = len(layer.starts) - 1
    matrix = np.zeros((layer.size, outputs))
    rows = np.repeat(np.arange(outputs), np.diff(layer.starts))
    np.add.at(matrix, (layer.columns, rows), layer.weights)
    axis = layer.axis + 1
    if axis == rank - 2:
        return writer.emit("MatMul", writer.constant("matrix", matrix.T), x)
    weights = writer.constant("matrix", matrix)
    if axis == rank - 1:
        return writer.emit("MatMul", x, weights)
    swap = list(range(rank))
    swap[axis], swap[-1] = swap[-1], swap[axis]
    front = writer.emit("Transpose", x, perm=swap)
    return writer.emit("Transpose", writer.emit("MatMul", front, weights), perm=swap)
