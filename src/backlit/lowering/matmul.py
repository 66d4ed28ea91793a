"""Matrix products of two tensors, forward and backward."""

from backlit_kernels import strided

from backlit.graph import Node
from backlit.lowering.arrange import entries
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.strided import Steps, nest, steps_of
from backlit.operators import MatMul
from backlit.tape import Buffer

Operand = tuple[int, Buffer, Steps]  # a tensor, where it lies, its steps


def emit_contraction(
    lowering: Lowering, a: Operand, b: Operand, out: Operand, sizes: tuple[int, int, int]
) -> None:
    """out = a @ b over the last two axes, of (rows, depth, columns); steps may transpose."""
    rows, depth, columns = sizes
    lanes = lowering.lanes
    outer = lowering.layouts[out[0]].shape[:-2]
    outer_steps = [operand[2][:-2] for operand in (a, b, out)]
    loops = nest(outer, outer_steps, lanes, loops=2, run_axes=False)
    # neighbouring columns of a single sample are taken together
    flat = lanes == 1 and b[2][-1] == out[2][-1] == 1
    lowering.tape.emit(
        strided.contract,
        a=entries(lowering, a[0], a[1]),
        b=entries(lowering, b[0], b[1]),
        out=entries(lowering, out[0], out[1]),
        run=columns if flat else lanes,
        b_run=int(flat),
        rows=rows,
        columns=1 if flat else columns,
        depth=depth,
        a_row=a[2][-2],
        a_depth=a[2][-1],
        b_depth=b[2][-2],
        b_column=b[2][-1],
        out_row=out[2][-2],
        out_column=out[2][-1],
        loops=loops.table,
    )
    lowering.clear_border(out[0], out[1])


def steps(lowering: Lowering, tensor: int) -> Steps:
    return steps_of(lowering.layouts[tensor])


def transposed(axes: Steps) -> Steps:
    return (*axes[:-2], axes[-1], axes[-2])


def matmul_forward(lowering: Lowering, node: Node) -> None:
    a, b = node.inputs
    y = node.output
    out = lowering.new_buffer(y)
    rows, depth = lowering.layouts[a].shape[-2:]
    columns = lowering.layouts[b].shape[-1]
    emit_contraction(
        lowering,
        (a, lowering.activations[a], steps(lowering, a)),
        (b, lowering.activations[b], steps(lowering, b)),
        (y, out, steps(lowering, y)),
        (rows, depth, columns),
    )
    lowering.activations[y] = out


def matmul_backward(lowering: Lowering, node: Node) -> None:
    """g bᵀ and aᵀ g."""
    a, b = node.inputs
    y = node.output
    g = y, lowering.gradients[y], steps(lowering, y)
    rows, depth = lowering.layouts[a].shape[-2:]
    columns = lowering.layouts[b].shape[-1]

    def write_a(out: Buffer) -> None:
        other = b, lowering.activations[b], transposed(steps(lowering, b))
        emit_contraction(lowering, g, other, (a, out, steps(lowering, a)), (rows, columns, depth))

    def write_b(out: Buffer) -> None:
        other = a, lowering.activations[a], transposed(steps(lowering, a))
        emit_contraction(lowering, other, g, (b, out, steps(lowering, b)), (depth, rows, columns))

    lowering.contribute(a, write_a)
    lowering.contribute(b, write_b)


FORWARD[MatMul], BACKWARD[MatMul] = matmul_forward, matmul_backward
