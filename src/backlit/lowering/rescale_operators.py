"""DeepLIFT through operators that are not linear: contributions add up to the difference exactly.

A product's difference is ``a b - a0 b0 = (b + b0) / 2 (a - a0) + (a + a0) / 2 (b - b0)``: its
multipliers are those of the gradient at the mean of input and reference. A quotient is a product
with ``1 / b``, whose multiplier is ``-1 / (b b0)``. The larger of two is ``a + relu(b - a)``, with
the ReLU rescaled, and the smaller ``a - relu(a - b)``. The maximum over axes is treated as max
pooling is.
"""

import numpy as np
from backlit_kernels import rescale

from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.lowering.binary import Value, emit_pairs, fold_back
from backlit.lowering.context import BACKWARD, Emitter, Lowering
from backlit.lowering.reductions import emit_reduce, spread
from backlit.operators import Binary, MatMul, Reduce


def operator_rule(reference: Lowering, node: Node) -> Emitter | None:
    """The rule for an operator, if it has one of its own."""
    layer = node.layer
    if isinstance(layer, MatMul) or (isinstance(layer, Binary) and layer.function == "multiply"):
        return lambda lowering, node: product(lowering, reference, node)
    if isinstance(layer, Binary) and layer.function == "divide":
        return lambda lowering, node: divide(lowering, reference, node)
    if isinstance(layer, Binary) and layer.function in ("larger", "smaller"):
        return lambda lowering, node: choose(lowering, reference, node)
    if isinstance(layer, Reduce) and layer.function == "larger":
        return lambda lowering, node: extreme(lowering, reference, node)
    return None


def mean(lowering: Lowering, reference: Lowering, tensor: int) -> Buffer:
    """A tensor halfway between the reference's and the input's."""
    ends = reference.activations[tensor], lowering.activations[tensor]
    return lowering.interpolate(tensor, *ends, lowering.fill_lane_values(0.5))


def product(lowering: Lowering, reference: Lowering, node: Node) -> None:
    twin = lowering.another_pass()
    tensors = set(node.inputs)
    twin.activations = {tensor: mean(lowering, reference, tensor) for tensor in tensors}
    twin.gradients = {node.output: lowering.gradients[node.output]}
    BACKWARD[type(node.layer)](twin, node)
    for tensor in sorted(tensors & twin.gradients.keys()):
        lowering.share(tensor, twin.gradients[tensor])


def divide(lowering: Lowering, reference: Lowering, node: Node) -> None:
    (a, b), y = node.inputs, node.output
    g = Value(y, lowering.gradients[y])

    def new(tensor: int, name: str, first: Value, second: Value) -> Value:
        out = Value(tensor, lowering.new_buffer(tensor))
        emit_pairs(lowering, name, first, second, out)
        return out

    own, other = Value(b, lowering.activations[b]), Value(b, reference.activations[b])
    # (1/b + 1/b0) / 2 = mean(b) / (b b0)
    area = new(b, "multiply", own, other)
    rate = new(b, "divide", Value(b, mean(lowering, reference, b)), area)
    fold_back(lowering, a, new(y, "multiply", g, rate))
    # -mean(a) / (b b0)
    down = new(y, "divide", Value(a, mean(lowering, reference, a)), area)
    emit_pairs(lowering, "multiply", down, g, down)
    emit_pairs(lowering, "opposite", down, down, down)
    fold_back(lowering, b, down)


def choose(lowering: Lowering, reference: Lowering, node: Node) -> None:
    """The second operand takes the share of a ReLU of how far it leads, the first the rest."""
    (a, b), y = node.inputs, node.output
    assert isinstance(node.layer, Binary)
    first, second = (b, a) if node.layer.function == "larger" else (a, b)
    leads = []
    for one in (lowering, reference):
        lead = lowering.zeros(y)
        end, start = (Value(tensor, one.activations[tensor]) for tensor in (first, second))
        emit_pairs(lowering, "subtract", end, start, Value(y, lead))
        leads.append(lead)
    share = lowering.new_buffer(y)
    lowering.tape.emit(
        rescale.rescale_linear,
        x=leads[0],
        x0=leads[1],
        g=lowering.gradients[y],
        out=share,
        size=lowering.layouts[y].size,
        bounds=lowering.tape.constants.place([0.0, np.inf, 0.0]),
    )
    fold_back(lowering, b, Value(y, share))
    fold_back(lowering, a, Value(y, lowering.subtract(y, lowering.gradients[y], share)))


def extreme(lowering: Lowering, reference: Lowering, node: Node) -> None:
    """Of n equal extremes, each takes 1 / n."""
    x, y = node.inputs[0], node.output
    hit, factor, largest, other = (Value(x, lowering.new_buffer(x)) for _ in range(4))
    spread(lowering, Value(y, lowering.activations[y]), largest)
    spread(lowering, Value(y, reference.activations[y]), other)
    lowering.tape.emit(
        rescale.rescale_extreme,
        x=lowering.activations[x],
        x0=reference.activations[x],
        y=largest.buffer,
        y0=other.buffer,
        out=factor.buffer,
        hit=hit.buffer,
        size=lowering.layouts[x].size,
    )
    count, share = (Value(y, lowering.new_buffer(y)) for _ in range(2))
    emit_reduce(lowering, "add", hit, count)
    emit_pairs(lowering, "divide", Value(y, lowering.gradients[y]), count, share)

    def write(out: Buffer) -> None:
        emit_pairs(lowering, "multiply", factor, share, Value(x, out))
        lowering.clear_border(x, out)

    lowering.contribute(x, write)
