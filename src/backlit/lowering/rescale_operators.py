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
from backlit.lowering.context import BACKWARD, Emitter, Lowering
from backlit.lowering.entrywise import Value, emit_pairs, emit_reduce, fold_back, spread
from backlit.operators import Binary, MatMul, Reduce
from backlit.tape import Buffer


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
    for tensor in sorted(tensors):
        lowering.share(tensor, twin.gradients[tensor])


def divide(lowering: Lowering, reference: Lowering, node: Node) -> None:
    (a, b), y = node.inputs, node.output
    shape = lowering.layouts[y].shape
    g = y, lowering.gradients[y]

    def new(tensor: int, name: str, first: Value, second: Value) -> Value:
        out = tensor, lowering.new_buffer(tensor)
        emit_pairs(lowering, name, lowering.layouts[tensor].shape, first, second, out)
        return out

    own, other = (b, lowering.activations[b]), (b, reference.activations[b])
    # (1/b + 1/b0) / 2 = mean(b) / (b b0)
    area = new(b, "multiply", own, other)
    rate = new(b, "divide", (b, mean(lowering, reference, b)), area)
    out = lowering.new_buffer(y)
    emit_pairs(lowering, "multiply", shape, g, rate, (y, out))
    fold_back(lowering, a, y, out)
    # -mean(a) / (b b0)
    down = lowering.new_buffer(y)
    emit_pairs(lowering, "divide", shape, (a, mean(lowering, reference, a)), area, (y, down))
    emit_pairs(lowering, "multiply", shape, (y, down), g, (y, down))
    emit_pairs(lowering, "opposite", shape, (y, down), (y, down), (y, down))
    fold_back(lowering, b, y, down)


def choose(lowering: Lowering, reference: Lowering, node: Node) -> None:
    """The second operand takes the share of a ReLU of how far it leads, the first the rest."""
    (a, b), y = node.inputs, node.output
    assert isinstance(node.layer, Binary)
    shape = lowering.layouts[y].shape
    first, second = (b, a) if node.layer.function == "larger" else (a, b)
    leads = []
    for one in (lowering, reference):
        lead = lowering.zeros(y)
        ends = (first, one.activations[first]), (second, one.activations[second])
        emit_pairs(lowering, "subtract", shape, *ends, (y, lead))
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
    fold_back(lowering, b, y, share)
    fold_back(lowering, a, y, lowering.subtract(y, lowering.gradients[y], share))


def extreme(lowering: Lowering, reference: Lowering, node: Node) -> None:
    """Of n equal extremes, each takes 1 / n."""
    x, y = node.inputs[0], node.output
    hit, factor, largest, other = (lowering.new_buffer(x) for _ in range(4))
    spread(lowering, x, y, lowering.activations[y], largest)
    spread(lowering, x, y, reference.activations[y], other)
    lowering.tape.emit(
        rescale.rescale_extreme,
        x=lowering.activations[x],
        x0=reference.activations[x],
        y=largest,
        y0=other,
        out=factor,
        hit=hit,
        size=lowering.layouts[x].size,
    )
    count, share = (y, lowering.new_buffer(y)), (y, lowering.new_buffer(y))
    emit_reduce(lowering, "add", x, y, hit, count[1])
    emit_pairs(
        lowering, "divide", lowering.layouts[y].shape, (y, lowering.gradients[y]), count, share
    )

    def write(out: Buffer) -> None:
        emit_pairs(lowering, "multiply", lowering.layouts[x].shape, (x, factor), share, (x, out))
        lowering.clear_border(x, out)

    lowering.contribute(x, write)
