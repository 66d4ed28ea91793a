"""Winograd's convolution and the 2x2 max-pooling behind it: see `backlit_kernels.ties`.

Rows of windows are taken as soon as they are made. Where nothing else needs the convolution's
output, there is never more of it than these.
"""

from dataclasses import replace

import numpy as np
from backlit_kernels.ties import largest_magnitude, pool_settled
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.layers import Conv2D
from backlit.lowering.context import Lowering
from backlit.lowering.fusing import fuse_forward, plain_finish
from backlit.lowering.images import Image, window_offsets
from backlit.lowering.pooled import pooled_operands, pooling_of
from backlit.lowering.products import count_pieces
from backlit.lowering.ties import rectified
from backlit.lowering.winograd import one_by_one, winograd_forward
from backlit.lowering.winograd_fused import pool_patches
from backlit.lowering.winograd_strips import strip_layout
from backlit.tape import Buffer

# A channel's values are close that differ by less than this share of the largest sum its weights
# give. Winograd's method was seen to err by 2^-24 of it, by 2^-22 where all terms are positive.
CLOSE = 2.0**-20


def winograd_pooled_forward(lowering: Lowering, node: Node, pooling: Node, m: int) -> None:
    layer, x, y = node.layer, node.inputs[0], node.output
    assert isinstance(layer, Conv2D)
    tape, source, made = lowering.tape, lowering.layouts[x], lowering.layouts[y]
    relu = rectified(lowering.graph, node) != y
    user = lowering.only_user(y)
    alone = user is not None and pooling_of(lowering, [user]) is pooling
    weights = layer.weights.reshape(len(layer.weights), -1)
    settling = {
        "largest": emit_largest(lowering, x),
        "weights": tape.constants.place(weights),
        "bias": tape.constants.place(layer.bias),
        "tolerance": tape.constants.place(CLOSE * np.abs(weights).sum(axis=1)),
        "offsets": window_offsets(source, layer),
        "depth": weights.shape[1],
        "pieces": count_pieces(weights.shape[1]),
    }
    if alone and one_by_one(lowering, layer.weights):
        pool_patches(lowering, node, pooling, settling)
        return
    if alone:
        made = strip_layout(lowering, layer, m, made)
        out = tape.buffer(made.size)
        finish = replace(plain_finish(lowering), rectify=int(relu))
    else:
        out = lowering.new_buffer(y)
        result, finish = fuse_forward(lowering, node, out)
        lowering.activations[result] = out
    # values that are wanted are settled where they lie, and pooled again by a node of its own
    taken = lowering if alone else lowering.another_pass()
    operands = pooled_operands(taken, pooling)
    pooled, target = taken.activations[pooling.output], lowering.layouts[pooling.output]
    operands |= settling | {
        "spare": tape.buffer(len(weights) * LANES),
        "channels": len(weights),
        "x_row": source.pitch,
        "plane": made.plane,
        "pitch": made.pitch,
        "positive": int(relu),
        "rectify": finish.rectify,
        "ceiling": finish.ceiling,
    }
    done = 0

    def follow(ready: int) -> None:
        """Pool the rows that are there."""
        nonlocal done
        first, count = 2 * done, ready // 2 - done
        if count:
            operands["out"] = pooled.at(target.origin + done * target.pitch)
            operands["height"] = count
            tape.emit(
                pool_settled(lowering.lanes),
                x=lowering.activations[x].at(source.origin + first * source.pitch),
                y=out.at(made.origin + first % made.image[1] * made.pitch),
                **operands,
            )
        done += count

    winograd_forward(lowering, node, m, Image(out, made), finish, follow)
    if alone:
        lowering.clear_border(pooling.output, pooled)
    else:
        lowering.clear_border(y, out)


def emit_largest(lowering: Lowering, tensor: int) -> Buffer:
    """The largest magnitude of a tensor, as a lane value."""
    layout, lanes = lowering.layouts[tensor], lowering.lanes
    largest = lowering.tape.buffer(max(lanes, LANES))
    channels, height, width = layout.image
    lowering.tape.emit(
        largest_magnitude,
        x=lowering.activations[tensor].at(layout.origin),
        out=largest,
        channels=channels,
        height=height,
        row=width * lanes,
        plane=layout.plane,
        pitch=layout.pitch,
        lanes=lanes,
    )
    return largest
