"""Matrix products of two tensors, forward and backward."""

from math import prod
from typing import NamedTuple

from backlit_kernels.matrices import product_of_matrices, tile_shape
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.instructions import Buffer, Place
from backlit.layers.base import Shape
from backlit.lowering.arrange import copy, entries
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.strided import Steps, compact_steps, nest, steps_of
from backlit.operators import MatMul

Sizes = tuple[int, int, int]  # rows, depth and columns of a product


class Matrices(NamedTuple):
    """Where matrices lie; steps in floats from one to the next, to a row's and a column's."""

    place: Place
    outer: Steps
    row: int
    column: int

    @property
    def steps(self) -> Steps:
        return (*self.outer, self.row, self.column)

    @property
    def transposed(self) -> "Matrices":
        return self._replace(row=self.column, column=self.row)


def matrices(lowering: Lowering, tensor: int, buffer: Buffer) -> Matrices:
    """Those of a tensor's last two axes, in a buffer with its layout."""
    *outer, row, column = steps_of(lowering.layouts[tensor])
    return Matrices(entries(lowering, tensor, buffer), tuple(outer), row, column)


def emit_matrices(
    lowering: Lowering, a: Matrices, b: Matrices, out: Matrices, outer: Shape, sizes: Sizes
) -> None:
    """out = a @ b, for so many matrices."""
    rows, _, columns = sizes
    if lowering.lanes > 1 or (columns >= LANES and out.column == 1):
        _emit_product(lowering, a, b, out, outer, sizes)
        return
    # whole vectors are written: to rows that have them
    whole = _in_rows(lowering, (*outer, rows, max(columns, LANES)))
    _emit_product(lowering, a, b, whole, outer, sizes)
    copy(lowering, (*outer, rows, columns), whole.place, whole.steps, out.place, out.steps)


def _emit_product(
    lowering: Lowering, a: Matrices, b: Matrices, out: Matrices, outer: Shape, sizes: Sizes
) -> None:
    rows, depth, columns = sizes
    lanes, packed = lowering.lanes, lowering.lanes == 1
    shape = tile_shape(rows, max(columns // LANES, 1) if packed else columns, packed)
    if packed:
        b = _pack(lowering, b, outer, depth, columns, shape[1] * LANES)
        out, columns, lanes = out._replace(column=LANES), max(columns, LANES), LANES
    loops = nest(outer, [a.outer, b.outer, out.outer], lanes, loops=2, run_axes=False)
    lowering.tape.emit(
        product_of_matrices(*shape, packed),
        a=a.place,
        b=b.place,
        out=out.place,
        lanes=lanes,
        height=rows,
        across=columns,
        depth=depth,
        a_row=a.row,
        a_depth=a.column,
        b_depth=b.row,
        b_column=b.column,
        out_row=out.row,
        out_column=out.column,
        loops=loops.table,
    )


def _pack(
    lowering: Lowering, b: Matrices, outer: Shape, depth: int, columns: int, width: int
) -> Matrices:
    """Matrices in panels of neighbouring columns, the last one overlapping that before."""
    whole, rest = divmod(columns, width)
    packed = _in_rows(lowering, (*outer, -(-columns // width) * depth, width))
    steps = *packed.outer, depth * width, width, 1
    if whole:
        panels = *b.outer, width * b.column, b.row, b.column
        copy(lowering, (*outer, whole, depth, width), b.place, panels, packed.place, steps)
    if rest:
        source = b.place.at(max(columns - width, 0) * b.column)
        target = packed.place.at(whole * depth * width)
        shape = *outer, depth, min(columns, width)
        copy(lowering, shape, source, b.steps, target, packed.steps)
    return packed._replace(column=LANES)


def _in_rows(lowering: Lowering, shape: Shape) -> Matrices:
    """Room for matrices of single samples."""
    *outer, row, column = compact_steps(shape, 1)
    return Matrices(lowering.tape.buffer(prod(shape)).at(0), tuple(outer), row, column)


def matmul_forward(lowering: Lowering, node: Node) -> None:
    a, b = (matrices(lowering, tensor, lowering.activations[tensor]) for tensor in node.inputs)
    out = lowering.new_buffer(node.output)
    outer, sizes = sizes_of(lowering, node)
    emit_matrices(lowering, a, b, matrices(lowering, node.output, out), outer, sizes)
    lowering.clear_border(node.output, out)
    lowering.activations[node.output] = out


def matmul_backward(lowering: Lowering, node: Node) -> None:
    """g bᵀ and aᵀ g."""
    a, b = (matrices(lowering, tensor, lowering.activations[tensor]) for tensor in node.inputs)
    g = matrices(lowering, node.output, lowering.gradients[node.output])
    outer, (rows, depth, columns) = sizes_of(lowering, node)

    def write_a(out: Buffer) -> None:
        target = matrices(lowering, node.inputs[0], out)
        emit_matrices(lowering, g, b.transposed, target, outer, (rows, columns, depth))
        lowering.clear_border(node.inputs[0], out)

    def write_b(out: Buffer) -> None:
        target = matrices(lowering, node.inputs[1], out)
        emit_matrices(lowering, a.transposed, g, target, outer, (depth, rows, columns))
        lowering.clear_border(node.inputs[1], out)

    lowering.contribute(node.inputs[0], write_a)
    lowering.contribute(node.inputs[1], write_b)


def sizes_of(lowering: Lowering, node: Node) -> tuple[Shape, Sizes]:
    """How many products, and their rows, depth and columns."""
    a, b = (lowering.layouts[tensor].shape for tensor in node.inputs)
    return a[:-2], (a[-2], a[-1], b[-1])


FORWARD[MatMul], BACKWARD[MatMul] = matmul_forward, matmul_backward
