"""Flattening and additions."""

from backlit_kernels.channels import copy_image
from backlit_kernels.elementwise import add

from backlit.graph import Add, Node
from backlit.layers import Flatten
from backlit.layout import Layout
from backlit.lowering.context import BACKWARD, ELEMENTWISE, FORWARD, Lowering
from backlit.tape import Buffer


def flatten_forward(lowering: Lowering, node: Node) -> None:
    """An image without border is its own row of features; any other is copied."""
    x = lowering.activations[node.inputs[0]]
    source = lowering.layouts[node.inputs[0]]
    if not source.has_border:
        lowering.activations[node.output] = x
        return
    out = lowering.new_buffer(node.output)
    copy(lowering, source, x, grid(source), out, compact_grid(source))
    lowering.activations[node.output] = out


def flatten_backward(lowering: Lowering, node: Node) -> None:
    x = node.inputs[0]
    source = lowering.layouts[x]
    g = lowering.gradients[node.output]
    if not source.has_border:
        lowering.share(x, g)
        return

    def write(out: Buffer) -> None:
        copy(lowering, source, g, compact_grid(source), out, grid(source))
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


def grid(layout: Layout) -> tuple[int, int, int]:
    """Where an image's first pixel lies, and from plane to plane and row to row."""
    return layout.origin, layout.plane, layout.pitch


def compact_grid(layout: Layout) -> tuple[int, int, int]:
    """The same for the features that an image flattens to."""
    _, height, width = layout.image
    return 0, height * width * layout.lanes, width * layout.lanes


def copy(
    lowering: Lowering,
    layout: Layout,
    x: Buffer,
    source: tuple[int, int, int],
    out: Buffer,
    target: tuple[int, int, int],
) -> None:
    """Copy the pixels of an image between two grids."""
    channels, height, width = layout.image
    lowering.tape.emit(
        copy_image(lowering.lanes),
        x=x.at(source[0]),
        out=out.at(target[0]),
        channels=channels,
        height=height,
        row=width * lowering.lanes,
        x_plane=source[1],
        x_pitch=source[2],
        out_plane=target[1],
        out_pitch=target[2],
    )


def add_forward(lowering: Lowering, node: Node) -> None:
    a, b = (lowering.activations[t] for t in node.inputs)
    out = lowering.new_buffer(node.output)
    lowering.tape.emit(add, a=a, b=b, out=out, size=lowering.layouts[node.output].size)
    lowering.activations[node.output] = out


def add_backward(lowering: Lowering, node: Node) -> None:
    """Both summands take the gradient as it is."""
    g = lowering.gradients[node.output]
    for tensor in node.inputs:
        lowering.share(tensor, g)


FORWARD[Flatten], BACKWARD[Flatten] = flatten_forward, flatten_backward
FORWARD[Add], BACKWARD[Add] = add_forward, add_backward
ELEMENTWISE.add(Add)
