"""Layer-wise relevance propagation: the way back with relevances in the place of gradients."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from backlit_kernels import relevance
from backlit_kernels.elementwise import add
from backlit_kernels.relevance import WHERE_NEGATIVE

from backlit.graph import Graph, Node
from backlit.instructions import Buffer
from backlit.layers import (
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Elementwise,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    ReLU,
)
from backlit.lowering.choices import goes_in_one, send_choices
from backlit.lowering.context import BACKWARD, FORWARD, Emitter, Lowering
from backlit.lowering.fused_pooling import pooling_of
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.relevance_graph import (
    is_input,
    is_move,
    is_rectified,
    never_negative,
    only_for_blind,
)
from backlit.lowering.relevance_pairs import pair_rule, pass_on, quotient
from backlit.lowering.relevance_rules import (
    ALL,
    HIGH,
    LOW,
    NEGATIVE,
    ONES,
    POSITIVE,
    STABILISER,
    WEIGHTED,
    Part,
    Term,
    epsilon_rule,
    without_negative,
)
from backlit.lowering.rescale import is_sum
from backlit.operators import AxisMap, Constant, Reduce

PORTS = {LOW: FIRST_FREE_PORT, HIGH: FIRST_FREE_PORT + 1}
# Other linear layers share relevance in proportion to what each input contributes.
IN_PROPORTION = AvgPool2D | GlobalAvgPool2D | BatchNorm | AxisMap


def shares(layer: Layer) -> bool:
    """Whether a layer without a rule of its own is a sum, of several inputs or with a shift."""
    if isinstance(layer, Elementwise) and layer.function == "scale":
        return layer.parameters[1] != 0
    return isinstance(layer, IN_PROPORTION) or (isinstance(layer, Reduce) and is_sum(layer))


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
        if isinstance(layer, WEIGHTED):
            return self.linear
        if isinstance(layer, MaxPool2D):
            return self.pooling
        if is_move(layer) or isinstance(layer, Constant):
            return BACKWARD[type(layer)]
        if shares(layer):
            return self.sum
        if isinstance(layer, ReLU | Elementwise):
            return pass_on
        if isinstance(layer, Reduce):  # the maximum takes all
            return BACKWARD[Reduce]
        return pair_rule(node)

    def taken_over(self, graph: Graph) -> set[int]:
        """Outputs of convolutions that only a pooling needs: it may take their quotients.

        A winner's denominator by the epsilon rule, the convolution's output, is the maximum. So it
        is behind a ReLU, if what that cuts off has no relevance.
        """
        found = set()
        for node in graph.nodes:
            tensors, users = [node.output], graph.consumers(node.output)
            if self.zeros_stay and [type(user.layer) for user in users] == [ReLU]:
                tensors.append(users[0].output)
                users = graph.consumers(users[0].output)
            pooled = [type(user.layer) for user in users] == [MaxPool2D]
            if isinstance(node.layer, Conv2D) and pooled:
                (part, *more) = self.rules[node.name]
                if not more and part.terms == (Term(ALL, node.layer),):
                    found.update(tensors)
        return found

    def pooling(self, lowering: Lowering, node: Node) -> None:
        """The winner takes all; from a convolution that it takes over, its quotient."""
        y, source = node.output, lowering.graph.producer(node.inputs[0])
        if source is not None and isinstance(source.layer, ReLU):
            source = lowering.graph.producer(source.inputs[0])
        if source is None or source.output in lowering.kept:
            BACKWARD[MaxPool2D](lowering, node)
            return
        in_one = pooling_of(lowering, [node]) and goes_in_one(direct(lowering), source)
        if in_one or source.output not in lowering.activations:
            (part,) = self.rules[source.name]
            own = lowering.activations[y]
            lowering.gradients[y] = quotient(lowering, y, own, part.epsilon, own, part.side)
        if in_one:
            send_choices(lowering, source.output, node)
        else:
            BACKWARD[MaxPool2D](lowering, node)

    def linear(self, lowering: Lowering, node: Node) -> None:
        parts = self.rules[node.name]
        if never_negative(lowering.graph, node.inputs[0], self.nonnegative_input):
            parts = [replace(part, terms=without_negative(part.terms)) for part in parts]
        if self.zeros_stay and is_rectified(lowering.graph, node.output):
            parts = [part for part in parts if part.side != WHERE_NEGATIVE]
        self.hand_down(lowering, node, parts)

    def sum(self, lowering: Lowering, node: Node) -> None:
        """In proportion; but what a rule that is blind to values gives to the input is its own."""
        y = node.output
        if is_input(lowering.graph, y) and only_for_blind(lowering.graph, y, self.rules):
            pass_on(lowering, node)
        else:
            self.hand_down(lowering, node, epsilon_rule(STABILISER)(node.layer))

    def hand_down(self, lowering: Lowering, node: Node, parts: list[Part]) -> None:
        tape, x = lowering.tape, node.inputs[0]
        inputs = self.inputs(lowering, x, parts)

        def write(out: Buffer) -> None:
            first = True
            for part in parts:
                s = self.quotient(lowering, node, part, inputs)
                for term in part.terms:
                    tape.emit(
                        relevance.add_share,
                        x=inputs[term.input],
                        c=transposed(lowering, node, term.layer, s),
                        factor=tape.constants.place([part.factor]),
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

    def quotient(
        self, lowering: Lowering, node: Node, part: Part, inputs: Mapping[str, Buffer]
    ) -> Buffer:
        """The output's relevance over a part's stabilised sum."""
        y, last = node.output, lowering.chosen.get(node.output, node)
        if last is not node or y not in lowering.activations:
            return lowering.gradients[last.output]  # is one already, see `pooling`
        z, own = self.denominator(lowering, node, part, inputs), lowering.activations[y]
        return quotient(lowering, y, z, part.epsilon, own, part.side)

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
    twin = direct(lowering)
    twin.activations, twin.choices = lowering.activations, lowering.choices
    twin.chosen = dict(lowering.chosen)
    twin.gradients[lowering.chosen.get(node.output, node).output] = s
    BACKWARD[type(layer)](twin, replace(node, layer=layer))
    return twin.gradients[node.inputs[0]]


def direct(lowering: Lowering) -> Lowering:
    """A pass whose convolutions are summed directly.

    Quotients by sums near zero are large, to be multiplied by small inputs: Winograd's method would
    spread their rounding to larger inputs beside.
    """
    twin = lowering.another_pass()
    twin.winograd_from = inf
    return twin
