"""Relevance through operators of two tensors, and what passes it on as it is.

Sums share relevance in proportion to the summands, the larger of two takes all. Of a product of a
signal and a gate (a sigmoid's output, say), the signal takes all: Arras et al., "Explaining
recurrent neural network predictions in sentiment analysis", 2017. What attention averages takes all
in proportion: Ali et al., "XAI for transformers: better explanations through conservative
propagation", 2022. What leads to gates alone has no relevance.
"""

from backlit_kernels import relevance
from backlit_kernels.relevance import EVERYWHERE

from backlit.graph import Graph, Node
from backlit.instructions import Buffer
from backlit.layers import Elementwise, ReLU, Softmax
from backlit.lowering.binary import Value, emit_pairs, fold_back
from backlit.lowering.context import BACKWARD, Emitter, Lowering
from backlit.lowering.relevance_graph import is_move
from backlit.lowering.relevance_rules import STABILISER
from backlit.operators import Add, Binary, MatMul


def quotient(
    lowering: Lowering, tensor: int, z: Buffer, epsilon: float, gate: Buffer, side: int
) -> Buffer:
    """A tensor's relevance over stabilised denominators."""
    out = lowering.new_buffer(tensor)
    lowering.tape.emit(
        relevance.stable_quotient,
        r=lowering.gradients[tensor],
        z=z,
        epsilon=lowering.tape.constants.place([epsilon]),
        gate=gate,
        side=side,
        out=out,
        size=lowering.layouts[tensor].size,
    )
    # where windows read no values, what is divided may have no zeros
    lowering.clear_border(tensor, out, read=not lowering.layouts[tensor].values_read)
    return out


def pass_on(lowering: Lowering, node: Node) -> None:
    lowering.share(node.inputs[0], lowering.gradients[node.output])


def pair_rule(node: Node) -> Emitter:
    """The rule for an operator of two tensors.

    Raises
    ------
    ValueError
        If it has none.
    """
    layer = node.layer
    if isinstance(layer, Add):
        return share_in_proportion
    if isinstance(layer, MatMul):
        return share_among_averaged
    if isinstance(layer, Binary) and layer.function in RULES:
        return RULES[layer.function]
    raise ValueError(
        f"model must have layers that LRP has a rule for, but {node.name} is {layer!r}"
    )


def share_in_proportion(lowering: Lowering, node: Node) -> None:
    """Each summand takes the share of the relevance that it has of the sum."""
    own = lowering.activations[node.output]
    s = quotient(lowering, node.output, own, STABILISER, own, EVERYWHERE)
    for tensor in node.inputs:
        lowering.share(tensor, lowering.multiply(tensor, lowering.activations[tensor], s))


def share_repeated(lowering: Lowering, node: Node) -> None:
    """The same for summands that are repeated along axes."""
    assert isinstance(node.layer, Binary)
    y = node.output
    own = lowering.activations[y]
    s = Value(y, quotient(lowering, y, own, STABILISER, own, EVERYWHERE))
    for number, tensor in enumerate(node.inputs):
        term = Value(y, lowering.new_buffer(y))
        emit_pairs(lowering, "multiply", Value(tensor, lowering.activations[tensor]), s, term)
        if number == 1 and node.layer.function == "subtract":
            emit_pairs(lowering, "opposite", term, term, term)
        fold_back(lowering, tensor, term)


def signal_takes_all(lowering: Lowering, node: Node) -> None:
    signal = signal_of(lowering.graph, node)
    fold_back(lowering, signal, Value(node.output, lowering.gradients[node.output]))


def share_among_averaged(lowering: Lowering, node: Node) -> None:
    """What the gate's rows are weights of shares in proportion."""
    signal, y = signal_of(lowering.graph, node), node.output
    own = lowering.activations[y]
    twin = lowering.another_pass()
    twin.activations = lowering.activations
    twin.gradients = {y: quotient(lowering, y, own, STABILISER, own, EVERYWHERE)}
    BACKWARD[MatMul](twin, node)
    values = lowering.activations[signal]
    lowering.share(signal, lowering.multiply(signal, values, twin.gradients[signal]))


def signal_of(graph: Graph, node: Node) -> int:
    """Which factor is the signal: the other one is a constant, or else a gate, or is repeated.

    Or it is a function of the signal, value by value, so that the product is one as well.

    Raises
    ------
    ValueError
        If neither is.
    """
    (a, b), layer = node.inputs, node.layer
    function = layer.function if isinstance(layer, Binary) else "matrix product"
    if function == "multiply" and a == b:
        return a
    ways = [(b, a)] if function == "divide" else [(a, b), (b, a)]
    for gate, signal in ways:
        if is_constant(graph, gate):
            return signal
    for gate, signal in ways:
        repeated = isinstance(layer, Binary) and graph.shapes[gate] != graph.shapes[node.output]
        if repeated or is_gate(graph, gate):
            return signal
    for gate, signal in ways:
        if isinstance(layer, Binary) and is_activation_of(graph, gate, signal):
            return signal
    raise ValueError(
        f"model must have products of a signal and a gate for LRP, but both parts of {node.name}, "
        f"{node.layer!r}, may be signals"
    )


def is_constant(graph: Graph, tensor: int) -> bool:
    """Whether a tensor does not depend on the input."""
    node = graph.producer(tensor)
    return node is not None and all(is_constant(graph, t) for t in node.inputs)


def is_activation_of(graph: Graph, tensor: int, source: int) -> bool:
    """Whether each value of a tensor is a function of one value of another."""
    node = graph.producer(tensor)
    while node is not None and tensor != source and isinstance(node.layer, ReLU | Elementwise):
        tensor = node.inputs[0]
        node = graph.producer(tensor)
    return tensor == source


def is_gate(graph: Graph, tensor: int) -> bool:
    """Whether a tensor's values are shares between 0 and 1, scaled perhaps."""
    node = graph.producer(tensor)
    if node is None:
        return False
    layer = node.layer
    if is_move(layer) or (isinstance(layer, Elementwise) and layer.function == "scale"):
        return all(is_gate(graph, t) for t in node.inputs)
    if isinstance(layer, Elementwise) and layer.function in ("clip", "clamp"):
        low, high = layer.parameters
        return 0 <= low < high <= 6  # hard sigmoids are made of ReLU6
    if isinstance(layer, Elementwise):
        return layer.function in ("sigmoid", "hard_sigmoid", "step")
    if isinstance(layer, Binary) and layer.function in ("multiply", "larger"):  # masks: and, or
        return all(is_gate(graph, t) for t in node.inputs)
    return isinstance(layer, Softmax)


RULES: dict[str, Emitter] = {
    "add": share_repeated,
    "subtract": share_repeated,
    "multiply": signal_takes_all,
    "divide": signal_takes_all,
    "larger": BACKWARD[Binary],
    "smaller": BACKWARD[Binary],
}
