"""Layer-wise relevance propagation: the way back with relevances in the place of gradients.

A rule of a linear layer is a list of parts. With z the sum of a part's terms, each a layer of
other weights applied to an input, a part hands the relevance R of the output down as

    factor * sum over terms of  input * weights^T (R / stabilised z)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from backlit_kernels import relevance
from backlit_kernels.elementwise import add
from backlit_kernels.relevance import EVERYWHERE, WHERE_NEGATIVE, WHERE_POSITIVE

from backlit.graph import Graph, Node
from backlit.layers import (
    AvgPool2D,
    BatchNorm,
    Clip,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Elementwise,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LogSoftmax,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Softmax,
)
from backlit.lowering.context import BACKWARD, FIRST_FREE_PORT, FORWARD, Emitter, Lowering
from backlit.lowering.relevance_pairs import STABILISER, pair_rule, pass_on, quotient
from backlit.lowering.rescale import is_sum
from backlit.operators import Add, AxisMap, Concatenate, Constant, Reduce, Reshape, Transpose
from backlit.tape import Buffer

# Linear layers that share relevance in proportion to what each input contributes.
IN_PROPORTION = AvgPool2D | GlobalAvgPool2D | BatchNorm | ConvTranspose2D | AxisMap
MOVES = Flatten | Reshape | Transpose | Concatenate
WITHOUT_RULE = Softmax | LogSoftmax

# What a term's layer is applied to: the input, its parts, ones, and the bounds of the data.
ALL, POSITIVE, NEGATIVE, ONES, LOW, HIGH = "x", "x+", "x-", "1", "low", "high"
PORTS = {LOW: FIRST_FREE_PORT, HIGH: FIRST_FREE_PORT + 1}


@dataclass(frozen=True)
class Term:
    input: str
    layer: Layer


@dataclass(frozen=True)
class Part:
    terms: tuple[Term, ...]
    factor: float = 1.0
    epsilon: float = STABILISER
    side: int = EVERYWHERE  # of the layer's own output


Rule = Callable[[Layer], list[Part]]
Values = Callable[[np.ndarray], np.ndarray]


def above(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def below(values: np.ndarray) -> np.ndarray:
    return np.minimum(values, 0)


def changed(layer: Layer, change: Values, biased: bool = True) -> Layer:
    """A layer with other weights and, unless it is to have none, bias."""
    assert isinstance(layer, Conv2D | Dense)
    bias = change(layer.bias) if biased else None
    return replace(layer, weights=change(layer.weights), bias=bias)


def by_sign(layer: Layer, same: Values, opposite: Values) -> tuple[Term, Term]:
    """`same` for positive inputs and the bias, `opposite` for negative inputs."""
    return (
        Term(POSITIVE, changed(layer, same)),
        Term(NEGATIVE, changed(layer, opposite, biased=False)),
    )


def epsilon_rule(epsilon: float) -> Rule:
    return lambda layer: [Part((Term(ALL, layer),), epsilon=epsilon)]


def alpha_beta_rule(alpha: float, beta: float) -> Rule:
    def rule(layer: Layer) -> list[Part]:
        parts = [Part(by_sign(layer, above, below), alpha)]
        return parts + [Part(by_sign(layer, below, above), -beta)] * (beta > 0)

    return rule


def gamma_rule(gamma: float) -> Rule:
    def more(values: np.ndarray) -> np.ndarray:
        return values + gamma * above(values)

    def less(values: np.ndarray) -> np.ndarray:
        return values + gamma * below(values)

    return lambda layer: [
        Part(by_sign(layer, more, less), side=WHERE_POSITIVE),
        Part(by_sign(layer, less, more), side=WHERE_NEGATIVE),
    ]


def square_rule(layer: Layer) -> list[Part]:
    return [Part((Term(ONES, changed(layer, np.square)),))]


def flat_rule(layer: Layer) -> list[Part]:
    assert isinstance(layer, Conv2D | Dense)
    even = replace(layer, weights=np.ones_like(layer.weights), bias=None)
    return [Part((Term(ONES, even),))]


def box_rule(layer: Layer) -> list[Part]:
    lows, highs = changed(layer, lambda w: -above(w)), changed(layer, lambda w: -below(w))
    return [Part((Term(ALL, layer), Term(LOW, lows), Term(HIGH, highs)))]


def weighs_by_input(parts: list[Part]) -> bool:
    """Whether inputs that are 0 get no relevance."""
    return all(term.input in (ALL, POSITIVE, NEGATIVE) for part in parts for term in part.terms)


class Propagation:
    """The rules of a way back, node by node."""

    def __init__(
        self, rules: Mapping[str, list[Part]], nonnegative_input: bool, zeros_stay: bool
    ) -> None:
        self.rules = rules  # by a node's name
        self.nonnegative_input = nonnegative_input
        self.zeros_stay = zeros_stay  # activations of 0 have no relevance

    def __call__(self, node: Node) -> Emitter:
        layer = node.layer
        if isinstance(layer, Conv2D | Dense):
            return self.linear
        if isinstance(layer, IN_PROPORTION) or (isinstance(layer, Reduce) and is_sum(layer)):
            parts = epsilon_rule(STABILISER)(layer)
            return lambda lowering, node: self.hand_down(lowering, node, parts)
        if isinstance(layer, ReLU | Elementwise):
            return pass_on
        if isinstance(layer, MOVES | MaxPool2D | Reduce | Constant):
            return BACKWARD[type(layer)]
        return pair_rule(node)

    def linear(self, lowering: Lowering, node: Node) -> None:
        parts = self.rules[node.name]
        if never_negative(lowering.graph, node.inputs[0], self.nonnegative_input):
            parts = [replace(part, terms=without_negative(part.terms)) for part in parts]
        if self.zeros_stay and is_rectified(lowering.graph, node.output):
            parts = [part for part in parts if part.side != WHERE_NEGATIVE]
        self.hand_down(lowering, node, parts)

    def hand_down(self, lowering: Lowering, node: Node, parts: list[Part]) -> None:
        tape, x = lowering.tape, node.inputs[0]
        own = lowering.activations[node.output]
        inputs = self.inputs(lowering, x, parts)

        def write(out: Buffer) -> None:
            first = True
            for part in parts:
                s = quotient(
                    lowering,
                    node.output,
                    self.denominator(lowering, node, part, inputs),
                    part.epsilon,
                    own,
                    part.side,
                )
                for term in part.terms:
                    tape.emit(
                        relevance.add_share,
                        x=inputs[term.input],
                        c=transposed(lowering, node, term.layer, s),
                        factor=tape.constant([part.factor]),
                        out=out,
                        size=lowering.layouts[x].size,
                        accumulate=int(not first),
                    )
                    first = False

        lowering.contribute(x, write)

    def inputs(self, lowering: Lowering, x: int, parts: list[Part]) -> dict[str, Buffer]:
        """The buffers that the parts' terms are applied to."""
        wanted = {term.input for part in parts for term in part.terms}
        found = {ALL: lowering.activations[x]}
        size = lowering.layouts[x].size
        if wanted & {POSITIVE, NEGATIVE}:
            found[POSITIVE], found[NEGATIVE] = lowering.new_buffer(x), lowering.new_buffer(x)
            lowering.tape.emit(
                relevance.split_signs,
                x=found[ALL],
                positive=found[POSITIVE],
                negative=found[NEGATIVE],
                size=size,
            )
        with lowering.tape.in_section("setup"):
            if ONES in wanted:
                found[ONES] = lowering.new_buffer(x)
                lowering.tape.emit(relevance.fill_one, out=found[ONES], size=size)
                lowering.clear_border(x, found[ONES])
            for bound in wanted & PORTS.keys():
                found[bound] = bound_of_data(lowering, x, PORTS[bound])
        return found

    def denominator(
        self, lowering: Lowering, node: Node, part: Part, inputs: Mapping[str, Buffer]
    ) -> Buffer:
        """The sum of a part's terms; what is the same for all samples is computed once."""
        alike, own = [], []
        for term in part.terms:
            if term.layer is node.layer:
                own.append(lowering.activations[node.output])
            elif term.input in (ONES, *PORTS):
                with lowering.tape.in_section("setup"):
                    alike.append(forward(lowering, node, term.layer, inputs[term.input]))
            else:
                own.append(forward(lowering, node, term.layer, inputs[term.input]))
        if alike:
            with lowering.tape.in_section("setup"):
                own.append(total(lowering, node.output, alike))
        return total(lowering, node.output, own)


