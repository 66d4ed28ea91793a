"""Winograd's convolution and the 2x2 max-pooling behind it: see `backlit_kernels.ties`.

Rows of windows are taken as soon as they are made. Where nothing else needs the convolution's
output, there is never more of it than these.
"""

from dataclasses import replace

from backlit_kernels.finish import RELU
from backlit_kernels.ties import pool_settled
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.layers import Conv2D
from backlit.lowering.context import Lowering
from backlit.lowering.fused_pooling import pooled_output, pooling_of
from backlit.lowering.fusing import fuse_forward, plain_finish
from backlit.lowering.images import Image, image_of
from backlit.lowering.settling import settling_of
from backlit.lowering.ties import rectified
from backlit.lowering.winograd import one_by_one, winograd_forward
from backlit.lowering.winograd_fused import pool_patches
from backlit.lowering.winograd_strips import strip_layout


def winograd_pooled_forward(lowering: Lowering, node: Node, pooling: Node, m: int) -> None:
    layer, x, y = node.layer, node.inputs[0], node.output
    assert isinstance(layer, Conv2D)
    tape = lowering.tape
    relu = rectified(lowering.graph, node) != y
    user = lowering.only_user(y)
    alone = user is not None and pooling_of(lowering, [user]) is pooling
    settling = settling_of(lowering, node)
    if alone and one_by_one(lowering, layer.weights):
        pool_patches(lowering, node, pooling, settling)
        return
    if alone:
        layout = strip_layout(lowering, layer, m, lowering.layouts[y])
        made = Image(tape.buffer(layout.size), layout)
        finish = replace(plain_finish(lowering), rectify=RELU if relu else 0)
    else:
        made = image_of(lowering, y, lowering.new_buffer(y))
        result, finish = fuse_forward(lowering, node, made.buffer)
        lowering.activations[result] = made.buffer
    # values that are wanted are settled where they lie, and pooled again by a node of its own
    output = pooled_output(lowering if alone else lowering.another_pass(), pooling)
    source = image_of(lowering, x, lowering.activations[x])
    spare = tape.buffer(len(layer.weights) * LANES)
    done = 0

    def follow(ready: int) -> None:
        """Pool the rows that are there."""
        nonlocal done
        first, count = 2 * done, ready // 2 - done
        if count:
            tape.emit(
                pool_settled(lowering.lanes),
                x=source.at(first),
                y=made.at(first % made.layout.image[1]),
                spare=spare,
                channels=len(layer.weights),
                x_row=source.layout.pitch,
                plane=made.layout.plane,
                pitch=made.layout.pitch,
                positive=int(relu),
                rectify=finish.rectify,
                ceiling=finish.ceiling,
                **vars(settling),
                **vars(output.rows(done, count)),
            )
        done += count

    winograd_forward(lowering, node, m, made, finish, follow)
    if alone:
        lowering.clear_border(pooling.output, output.out.buffer)
    else:
        lowering.clear_border(y, made.buffer)
