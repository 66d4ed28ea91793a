"""Winograd's F(2x2, 3x3) of a tile of samples, one patch after the other.

See `backlit_kernels.winograd_fused`: it pays with few channels already, but not in single samples.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from backlit_kernels.pooled_product import channel_blocks
from backlit_kernels.team import ROOMS
from backlit_kernels.winograd_fused import SIDE, fused_winograd, pooled_winograd, room_size

from backlit.graph import Node
from backlit.layers import Conv2D
from backlit.lowering.context import Lowering
from backlit.lowering.fused_pooling import floor, pooled_output
from backlit.lowering.fusing import Finish
from backlit.lowering.images import image_of
from backlit.lowering.products import Packed
from backlit.lowering.settling import Settling
from backlit.lowering.winograd_filters import Convolution, FusedFilters


def _packed(lowering: Lowering, filters: np.ndarray) -> Iterator[tuple[Packed, dict[str, Any]]]:
    """The filters for each shape of a tile, and operands."""
    shapes = tuple((rows, SIDE, blocks) for rows, blocks in channel_blocks(len(filters)))
    for part in FusedFilters(lowering, filters).packed(shapes):
        room = lowering.tape.buffer(ROOMS * room_size(part.rows))
        yield (
            part,
            {
                "filters": part.weights,
                "room": room,
                "channels": filters.shape[1],
                "blocks": part.blocks,
            },
        )


def emit_fused(lowering: Lowering, convolution: Convolution, finish: Finish) -> None:
    """A convolution by patches with 2x2 outputs."""
    source, target = convolution.x.layout, convolution.out.layout
    height, width = convolution.size
    shift, first = lowering.tape.constants.place(convolution.bias), 0
    for part, packed in _packed(lowering, convolution.filters):
        lowering.tape.emit(
            fused_winograd(part.rows),
            out=convolution.out.at().at(first * target.plane),
            x=convolution.corner(),
            bias=shift + first,
            height=height,
            width=width,
            plane=source.plane,
            pitch=source.pitch,
            out_plane=target.plane,
            out_pitch=target.pitch,
            **packed,
            **vars(finish),
        )
        first += part.channels


def pool_patches(lowering: Lowering, node: Node, pooling: Node, settling: Settling) -> None:
    """A convolution and the 2x2 max-pooling behind it, whose ties are settled."""
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, Conv2D)
    source = image_of(lowering, x, lowering.activations[x])
    output, first = pooled_output(lowering, pooling), 0
    least = floor(lowering, rectify=pooling.inputs[0] != node.output)
    for part, packed in _packed(lowering, layer.weights):
        lowering.tape.emit(
            pooled_winograd(part.rows),
            x=source.at(),
            plane=source.layout.plane,
            pitch=source.layout.pitch,
            floor=least,
            **packed,
            **vars(settling.from_channel(first)),
            **vars(output.from_channel(first)),
        )
        first += part.channels
    lowering.clear_border(pooling.output, output.out.buffer)