def total(lowering: Lowering, tensor: int, buffers: list[Buffer]) -> Buffer:
    """The sum of buffers with a tensor's layout."""
    result, *rest = buffers
    for buffer in rest:
        a, result = result, lowering.new_buffer(tensor)
        lowering.tape.emit(add, a=a, b=buffer, out=result, size=lowering.layouts[tensor].size)
    return result


def without_negative(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The same terms where no input is negative."""
    rest = (term for term in terms if term.input != NEGATIVE)
    return tuple(replace(t, input=ALL) if t.input == POSITIVE else t for t in rest)


def never_negative(graph: Graph, tensor: int, nonnegative_input: bool) -> bool:
    """Whether a tensor's values cannot be negative, by the layers that make it."""
    node = graph.producer(tensor)
    if node is None:
        return nonnegative_input
    layer = node.layer
    if isinstance(layer, MaxPool2D | AvgPool2D | GlobalAvgPool2D | MOVES | Add):
        return all(never_negative(graph, t, nonnegative_input) for t in node.inputs)
    return isinstance(layer, ReLU | Sigmoid) or (isinstance(layer, Clip) and layer.low >= 0)


def is_rectified(graph: Graph, tensor: int) -> bool:
    """Whether negative values are cut off by a ReLU."""
    users = graph.consumers(tensor)
    if len(users) == 1 and isinstance(users[0].layer, MaxPool2D):
        return is_rectified(graph, users[0].output)
    return len(users) == 1 and isinstance(users[0].layer, ReLU)


def is_input(graph: Graph, tensor: int) -> bool:
    """Whether a tensor is the input, flattened perhaps."""
    node = graph.producer(tensor)
    return node is None or (isinstance(node.layer, Flatten) and is_input(graph, node.inputs[0]))


def bound_of_data(lowering: Lowering, tensor: int, port: int) -> Buffer:
    """A bound of the input, in the layout of a tensor that is the input."""
    twin = lowering.another_pass()
    twin.load(port, per_sample=0)
    twin.forward(until=tensor)
    return twin.activations[tensor]


def forward(lowering: Lowering, node: Node, layer: Layer, x: Buffer) -> Buffer:
    """A node's output, had it this layer and this input."""
    twin = lowering.another_pass()
    twin.activations[node.inputs[0]] = x
    FORWARD[type(layer)](twin, replace(node, layer=layer))
    return twin.activations[node.output]


def transposed(lowering: Lowering, node: Node, layer: Layer, s: Buffer) -> Buffer:
    """What a node would send back for `s`, had it this layer."""
    twin = lowering.another_pass()
    twin.activations = lowering.activations
    twin.gradients[node.output] = s
    BACKWARD[type(layer)](twin, replace(node, layer=layer))
    return twin.gradients[node.inputs[0]]
