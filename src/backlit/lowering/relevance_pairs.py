"""Relevance through operators of two tensors, and what passes it on as it is.

Sums share relevance in proportion to the summands. Of a product of a signal and a gate (a sigmoid's
output, say), the signal takes all: Arras et al., "Explaining recurrent neural network predictions
in sentiment analysis", 2017.
"""

from backlit_kernels import relevance
from backlit_kernels.relevance import EVERYWHERE

from backlit.graph import Graph, Node
from backlit.layers import Elementwise, Softmax
from backlit.lowering.context import Emitter, Lowering
from backlit.lowering.entrywise import emit_pairs, fold_back
from backlit.lowering.relevance_graph import is_move
from backlit.lowering.relevance_rules import STABILISER
from backlit.operators import Add, Binary, Constant
from backlit.tape import Buffer


def quotient(
    lowering: Lowering, tensor: int, z: Buffer, epsilon: float, gate: Buffer, side: int
) -> Buffer:
    """A tensor's relevance over stabilised denominators."""
    out = lowering.new_buffer(tensor)
    lowering.tape.emit(
        relevance.stable_quotient,
        r=lowering.gradients[tensor],
        z=z,
        epsilon=lowering.tape.constant([epsilon]),
        gate=gate,
        side=side,
        out=out,
        size=lowering.layouts[tensor].size,
    )
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
    if isinstance(layer, Binary) and layer.function in ("add", "subtract"):
        return share_repeated
    if isinstance(layer, Binary) and layer.function == "multiply":
        return signal_takes_all
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
    shape = lowering.layouts[y].shape
    own = lowering.activations[y]
    s = quotient(lowering, y, own, STABILISER, own, EVERYWHERE)
    for number, tensor in enumerate(node.inputs):
        term = lowering.new_buffer(y)
        value = tensor, lowering.activations[tensor]
        emit_pairs(lowering, "multiply", shape, value, (y, s), (y, term))
        if number == 1 and node.layer.function == "subtract":
            emit_pairs(lowering, "opposite", shape, (y, term), (y, term), (y, term))
        fold_back(lowering, tensor, y, term)


def signal_takes_all(lowering: Lowering, node: Node) -> None:
    signal = signal_of(lowering.graph, node)
    fold_back(lowering, signal, node.output, lowering.gradients[node.output])
    for tensor in set(node.inputs) - {signal}:
        lowering.share(tensor, lowering.zeros(tensor))


def signal_of(graph: Graph, node: Node) -> int:
    """Which factor is the signal: the other one is a constant or a gate, or is repeated."""
    a, b = node.inputs
    if a == b:
        return a
    for gate, signal in ((a, b), (b, a)):
        source = graph.producer(gate)
        repeated = graph.shapes[gate] != graph.shapes[node.output]
        if repeated or (source is not None and is_gate(graph, source)):
            return signal
    raise ValueError(
        f"model must have products of a signal and a gate for LRP, but both factors of {node.name} "
        "may be signals"
    )


def is_gate(graph: Graph, node: Node) -> bool:
    """Whether a node's values are shares between 0 and 1, scaled perhaps, or constant."""
    layer = node.layer
    if is_move(layer) or (isinstance(layer, Elementwise) and layer.function == "scale"):
        sources = [graph.producer(tensor) for tensor in node.inputs]
        return all(source is not None and is_gate(graph, source) for source in sources)
    if isinstance(layer, Elementwise) and layer.function in ("clip", "clamp"):
        low, high = layer.parameters
        return 0 <= low < high <= 6  # hard sigmoids are made of ReLU6
    if isinstance(layer, Elementwise):
        return layer.function in ("sigmoid", "hard_sigmoid")
    return isinstance(layer, Constant | Softmax)
