"""DeepLIFT's reveal-cancel rule: the rescale rule, but positive and negative parts kept apart.

Before a non-linearity f, what the inputs of a linear layer change its output by is added up by
sign: z - z' = P + N. With

    rise = (f(z' + P) - f(z') + f(z' + P + N) - f(z' + N)) / 2
    fall = (f(z' + N) - f(z') + f(z' + P + N) - f(z' + P)) / 2

positive contributions have the multiplier rise / P, negative ones fall / N. Shrikumar et al., 2017,
section 3.5.3; signs are those of contributions as in the authors' implementation.
"""

from collections.abc import Callable

from backlit_kernels.relevance import split_signs
from backlit_kernels.rescale_unary import choose_by_sign, reveal_cancel

from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.layers import Elementwise, LeakyReLU, ReLU
from backlit.lowering.activations import parameters
from backlit.lowering.context import Emitter, Lowering
from backlit.lowering.relevance import forward, total, transposed
from backlit.lowering.relevance_rules import WEIGHTED, above, below, changed
from backlit.lowering.rescale import rescale_rule


class RevealCancel:
    """The rule for the way back, node by node; where no linear layer is before, to rescale."""

    def __init__(self, reference: Lowering) -> None:
        self.reference = reference
        self.rescale: Callable[[Node], Emitter] = rescale_rule(reference)
        # multipliers of linear layers' negative parts; `gradients` holds those of the positive
        self.falls: dict[int, Buffer] = {}

    def __call__(self, node: Node) -> Emitter:
        if node.output in self.falls:
            return self.linear
        graph = self.reference.graph
        source = graph.producer(node.inputs[0]) if node.inputs else None
        alone = source is not None and len(graph.consumers(source.output)) == 1
        bends = isinstance(node.layer, ReLU | Elementwise)
        if bends and alone and source is not None and isinstance(source.layer, WEIGHTED):
            return lambda lowering, node: self.activation(lowering, node, source)
        return self.rescale(node)

    def activation(self, lowering: Lowering, node: Node, source: Node) -> None:
        x, z = source.inputs[0], source.output
        up, down = (changed(source.layer, part, biased=False) for part in (above, below))
        rises, falls = lowering.new_buffer(x), lowering.new_buffer(x)
        lowering.tape.emit(
            split_signs,
            x=self.change(lowering, x),
            positive=rises,
            negative=falls,
            size=lowering.layouts[x].size,
        )
        layer = LeakyReLU(0.0) if isinstance(node.layer, ReLU) else node.layer
        assert isinstance(layer, Elementwise)

        def parts(a: Buffer, b: Buffer) -> Buffer:
            each = [forward(lowering, source, up, a), forward(lowering, source, down, b)]
            return total(lowering, z, each)

        positive, negative = lowering.new_buffer(z), lowering.new_buffer(z)
        lowering.tape.emit(
            reveal_cancel(layer.function),
            x0=self.reference.activations[z],
            rise=parts(rises, falls),
            fall=parts(falls, rises),
            g=lowering.gradients[node.output],
            rises=positive,
            falls=negative,
            size=lowering.layouts[z].size,
            parameters=parameters(lowering, layer),
        )
        for buffer in (positive, negative):
            lowering.clear_border(z, buffer)
        lowering.gradients[z], self.falls[z] = positive, negative

    def linear(self, lowering: Lowering, node: Node) -> None:
        """An input that rises adds to the positive part by positive weights; one that falls, by
        negative ones.
        """
        x, z = node.inputs[0], node.output
        up, down = (changed(node.layer, part, biased=False) for part in (above, below))
        rises, falls = lowering.gradients[z], self.falls[z]

        def back(a: Buffer, b: Buffer) -> Buffer:
            each = [transposed(lowering, node, up, a), transposed(lowering, node, down, b)]
            return total(lowering, x, each)

        def write(out: Buffer) -> None:
            lowering.tape.emit(
                choose_by_sign,
                x=self.change(lowering, x),
                positive=back(rises, falls),
                negative=back(falls, rises),
                out=out,
                size=lowering.layouts[x].size,
            )

        lowering.contribute(x, write)

    def change(self, lowering: Lowering, x: int) -> Buffer:
        return lowering.subtract(x, lowering.activations[x], self.reference.activations[x])
