"""Softmax along the last of several axes.

Single samples have kernels that read rows as they lie; else the classes are brought to the front.
"""

from math import prod

from backlit_kernels import scores, softmax_rows
from backlit_kernels.team import SMALL_ROOMS
from backlit_kernels.transposing import OUTER
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.instructions import Buffer, Operand
from backlit.layout import Layout
from backlit.lowering.arrange import copy, entries
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.planning import ELEMENTWISE
from backlit.lowering.strided import Steps, compact_steps, nest, steps_of
from backlit.operators import RowSoftmax


def forward(lowering: Lowering, node: Node) -> None:
    x, y = node.inputs[0], node.output
    source, out = lowering.activations[x], lowering.new_buffer(y)
    if rows := _rows(lowering, y):
        place, target = entries(lowering, x, source), entries(lowering, y, out)
        lowering.tape.emit(softmax_rows.softmax_rows, x=place, out=target, **rows)
    else:
        operands, lanes = classes_in_front(lowering, y)
        front = lowering.tape.buffer(lowering.layouts[y].size)
        lowering.tape.emit(
            scores.softmax(lanes), x=to_front(lowering, x, source), out=front, **operands
        )
        from_front(lowering, y, front, out)
    lowering.clear_border(y, out)
    lowering.activations[y] = out


def backward(lowering: Lowering, node: Node) -> None:
    x, y = node.inputs[0], node.output
    values, gradient = lowering.activations[y], lowering.gradients[y]

    def write(out: Buffer) -> None:
        if rows := _rows(lowering, y):
            lowering.tape.emit(
                softmax_rows.softmax_rows_backward,
                y=entries(lowering, y, values),
                g=entries(lowering, y, gradient),
                out=entries(lowering, x, out),
                **rows,
            )
        else:
            operands, lanes = classes_in_front(lowering, y)
            front = lowering.tape.buffer(lowering.layouts[y].size)
            lowering.tape.emit(
                scores.softmax_backward(lanes),
                y=to_front(lowering, y, values),
                g=to_front(lowering, y, gradient),
                out=front,
                **operands,
            )
            from_front(lowering, x, front, out)
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


def _rows(lowering: Lowering, tensor: int) -> dict[str, Operand] | None:
    """Operands that say where a tensor's rows lie, if there are whole squares of them."""
    layout = lowering.layouts[tensor]
    *outer, classes = layout.shape
    loops = nest(outer, [steps_of(layout)[:-1]], lowering.lanes, loops=OUTER + 1, run_axes=False)
    extents, steps = loops.table[:, : OUTER + 1].tolist()
    if lowering.lanes > 1 or min(extents[-1], classes) < LANES:
        return None
    return {
        "rows": extents[-1],
        "classes": classes,
        "row": steps[-1],
        "room": lowering.tape.buffer(SMALL_ROOMS * softmax_rows.ROOM),
        "loops": loops.table[:, :OUTER],
    }


def classes_in_front(lowering: Lowering, tensor: int) -> tuple[dict[str, int], int]:
    """Operands of softmax for what `to_front` makes, and the lanes its kernel is for."""
    *outer, classes = lowering.layouts[tensor].shape
    step = prod(outer) * lowering.lanes
    return {"classes": classes, "step": step}, LANES if step >= LANES else 1


def to_front(lowering: Lowering, tensor: int, buffer: Buffer) -> Buffer:
    """A tensor's values with the last axis first, and no borders."""
    layout = lowering.layouts[tensor]
    front, source = lowering.tape.buffer(layout.size), entries(lowering, tensor, buffer)
    steps = _steps_in_front(layout)
    copy(lowering, layout.shape, source, steps_of(layout), front.at(0), steps)
    return front


def from_front(lowering: Lowering, tensor: int, front: Buffer, out: Buffer) -> None:
    """The way back, to a buffer with the tensor's layout."""
    layout = lowering.layouts[tensor]
    target, steps = entries(lowering, tensor, out), _steps_in_front(layout)
    copy(lowering, layout.shape, front.at(0), steps, target, steps_of(layout))


def _steps_in_front(layout: Layout) -> Steps:
    outer = layout.shape[:-1]
    return (*compact_steps(outer, layout.lanes), prod(outer) * layout.lanes)


FORWARD[RowSoftmax], BACKWARD[RowSoftmax] = forward, backward
ELEMENTWISE.add(RowSoftmax)
