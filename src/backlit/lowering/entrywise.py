"""Operators of two tensors and reductions, forward and backward."""

from math import prod

from backlit_kernels import elementwise, strided

from backlit.graph import Node
from backlit.lowering.arrange import copy, entries
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.planning import ELEMENTWISE
from backlit.lowering.strided import Steps, broadcast_steps, compact_steps, nest, steps_of
from backlit.operators import Add, Binary, Reduce
from backlit.tape import Buffer, Place

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

Value = tuple[int, Buffer]  # a tensor, whose layout it has, and where it lies

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


def emit_pairs(
    lowering: Lowering, name: str, shape: tuple[int, ...], a: Value, b: Value, out: Value
) -> None:
    """out = f(a, b) over a shape that a and b are repeated to."""
    layouts = [lowering.layouts[tensor] for tensor, _ in (a, b, out)]
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
    a, b = ((t, lowering.activations[t]) for t in node.inputs)
    out = lowering.new_buffer(node.output)
    shape = lowering.layouts[node.output].shape
    emit_pairs(lowering, node.layer.function, shape, a, b, (node.output, out))
    lowering.clear_border(node.output, out)
    lowering.activations[node.output] = out


def binary_backward(lowering: Lowering, node: Node) -> None:
    assert isinstance(node.layer, Binary)
    y = node.output
    a, b = ((t, lowering.activations[t]) for t in node.inputs)
    for tensor, rule in zip(node.inputs, DERIVATIVES[node.layer.function], strict=True):
        fold_back(lowering, tensor, y, times_derivative(lowering, rule, y, a, b))


def times_derivative(lowering: Lowering, rule: str, y: int, a: Value, b: Value) -> Buffer:
    """The gradient of tensor y times a derivative, in y's layout."""
    g = y, lowering.gradients[y]
    shape = lowering.layouts[y].shape
    if rule == "1":
        return g[1]
    out = lowering.new_buffer(y)
    if rule in ("a", "b"):
        emit_pairs(lowering, "multiply", shape, g, a if rule == "a" else b, (y, out))
    elif rule == "1/b":
        emit_pairs(lowering, "divide", shape, g, b, (y, out))
    elif rule == "-1":
        emit_pairs(lowering, "opposite", shape, g, g, (y, out))
    else:
        emit_pairs(lowering, rule, shape, a, b, (y, out))
        emit_pairs(lowering, "multiply", shape, (y, out), g, (y, out))
    return out


def fold_back(lowering: Lowering, tensor: int, y: int, term: Buffer) -> None:
    """Sum what stands in y's layout over the axes along which a tensor was repeated."""
    own, full = lowering.layouts[tensor], lowering.layouts[y]

    def write(out: Buffer) -> None:
        repeated = own.shape != full.shape
        if repeated:
            lowering.fill_zero(out, own.size)
        steps = broadcast_steps(own.shape, steps_of(own), full.shape)
        source = entries(lowering, y, term)
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


# --- reductions -----------------------------------------------------------------------------------


def reduce_forward(lowering: Lowering, node: Node) -> None:
    """The first entry along the axes, with the others folded in one by one."""
    assert isinstance(node.layer, Reduce)
    x, y = node.inputs[0], node.output
    out = lowering.new_buffer(y)
    emit_reduce(lowering, node.layer.function, x, y, lowering.activations[x], out)
    lowering.clear_border(y, out)
    lowering.activations[y] = out


def emit_reduce(
    lowering: Lowering, function: str, x: int, y: int, source: Buffer, out: Buffer
) -> None:
    before, behind = lowering.layouts[x], lowering.layouts[y]
    steps = broadcast_steps(behind.shape, steps_of(behind), before.shape)
    place, target = entries(lowering, x, source), entries(lowering, y, out)
    if function == "add":
        lowering.fill_zero(out, behind.size)
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
    shape = lowering.layouts[x].shape
    g = lowering.gradients[y]
    if node.layer.function == "add":
        _spread_back(lowering, x, y, g)
        return
    # of n equal extremes, each takes 1 / n
    values, extreme = (x, lowering.activations[x]), (y, lowering.activations[y])
    hit, count = (x, lowering.new_buffer(x)), (y, lowering.new_buffer(y))
    emit_pairs(lowering, "equal", shape, values, extreme, hit)
    emit_reduce(lowering, "add", x, y, hit[1], count[1])
    share = y, lowering.new_buffer(y)
    emit_pairs(lowering, "divide", lowering.layouts[y].shape, (y, g), count, share)

    def write(out: Buffer) -> None:
        emit_pairs(lowering, "multiply", shape, hit, share, (x, out))
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


def _spread_back(lowering: Lowering, x: int, y: int, g: Buffer) -> None:
    def write(out: Buffer) -> None:
        spread(lowering, x, y, g, out)
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


def spread(lowering: Lowering, x: int, y: int, source: Buffer, out: Buffer) -> None:
    """Repeat what stands in the layout of a reduction's output y in that of its input x."""
    full, own = lowering.layouts[x], lowering.layouts[y]
    steps = broadcast_steps(own.shape, steps_of(own), full.shape)
    place, target = entries(lowering, y, source), entries(lowering, x, out)
    copy(lowering, full.shape, place, steps, target, steps_of(full))


FORWARD[Add], BACKWARD[Add] = add_forward, add_backward
FORWARD[Binary], BACKWARD[Binary] = binary_forward, binary_backward
FORWARD[Reduce], BACKWARD[Reduce] = reduce_forward, reduce_backward
ELEMENTWISE.add(Add)
