"""Winograd's convolution before a max-pooling: see `backlit_kernels.ties`.

The pooling's ties are settled by direct sums, which is as good as direct convolution if no other
pooling follows; one that does would see the rounding of these maxima. In large pictures that is
accepted: F(2x2, 3x3) gives equal bits to the outputs of equal patches in flat areas and along
straight edges, where its differences vanish exactly, and other equal patches are rare.
"""

from math import prod
from typing import Any

import numpy as np
from backlit_kernels.ties import largest_magnitude, settle_ties
from backlit_kernels.vector import LANES

from backlit.graph import Graph, Node
from backlit.layers import Conv2D, MaxPool2D
from backlit.lowering.context import Lowering
from backlit.lowering.flat_convolution import window_offsets
from backlit.lowering.fusing import rectifies
from backlit.lowering.products import count_pieces
from backlit.operators import Reduce
from backlit.tape import Buffer

PICKS_PIXELS = (MaxPool2D, Reduce)  # of equal values, they send the gradient to some
# A channel's values are close that differ by less than this share of the largest sum its weights
# give. Winograd's method was seen to err by 2^-24 of it, by 2^-22 where all terms are positive.
CLOSE = 2.0**-20
LARGE_PICTURE = 64 * 64  # pixels of the input


def pooling_to_settle(graph: Graph, node: Node) -> Node | None:
    """The pooling that alone picks from a convolution's output, in windows that do not overlap.

    Of small pictures, what comes after it must pick no more.
    """
    tensor = rectified(graph, node)
    users = graph.consumers(tensor)
    if len(users) == 1 and isinstance(layer := users[0].layer, MaxPool2D):
        apart = all(size <= step for size, step in zip(layer.size, layer.stride, strict=True))
        plain = apart and not any(layer.padding) and not layer.ceil_mode
        if plain and not picks_matter(graph, users[0].output):
            return users[0]
    return None


def picks_matter(graph: Graph, tensor: int) -> bool:
    """Whether the rounding of a tensor may decide which of equal values a layer picks."""
    large = prod(graph.shapes[0][1:]) >= LARGE_PICTURE
    return not large and graph.reaches(tensor, PICKS_PIXELS)


def rectified(graph: Graph, node: Node) -> int:
    """The output of the ReLU that alone uses a layer's output, or else that output."""
    users = graph.consumers(node.output)
    if len(users) == 1 and rectifies(users[0].layer):
        return users[0].output
    return node.output


def emit_settle_ties(
    lowering: Lowering, node: Node, pooling: Node, out: Buffer, after: dict[str, Any]
) -> None:
    """Put direct sums into the convolution's output where the pooling's choice hangs on them."""
    layer, pool = node.layer, pooling.layer
    assert isinstance(layer, Conv2D)
    assert isinstance(pool, MaxPool2D)
    source, target = lowering.layouts[node.inputs[0]], lowering.layouts[node.output]
    x, tape = lowering.activations[node.inputs[0]], lowering.tape
    weights = layer.weights.reshape(len(layer.weights), -1)
    largest = tape.buffer(max(lowering.lanes, LANES))
    channels, height, width = source.image
    tape.emit(
        largest_magnitude,
        x=x.at(source.origin),
        out=largest,
        channels=channels,
        height=height,
        row=width * lowering.lanes,
        plane=source.plane,
        pitch=source.pitch,
        lanes=lowering.lanes,
    )
    tape.emit(
        settle_ties(lowering.lanes, *pool.size),
        x=x.at(source.origin),
        y=out.at(target.origin),
        largest=largest,
        weights=tape.constants.place(weights),
        bias=tape.constants.place(layer.bias),
        tolerance=tape.constants.place(CLOSE * np.abs(weights).sum(axis=1)),
        offsets=window_offsets(source, layer),
        depth=weights.shape[1],
        pieces=count_pieces(weights.shape[1]),
        channels=len(weights),
        out_height=lowering.layouts[pooling.output].image[1],
        out_width=lowering.layouts[pooling.output].image[2],
        stride_y=pool.stride[0],
        stride_x=pool.stride[1],
        x_row=source.pitch,
        plane=target.plane,
        pitch=target.pitch,
        positive=int(rectified(lowering.graph, node) != node.output),
        rectify=after["rectify"],
        ceiling=after["ceiling"],
    )
