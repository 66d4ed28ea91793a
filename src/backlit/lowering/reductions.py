"""Reductions over axes, forward and backward."""

from backlit_kernels import strided

from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.lowering.arrange import copy, entries
from backlit.lowering.binary import Value, add_over, emit_pairs
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.strided import broadcast_steps, nest, steps_of
from backlit.operators import Reduce


def reduce_forward(lowering: Lowering, node: Node) -> None:
    """The first entry along the axes, with the others folded in one by one."""
    assert isinstance(node.layer, Reduce)
    x, y = node.inputs[0], node.output
    out = lowering.new_buffer(y)
    emit_reduce(lowering, node.layer.function, Value(x, lowering.activations[x]), Value(y, out))
    lowering.clear_border(y, out)
    lowering.activations[y] = out


def emit_reduce(lowering: Lowering, function: str, x: Value, out: Value) -> None:
    before, behind = lowering.layouts[x.tensor], lowering.layouts[out.tensor]
    steps = broadcast_steps(behind.shape, steps_of(behind), before.shape)
    place, target = entries(lowering, *x), entries(lowering, *out)
    if function == "add":
        lowering.fill_zero(out.buffer, behind.size)
        add_over(lowering, before.shape, place, steps_of(before), target, steps)
        return
    copy(lowering, behind.shape, place, steps_of(before), target, steps_of(behind))
    loops = nest(before.shape, [steps_of(before), steps], lowering.lanes)
    lowering.tape.emit(
        strided.reduce(function), x=place, out=target, run=loops.run, loops=loops.table
    )


def reduce_backward(lowering: Lowering, node: Node) -> None:
    assert isinstance(node.layer, Reduce)
    x, y = node.inputs[0], node.output
    g = Value(y, lowering.gradients[y])
    if node.layer.function == "add":
        _spread_back(lowering, x, g)
        return
    # of n equal extremes, each takes 1 / n
    values, extreme = Value(x, lowering.activations[x]), Value(y, lowering.activations[y])
    hit, count = Value(x, lowering.new_buffer(x)), Value(y, lowering.new_buffer(y))
    emit_pairs(lowering, "equal", values, extreme, hit)
    emit_reduce(lowering, "add", hit, count)
    share = Value(y, lowering.new_buffer(y))
    emit_pairs(lowering, "divide", g, count, share)

    def write(out: Buffer) -> None:
        emit_pairs(lowering, "multiply", hit, share, Value(x, out))
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


def _spread_back(lowering: Lowering, x: int, g: Value) -> None:
    def write(out: Buffer) -> None:
        spread(lowering, g, Value(x, out))
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


def spread(lowering: Lowering, y: Value, out: Value) -> None:
    """Repeat what stands in the layout of a reduction's output in that of its input."""
    own, full = lowering.layouts[y.tensor], lowering.layouts[out.tensor]
    steps = broadcast_steps(own.shape, steps_of(own), full.shape)
    place, target = entries(lowering, *y), entries(lowering, *out)
    copy(lowering, full.shape, place, steps, target, steps_of(full))


FORWARD[Reduce], BACKWARD[Reduce] = reduce_forward, reduce_backward
