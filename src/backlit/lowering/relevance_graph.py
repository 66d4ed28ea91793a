"""What relevance propagation may take for granted: signs of tensors, zeros without relevance."""

from collections.abc import Mapping

from backlit.graph import Graph, Node
from backlit.layers import (
    AvgPool2D,
    BatchNorm,
    Clip,
    Elementwise,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    ReLU,
    scales_up,
)
from backlit.lowering.relevance_rules import WEIGHTED, Part, weighs_by_input
from backlit.lowering.rescale import is_sum
from backlit.operators import Add, AxisMap, Binary, Concatenate, Reduce, Reshape, Transpose

MOVES = Flatten | Reshape | Transpose | Concatenate
NEVER_NEGATIVE = (
    "abs",
    "exp",
    "hard_sigmoid",
    "sigmoid",
    "softplus",
    "sqrt",
    "square",
    "step",
)
ZERO_AT_ZERO = (
    "abs",
    "elu",
    "erf",
    "gelu",
    "gelu_tanh",
    "hard_swish",
    "leaky_relu",
    "mish",
    "silu",
    "sin",
    "softsign",
    "square",
    "tanh",
)


def is_move(layer: Layer) -> bool:
    """Whether a layer only puts values elsewhere: reshapes, slices, padding, repetition."""
    if isinstance(layer, AxisMap):
        single = (layer.starts[1:] - layer.starts[:-1] <= 1).all()
        return bool(single and (layer.weights == 1).all())
    return isinstance(layer, MOVES)


def never_negative(graph: Graph, tensor: int, nonnegative_input: bool) -> bool:
    """Whether a tensor's values cannot be negative, by the layers that make it."""
    node = graph.producer(tensor)
    if node is None:
        return nonnegative_input
    layer = node.layer
    if isinstance(layer, Elementwise) and layer.function in NEVER_NEGATIVE:
        return True
    if isinstance(layer, ReLU) or (isinstance(layer, Clip) and layer.low >= 0):
        return True
    keeps = isinstance(layer, MaxPool2D | AvgPool2D | GlobalAvgPool2D | MOVES | Add | Reduce)
    keeps |= isinstance(layer, AxisMap) and bool((layer.weights >= 0).all())
    keeps |= isinstance(layer, Binary) and layer.function in ("add", "multiply")
    return keeps and all(never_negative(graph, t, nonnegative_input) for t in node.inputs)


def is_rectified(graph: Graph, tensor: int) -> bool:
    """Whether negative values are cut off by a ReLU."""
    users = graph.consumers(tensor)
    if len(users) == 1 and isinstance(users[0].layer, MaxPool2D):
        return is_rectified(graph, users[0].output)
    return len(users) == 1 and isinstance(users[0].layer, ReLU)


def is_input(graph: Graph, tensor: int) -> bool:
    """Whether a tensor is the input, in another shape perhaps, or normalised."""
    node = graph.producer(tensor)
    if node is None:
        return True
    kept = isinstance(node.layer, Flatten | Reshape | Transpose) or normalises(node.layer)
    return kept and is_input(graph, node.inputs[0])


def normalises(layer: Layer) -> bool:
    """Whether each output is an input, scaled and shifted, and the larger the larger that is."""
    if isinstance(layer, BatchNorm):
        return bool((layer.scale_and_shift()[0] > 0).all())
    return scales_up(layer)


def only_for_blind(graph: Graph, tensor: int, rules: Mapping[str, list[Part]]) -> bool:
    """Whether only layers read a tensor whose rules hand relevance to values of 0 as well."""
    users = graph.consumers(tensor)
    return bool(users) and all(
        not weighs_by_input(rules[user.name])
        if isinstance(user.layer, WEIGHTED)
        else is_input(graph, user.output) and only_for_blind(graph, user.output, rules)
        for user in users
    )


def zeros_stay(graph: Graph, rules: Mapping[str, list[Part]], output: bool) -> bool:
    """Whether what a ReLU cut off has no relevance: all that reads it weighs by its values.

    `output` says whether outputs of 0 have none.
    """
    without = {graph.output} if output else set()
    for tensor in reversed(range(len(graph.shapes))):
        users = graph.consumers(tensor)
        if users and all(_passes_zeros(node, rules, without) for node in users):
            without.add(tensor)
    return all(node.output in without for node in graph.nodes if isinstance(node.layer, ReLU))


def _passes_zeros(node: Node, rules: Mapping[str, list[Part]], without: set[int]) -> bool:
    """Whether a node gives no relevance to inputs of 0, if outputs of 0 in `without` have none."""
    layer = node.layer
    if isinstance(layer, WEIGHTED):
        return weighs_by_input(rules[node.name])
    if isinstance(layer, Elementwise) and layer.function == "scale":
        return layer.parameters[1] != 0 or node.output in without  # shared, or passed on
    if isinstance(layer, Elementwise) and layer.function not in ZERO_AT_ZERO:
        return isinstance(layer, Clip) and layer.low <= 0 <= layer.high and node.output in without
    largest = isinstance(layer, MaxPool2D | Reduce) and not is_sum(layer)
    product = isinstance(layer, Binary) and not is_sum(layer)
    if largest or product or isinstance(layer, ReLU | Elementwise) or is_move(layer):
        return node.output in without
    return True  # shared in proportion
