"""A 2x2 max-pooling in one with what makes its input: see `backlit_kernels.windows`."""

from dataclasses import dataclass, replace

import numpy as np
from backlit_kernels.entries import ENTRIES
from backlit_kernels.pooled_product import channel_blocks, pooled_product
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.instructions import Distance, Place
from backlit.layers import Conv2D, MaxPool2D, ReLU
from backlit.lowering.context import Lowering
from backlit.lowering.images import image_of, window_offsets
from backlit.lowering.products import Weights, count_pieces

MOST_UNROLLED = 9  # terms of a sum: of a 3x3 kernel, one channel


def by_twos(pool: MaxPool2D) -> bool:
    """Whether a pooling's windows are 2x2, side by side, and reach into no padding."""
    return pool.size == pool.stride == (2, 2) and not any(pool.padding)


def pooling_of(lowering: Lowering, users: list[Node]) -> Node | None:
    """The 2x2 pooling that these users of a tensor are, or a ReLU before it, if it can be fused."""
    if len(users) == 1 and isinstance(users[0].layer, ReLU):
        user = lowering.only_user(users[0].output)
        users = [] if user is None else [user]
    if len(users) != 1 or not isinstance(users[0].layer, MaxPool2D):
        return None
    pooling, pool = users[0], users[0].layer
    images = (lowering.graph.shapes[t][1:] for t in (pooling.inputs[0], pooling.output))
    inside = all(2 * out <= size for size, out in zip(*images, strict=True))
    return pooling if by_twos(pool) and inside else None


def pooling_to_fuse(lowering: Lowering, node: Node) -> Node | None:
    """The pooling to be computed with a convolution."""
    assert isinstance(node.layer, Conv2D)
    user = lowering.only_user(node.output)
    if user is None or node.layer.groups > 1 or lowering.lanes != LANES:
        return None
    return pooling_of(lowering, [user])


@dataclass(frozen=True)
class PooledOutput:
    """Where a pooling's output goes, and its choices. Operands of the kernels that make both."""

    out: Place
    choice: Distance
    height: int
    width: int
    out_plane: int
    out_row: int

    def from_channel(self, first: int) -> "PooledOutput":
        """The channels from one on."""
        return replace(self, out=self.out.at(first * self.out_plane))

    def rows(self, first: int, count: int) -> "PooledOutput":
        """Some rows alone."""
        return replace(self, out=self.out.at(first * self.out_row), height=count)


def pooled_output(lowering: Lowering, pooling: Node) -> PooledOutput:
    """Makes buffers for a pooling's output and choices."""
    y = pooling.output
    layout = lowering.layouts[y]
    _, height, width = layout.image
    out = lowering.activations[y] = lowering.new_buffer(y)
    choices = lowering.choices[y] = lowering.new_buffer(y)
    return PooledOutput(
        out=out.at(layout.origin),
        choice=Distance(out, choices),
        height=height,
        width=width,
        out_plane=layout.plane,
        out_row=layout.pitch,
    )


def floor(lowering: Lowering, *, rectify: bool) -> int:
    """Where what a window's entries are at least lies: zero if a ReLU comes before the pooling."""
    return lowering.tape.constants.place([0 if rectify else -np.inf])


def pooled_forward(lowering: Lowering, node: Node, pooling: Node) -> None:
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, Conv2D)
    source = image_of(lowering, x, lowering.activations[x])
    output, first = pooled_output(lowering, pooling), 0
    least = floor(lowering, rectify=pooling.inputs[0] != node.output)
    weights = layer.weights.reshape(1, len(layer.weights), -1)
    offsets, depth = window_offsets(source.layout, layer), weights.shape[2]
    pieces = count_pieces(depth)
    shapes = tuple((r, ENTRIES, blocks) for r, blocks in channel_blocks(len(layer.weights)))
    for part in Weights(lowering, weights, layer.bias).packed(shapes):
        partial = part.channels * ENTRIES * LANES if pieces > 1 else 0
        lowering.tape.emit(
            pooled_product(part.rows, pieces > 1, depth if depth <= MOST_UNROLLED else 0),
            x=source.at(),
            weights=part.weights,
            bias=part.bias,
            offsets=offsets,
            depth=depth,
            pieces=pieces,
            partial=lowering.tape.buffer(partial),
            blocks=part.blocks,
            x_row=layer.stride[0] * source.layout.pitch,
            x_step=layer.stride[1] * LANES,
            floor=least,
            **vars(output.from_channel(first)),
        )
        first += part.channels
    lowering.clear_border(pooling.output, output.out.buffer)
