"""Activation functions and softmax, forward and backward."""

from collections.abc import Callable
from typing import Any

import numpy as np
from backlit_kernels import elementwise, scores
from backlit_kernels.kernel import Kernel
from backlit_kernels.unary import unary, unary_backward
from backlit_kernels.unary_functions import PARAMETERS
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.instructions import Buffer, ByChannel
from backlit.layers import (
    Activation,
    Clip,
    Elementwise,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from backlit.lowering.context import BACKWARD, FORWARD, Emitter, Lowering
from backlit.lowering.fusing import rule_finish
from backlit.lowering.planning import ELEMENTWISE


def relu_forward(lowering: Lowering, node: Node) -> None:
    out = lowering.new_buffer(node.output)
    lowering.tape.emit(
        elementwise.relu,
        x=lowering.activations[node.inputs[0]],
        out=out,
        mark=lowering.write_marks(node.output, out),
        size=lowering.layouts[node.output].size,
    )
    lowering.clear_border(node.output, out, read=lowering.layouts[node.output].values_read)
    lowering.activations[node.output] = out


def relu_backward(lowering: Lowering, node: Node) -> None:
    def write(out: Buffer) -> None:
        finish = rule_finish(lowering, node.output, out, node)
        lowering.tape.emit(
            elementwise.relu_backward,
            g=lowering.gradients[node.output],
            out=out,
            mask=finish.mask,
            size=lowering.layouts[node.output].size,
            rectified=finish.rectify,
        )

    lowering.contribute(node.inputs[0], write)


def parameters(lowering: Lowering, layer: Any) -> int:
    values = np.zeros(PARAMETERS, np.float32)
    values[: len(layer.parameters)] = layer.parameters
    return lowering.tape.constants.place(values)


def forward(lowering: Lowering, node: Node) -> None:
    assert isinstance(node.layer, Elementwise)
    out = lowering.new_buffer(node.output)
    lowering.tape.emit(
        unary(node.layer.function),
        each_channel(lowering, node, "x", "out"),
        x=lowering.activations[node.inputs[0]],
        out=out,
        size=lowering.layouts[node.output].size,
        parameters=parameters(lowering, node.layer),
    )
    lowering.clear_border(node.output, out, read=lowering.layouts[node.output].values_read)
    lowering.activations[node.output] = out


def backward(lowering: Lowering, node: Node) -> None:
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, Elementwise)
    # a clip that was computed with the layer before it: its output tells as much
    kept = x if x in lowering.activations else node.output

    def write(out: Buffer) -> None:
        lowering.tape.emit(
            unary_backward(layer.function),
            each_channel(lowering, node, "x", "g", "out"),
            x=lowering.activations[kept],
            g=lowering.gradients[node.output],
            out=out,
            size=lowering.layouts[node.output].size,
            parameters=parameters(lowering, layer),
        )
        lowering.clear_border(x, out, read=lowering.layouts[x].gradient_read)

    lowering.contribute(x, write)


def each_channel(lowering: Lowering, node: Node, *operands: str) -> ByChannel:
    layout = lowering.layouts[node.output]
    return ByChannel(layout.image[0], "size", dict.fromkeys(operands, layout.plane))


FORWARD[ReLU], BACKWARD[ReLU] = relu_forward, relu_backward
for kind in (LeakyReLU, Clip, Sigmoid, Tanh, Activation):
    FORWARD[kind], BACKWARD[kind] = forward, backward
    ELEMENTWISE.add(kind)


def softmax_forward(family: Callable[[int], Kernel]) -> Emitter:
    def emit(lowering: Lowering, node: Node) -> None:
        out = lowering.new_buffer(node.output)
        x = lowering.activations[node.inputs[0]]
        lowering.tape.emit(
            family(step_lanes(lowering, node)), x=x, out=out, **classes(lowering, node)
        )
        lowering.clear_border(node.output, out)
        lowering.activations[node.output] = out

    return emit


def softmax_backward(family: Callable[[int], Kernel]) -> Emitter:
    def emit(lowering: Lowering, node: Node) -> None:
        def write(out: Buffer) -> None:
            y, g = lowering.activations[node.output], lowering.gradients[node.output]
            lowering.tape.emit(
                family(step_lanes(lowering, node)), y=y, g=g, out=out, **classes(lowering, node)
            )
            lowering.clear_border(node.inputs[0], out)

        lowering.contribute(node.inputs[0], write)

    return emit


def classes(lowering: Lowering, node: Node) -> dict[str, int]:
    layout = lowering.layouts[node.output]
    return {"classes": layout.shape[0], "step": layout.feature_step}


def step_lanes(lowering: Lowering, node: Node) -> int:
    """Single floats only where classes lie nearer to one another than a vector is long."""
    layout = lowering.layouts[node.output]
    return LANES if layout.feature_step >= LANES else 1


FORWARD[Softmax] = softmax_forward(scores.softmax)
BACKWARD[Softmax] = softmax_backward(scores.softmax_backward)
FORWARD[LogSoftmax] = softmax_forward(scores.log_softmax)
BACKWARD[LogSoftmax] = softmax_backward(scores.log_softmax_backward)
ELEMENTWISE |= {ReLU, Softmax, LogSoftmax}
