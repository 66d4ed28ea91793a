"""Functions of two tensors, forward and backward."""

from math import prod
from typing import NamedTuple

from backlit_kernels import elementwise, strided

from backlit.graph import Node
from backlit.instructions import Buffer, Place
from backlit.lowering.arrange import copy, entries
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.planning import ELEMENTWISE
from backlit.lowering.strided import Steps, broadcast_steps, compact_steps, nest, steps_of
from backlit.operators import Add, Binary

# --- the sum of two tensors of one shape ----------------------------------------------------------


def add_forward(lowering: Lowering, node: Node) -> None:
    a, b = (lowering.activations[t] for t in node.inputs)
    out = lowering.new_buffer(node.output)
    lowering.tape.emit(elementwise.add, a=a, b=b, out=out, size=lowering.layouts[node.output].size)
    lowering.activations[node.output] = out


def add_backward(lowering: Lowering, node: Node) -> None:
    """Both summands take the gradient as it is."""
    g = lowering.gradients[node.output]
    for tensor in node.inputs:
        lowering.share(tensor, g)


# --- functions of two tensors, which may repeat ---------------------------------------------------


class Value(NamedTuple):
    """A tensor, whose layout it has, and where it lies."""

    tensor: int
    buffer: Buffer


# The derivative by each operand: the names of a kernel of a and b that g is multiplied by; "a" and
# "b" for the operands themselves, "1" and "-1".
DERIVATIVES = {
    "add": ("1", "1"),
    "subtract": ("1", "-1"),
    "multiply": ("b", "a"),
    "divide": ("1/b", "divide_by_b"),
    "larger": ("larger_by_a", "smaller_by_a"),
    "smaller": ("smaller_by_a", "larger_by_a"),
    "raise_to": ("raise_to_by_a", "raise_to_by_b"),
}


def emit_pairs(lowering: Lowering, name: str, a: Value, b: Value, out: Value) -> None:
    """out = f(a, b), where a and b are repeated to its shape."""
    layouts = [lowering.layouts[value.tensor] for value in (a, b, out)]
    shape = layouts[-1].shape
    steps = [broadcast_steps(layout.shape, steps_of(layout), shape) for layout in layouts]
    loops = nest(shape, steps, lowering.lanes, may_fix=True)
    lowering.tape.emit(
        strided.binary(name),
        a=entries(lowering, *a),
        b=entries(lowering, *b),
        out=entries(lowering, *out),
        run=loops.run,
        a_fixed=loops.fixed[0],
        b_fixed=loops.fixed[1],
        loops=loops.table,
    )


def binary_forward(lowering: Lowering, node: Node) -> None:
    assert isinstance(node.layer, Binary)
    a, b = (Value(t, lowering.activations[t]) for t in node.inputs)
    out = lowering.new_buffer(node.output)
    emit_pairs(lowering, node.layer.function, a, b, Value(node.output, out))
    lowering.clear_border(node.output, out)
    lowering.activations[node.output] = out


def binary_backward(lowering: Lowering, node: Node) -> None:
    assert isinstance(node.layer, Binary)
    g = Value(node.output, lowering.gradients[node.output])
    a, b = (Value(t, lowering.activations[t]) for t in node.inputs)
    for tensor, rule in zip(node.inputs, DERIVATIVES[node.layer.function], strict=True):
        if tensor in lowering.moving:
            fold_back(lowering, tensor, times_derivative(lowering, rule, g, a, b))


def times_derivative(lowering: Lowering, rule: str, g: Value, a: Value, b: Value) -> Value:
    """A gradient times a derivative."""
    if rule == "1":
        return g
    out = Value(g.tensor, lowering.new_buffer(g.tensor))
    if rule in ("a", "b"):
        emit_pairs(lowering, "multiply", g, a if rule == "a" else b, out)
    elif rule == "1/b":
        emit_pairs(lowering, "divide", g, b, out)
    elif rule == "-1":
        emit_pairs(lowering, "opposite", g, g, out)
    else:
        emit_pairs(lowering, rule, a, b, out)
        emit_pairs(lowering, "multiply", out, g, out)
    return out


def fold_back(lowering: Lowering, tensor: int, term: Value) -> None:
    """Sum what a tensor is sent back over the axes along which it was repeated."""
    own, full = lowering.layouts[tensor], lowering.layouts[term.tensor]

    def write(out: Buffer) -> None:
        repeated = own.shape != full.shape
        if repeated:
            lowering.fill_zero(out, own.size)
        steps = broadcast_steps(own.shape, steps_of(own), full.shape)
        source = entries(lowering, *term)
        target = entries(lowering, tensor, out)
        if repeated:
            add_over(lowering, full.shape, source, steps_of(full), target, steps)
        else:
            copy(lowering, full.shape, source, steps_of(full), target, steps)
        lowering.clear_border(tensor, out)

    lowering.contribute(tensor, write)


def add_over(
    lowering: Lowering,
    shape: tuple[int, ...],
    source: Place,
    steps: Steps,
    target: Place,
    target_steps: Steps,
) -> None:
    """Add to a target that is repeated along some axes, one such axis at a time.

    Sums of sums keep digits that one long sum of float32 loses. The last axis comes last: until
    then, whole rows are added.
    """
    repeated = [axis for axis, n in enumerate(shape) if n > 1 and target_steps[axis] == 0]
    for axis in reversed(repeated[:-1]):
        rest = (*shape[:axis], 1, *shape[axis + 1 :])
        size = prod(rest) * lowering.lanes
        middle = lowering.tape.buffer(size).at(0)
        lowering.fill_zero(middle.buffer, size)
        compact = compact_steps(rest, lowering.lanes)
        folded = (*compact[:axis], 0, *compact[axis + 1 :])
        copy(lowering, shape, source, steps, middle, folded, accumulate=True)
        shape, source, steps = rest, middle, compact
    copy(lowering, shape, source, steps, target, target_steps, accumulate=True)


FORWARD[Add], BACKWARD[Add] = add_forward, add_backward
FORWARD[Binary], BACKWARD[Binary] = binary_forward, binary_backward
ELEMENTWISE.add(Add)
