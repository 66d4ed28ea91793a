"""Activation functions and softmax, forward and backward."""

from collections.abc import Callable
from typing import Any

from backlit_kernels import elementwise, scores
from backlit_kernels.kernel import Kernel
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.layers import Clip, LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from backlit.lowering.context import BACKWARD, ELEMENTWISE, FORWARD, Emitter, Lowering
from backlit.tape import Buffer


def no_constants(lowering: Lowering, layer: Any) -> dict[str, int]:
    return {}


def slope(lowering: Lowering, layer: Any) -> dict[str, int]:
    return {"slope": lowering.tape.constant([layer.slope])}


def bounds(lowering: Lowering, layer: Any) -> dict[str, int]:
    return {"bounds": lowering.tape.constant([layer.low, layer.high])}


def forward(
    kernel: Kernel, constants: Callable[[Lowering, Any], dict[str, int]] = no_constants
) -> Emitter:
    def emit(lowering: Lowering, node: Node) -> None:
        out = lowering.new_buffer(node.output)
        lowering.tape.emit(
            kernel,
            x=lowering.activations[node.inputs[0]],
            out=out,
            size=lowering.layouts[node.output].size,
            **constants(lowering, node.layer),
        )
        lowering.clear_border(node.output, out)
        lowering.activations[node.output] = out

    return emit


def backward(
    kernel: Kernel,
    needs: str,
    constants: Callable[[Lowering, Any], dict[str, int]] = no_constants,
) -> Emitter:
    """A kernel that needs the activation's input, ``"x"``, or its output, ``"y"``."""

    def emit(lowering: Lowering, node: Node) -> None:
        kept = node.inputs[0] if needs == "x" else node.output

        def write(out: Buffer) -> None:
            lowering.tape.emit(
                kernel,
                g=lowering.gradients[node.output],
                out=out,
                size=lowering.layouts[node.output].size,
                **{needs: lowering.activations[kept]},
                **constants(lowering, node.layer),
            )

        lowering.contribute(node.inputs[0], write)

    return emit


def relu_backward(lowering: Lowering, node: Node) -> None:
    def write(out: Buffer) -> None:
        lowering.tape.emit(
            elementwise.relu_backward,
            y=lowering.activations[node.output],
            g=lowering.gradients[node.output],
            out=out,
            size=lowering.layouts[node.output].size,
            masked=int(lowering.relu_rule.masked),
            rectified=int(lowering.relu_rule.rectified),
        )

    lowering.contribute(node.inputs[0], write)


FORWARD[ReLU], BACKWARD[ReLU] = forward(elementwise.relu), relu_backward
FORWARD[LeakyReLU] = forward(elementwise.leaky_relu, slope)
BACKWARD[LeakyReLU] = backward(elementwise.leaky_relu_backward, "x", slope)
FORWARD[Clip] = forward(elementwise.clip, bounds)
BACKWARD[Clip] = backward(elementwise.clip_backward, "x", bounds)
FORWARD[Sigmoid] = forward(elementwise.sigmoid_forward)
BACKWARD[Sigmoid] = backward(elementwise.sigmoid_backward, "y")
FORWARD[Tanh] = forward(elementwise.tanh_forward)
BACKWARD[Tanh] = backward(elementwise.tanh_backward, "y")


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
    """Single floats only where classes are neighbours in memory."""
    return lowering.lanes if len(lowering.layouts[node.output].shape) == 1 else LANES


FORWARD[Softmax] = softmax_forward(scores.softmax)
BACKWARD[Softmax] = softmax_backward(scores.softmax_backward)
FORWARD[LogSoftmax] = softmax_forward(scores.log_softmax)
BACKWARD[LogSoftmax] = softmax_backward(scores.log_softmax_backward)
ELEMENTWISE |= {ReLU, LeakyReLU, Clip, Sigmoid, Tanh, Softmax, LogSoftmax}
