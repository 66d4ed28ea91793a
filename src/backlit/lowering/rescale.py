"""DeepLIFT's rescale rule: the way back with the multipliers between an input and its reference.

Linear layers pass multipliers on as they pass gradients; the others are listed here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from backlit_kernels import rescale
from backlit_kernels.kernel import Kernel
from backlit_kernels.rescale_unary import rescale_unary
from backlit_kernels.scores import LOG_PROBABILITY, LOGIT, LOSS
from backlit_kernels.sigmoid_scores import rescale_sigmoid_score

from backlit.affine_parts import is_affine
from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.layers import (
    Clip,
    Elementwise,
    Layer,
    LeakyReLU,
    LogSoftmax,
    MaxPool2D,
    ReLU,
    Softmax,
)
from backlit.lowering.activations import classes, parameters, step_lanes
from backlit.lowering.context import BACKWARD, Emitter, Lowering
from backlit.lowering.pooling import covers, image_operands, max_operands
from backlit.lowering.rescale_operators import operator_rule
from backlit.lowering.softmax_rows import classes_in_front, from_front, to_front
from backlit.operators import (
    Add,
    Binary,
    Concatenate,
    Constant,
    Reduce,
    RowSoftmax,
)

# low, high, slope outside
PIECES: dict[type, Callable[[Any], tuple[float, float, float]]] = {
    ReLU: lambda layer: (0.0, np.inf, 0.0),
    LeakyReLU: lambda layer: (0.0, np.inf, layer.slope),
    Clip: lambda layer: (layer.low, layer.high, 0.0),
}


def rescale_rule(reference: Lowering) -> Callable[[Node], Emitter]:
    """The rule for the way back from an input, given the pass of its reference."""

    def rule(node: Node) -> Emitter:
        layer = node.layer
        if type(layer) in PIECES:
            bounds = reference.tape.constants.place(PIECES[type(layer)](layer))
            return elementwise(reference, rescale.rescale_linear, bounds=bounds)
        if isinstance(layer, Elementwise) and layer.function != "scale":
            kernel = rescale_unary(layer.function)
            return elementwise(reference, kernel, parameters=parameters(reference, layer))
        if isinstance(layer, RowSoftmax):
            return lambda lowering, node: row_softmax(lowering, reference, node)
        if isinstance(layer, Softmax | LogSoftmax):
            return lambda lowering, node: softmax(lowering, reference, node)
        if isinstance(layer, MaxPool2D):
            return lambda lowering, node: max_pool(lowering, reference, node)
        own = operator_rule(reference, node)
        if own is not None:
            return own
        # linear layers pass multipliers on as they pass gradients
        if is_affine(layer) or is_sum(layer) or isinstance(layer, Concatenate | Constant):
            return BACKWARD[type(layer)]
        raise ValueError(
            f"model must have layers that DeepLIFT has a rule for, but {node.name} is {layer!r}"
        )

    return rule


def is_sum(layer: Layer) -> bool:
    """Whether an operator adds or subtracts."""
    names = ("add", "subtract")
    named = isinstance(layer, Binary | Reduce) and layer.function in names
    return named or isinstance(layer, Add)


def elementwise(reference: Lowering, kernel: Kernel, **constants: int) -> Emitter:
    def emit(lowering: Lowering, node: Node) -> None:
        x = node.inputs[0]

        def write(out: Buffer) -> None:
            lowering.tape.emit(
                kernel,
                x=lowering.activations[x],
                x0=reference.activations[x],
                g=lowering.gradients[node.output],
                out=out,
                size=lowering.layouts[x].size,
                **constants,
            )
            # others may be infinite at 0
            zeros = kernel is rescale.rescale_linear and lowering.layouts[x].values_read
            lowering.clear_border(x, out, read=not zeros)

        lowering.contribute(x, write)

    return emit


def max_pool(lowering: Lowering, reference: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, MaxPool2D)
    x = node.inputs[0]
    source, target = lowering.layouts[x], lowering.layouts[node.output]
    tiles = covers(lowering, node)

    def write(out: Buffer) -> None:
        if tiles:
            lowering.clear_border(x, out)
        else:
            lowering.fill_zero(out, source.size)
        lowering.tape.emit(
            rescale.rescale_max_pool(lowering.lanes, *layer.size),
            x=lowering.activations[x].at(source.origin),
            x0=reference.activations[x].at(source.origin),
            y=lowering.activations[node.output].at(target.origin),
            y0=reference.activations[node.output].at(target.origin),
            g=lowering.gradients[node.output].at(target.origin),
            out=out.at(source.origin),
            accumulate=int(not tiles),
            **image_operands(lowering, node),
            **max_operands(layer),
        )

    lowering.contribute(x, write)


def softmax(lowering: Lowering, reference: Lowering, node: Node) -> None:
    x = node.inputs[0]

    def write(out: Buffer) -> None:
        values = lowering.activations[x], reference.activations[x]
        g = lowering.gradients[node.output]
        operands, lanes = classes(lowering, node), step_lanes(lowering, node)
        logarithm = isinstance(node.layer, LogSoftmax)
        emit_softmax(lowering, values, g, out, operands, lanes, logarithm)
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


def row_softmax(lowering: Lowering, reference: Lowering, node: Node) -> None:
    """The same with the classes brought to the front."""
    x = node.inputs[0]

    def write(out: Buffer) -> None:
        values = (
            to_front(lowering, x, lowering.activations[x]),
            to_front(lowering, x, reference.activations[x]),
        )
        g = to_front(lowering, node.output, lowering.gradients[node.output])
        front = lowering.new_buffer(x)
        emit_softmax(lowering, values, g, front, *classes_in_front(lowering, x), logarithm=False)
        from_front(lowering, x, front, out)
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


def emit_softmax(
    lowering: Lowering,
    values: tuple[Buffer, Buffer],
    g: Buffer,
    out: Buffer,
    operands: dict[str, int],
    lanes: int,
    logarithm: bool,
) -> None:
    """Multipliers from the values of an input and of its reference."""
    x, x0 = values
    means = lowering.tape.buffer(out.size)
    lowering.tape.emit(rescale.softmax_weights(lanes), x=x, x0=x0, out=means, **operands)
    lowering.tape.emit(
        rescale.rescale_softmax(lanes),
        means=means,
        g=g,
        out=out,
        logarithm=int(logarithm),
        **operands,
    )


def seed_multipliers(lowering: Lowering, reference: Lowering, score: int, targets: Buffer) -> None:
    """Start the way back: the multipliers of each lane's score, by the same rule."""
    lowering.seed(LOGIT, targets)
    if score == LOGIT:
        return
    tensor = lowering.graph.output
    out = lowering.new_buffer(tensor)
    operands = {"classes": lowering.layouts[tensor].shape[0], "step": lowering.lanes}
    if lowering.has_sigmoids:
        lowering.tape.emit(
            rescale_sigmoid_score(lowering.lanes),
            x=lowering.activations[tensor],
            x0=reference.activations[tensor],
            targets=targets,
            score=score,
            out=out,
            **operands,
        )
        lowering.gradients[tensor] = out
        return
    values = lowering.activations[tensor], reference.activations[tensor]
    g, logarithm = lowering.gradients[tensor], score in (LOG_PROBABILITY, LOSS)
    emit_softmax(lowering, values, g, out, operands, lowering.lanes, logarithm)
    if score == LOSS:
        out = lowering.subtract(tensor, lowering.zeros(tensor), out)
    lowering.gradients[tensor] = out
