"""Matrix products of two tensors, forward and backward."""

from typing import NamedTuple

from backlit_kernels import strided

from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.lowering.arrange import entries
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.strided import Steps, nest, steps_of
from backlit.operators import MatMul


class Matrices(NamedTuple):
    """A tensor, where it lies, and the steps through it; its last two axes are matrices."""

    tensor: int
    buffer: Buffer
    steps: Steps

    @property
    def row(self) -> int:
        """From a row to the next."""
        return self.steps[-2]

    @property
    def column(self) -> int:
        return self.steps[-1]

    @property
    def transposed(self) -> "Matrices":
        return self._replace(steps=(*self.steps[:-2], self.column, self.row))


def matrices(lowering: Lowering, tensor: int, buffer: Buffer) -> Matrices:
    """Those of a tensor, in a buffer with its layout."""
    return Matrices(tensor, buffer, steps_of(lowering.layouts[tensor]))


def emit_contraction(
    lowering: Lowering, a: Matrices, b: Matrices, out: Matrices, sizes: tuple[int, int, int]
) -> None:
    """out = a @ b over the last two axes, of (rows, depth, columns)."""
    rows, depth, columns = sizes
    lanes = lowering.lanes
    outer = lowering.layouts[out.tensor].shape[:-2]
    outer_steps = [operand.steps[:-2] for operand in (a, b, out)]
    loops = nest(outer, outer_steps, lanes, loops=2, run_axes=False)
    # neighbouring columns of a single sample are taken together
    flat = lanes == 1 and b.column == out.column == 1
    lowering.tape.emit(
        strided.contract,
        a=entries(lowering, a.tensor, a.buffer),
        b=entries(lowering, b.tensor, b.buffer),
        out=entries(lowering, out.tensor, out.buffer),
        run=columns if flat else lanes,
        b_run=int(flat),
        rows=rows,
        columns=1 if flat else columns,
        depth=depth,
        a_row=a.row,
        a_depth=a.column,
        b_depth=b.row,
        b_column=b.column,
        out_row=out.row,
        out_column=out.column,
        loops=loops.table,
    )
    lowering.clear_border(out.tensor, out.buffer)


def matmul_forward(lowering: Lowering, node: Node) -> None:
    a, b = (matrices(lowering, tensor, lowering.activations[tensor]) for tensor in node.inputs)
    out = matrices(lowering, node.output, lowering.new_buffer(node.output))
    emit_contraction(lowering, a, b, out, sizes_of(lowering, node))
    lowering.activations[node.output] = out.buffer


def matmul_backward(lowering: Lowering, node: Node) -> None:
    """g bᵀ and aᵀ g."""
    a, b = (matrices(lowering, tensor, lowering.activations[tensor]) for tensor in node.inputs)
    g = matrices(lowering, node.output, lowering.gradients[node.output])
    rows, depth, columns = sizes_of(lowering, node)

    def write_a(out: Buffer) -> None:
        target = a._replace(buffer=out)
        emit_contraction(lowering, g, b.transposed, target, (rows, columns, depth))

    def write_b(out: Buffer) -> None:
        target = b._replace(buffer=out)
        emit_contraction(lowering, a.transposed, g, target, (depth, rows, columns))

    lowering.contribute(a.tensor, write_a)
    lowering.contribute(b.tensor, write_b)


def sizes_of(lowering: Lowering, node: Node) -> tuple[int, int, int]:
    """Rows, depth and columns of a product."""
    a, b = (lowering.layouts[tensor].shape for tensor in node.inputs)
    return a[-2], a[-1], b[-1]


FORWARD[MatMul], BACKWARD[MatMul] = matmul_forward, matmul_backward
