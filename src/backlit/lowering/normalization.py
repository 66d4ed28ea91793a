"""Batch normalisation that could not be folded into a layer before it."""

from backlit_kernels.channels import affine

from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.layers import BatchNorm
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.planning import ELEMENTWISE


def operands(lowering: Lowering, node: Node) -> dict[str, int]:
    layer = node.layer
    assert isinstance(layer, BatchNorm)
    scale, _ = layer.scale_and_shift()
    layout = lowering.layouts[node.output]
    step = layout.feature_step
    return {"channels": len(scale), "plane": step, "scale": lowering.tape.constants.place(scale)}


def forward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, BatchNorm)
    _, shift = layer.scale_and_shift()
    values = operands(lowering, node)
    out = lowering.new_buffer(node.output)
    lowering.tape.emit(
        affine(values["plane"]),
        x=lowering.activations[node.inputs[0]],
        out=out,
        shift=lowering.tape.constants.place(shift),
        **values,
    )
    lowering.clear_border(node.output, out)
    lowering.activations[node.output] = out


def backward(lowering: Lowering, node: Node) -> None:
    values = operands(lowering, node)

    def write(out: Buffer) -> None:
        g = lowering.gradients[node.output]
        lowering.tape.emit(affine(values["plane"]), x=g, out=out, shift=-1, **values)

    lowering.contribute(node.inputs[0], write)


FORWARD[BatchNorm], BACKWARD[BatchNorm] = forward, backward
ELEMENTWISE.add(BatchNorm)
