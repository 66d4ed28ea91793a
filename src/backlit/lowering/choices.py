"""The way back through a 2x2 max-pooling by its choices: see `backlit_kernels.windows`.

A convolution before it is passed in one with it, unless its channels are so many that Winograd's
method takes fewer products: see `backlit_kernels.choices`.
"""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from backlit_kernels.choices import convolve_choices_back, find_choices
from backlit_kernels.target import target
from backlit_kernels.team import ROOMS
from backlit_kernels.vector import LANES
from backlit_kernels.windows import accumulate_choices, spread_choices, sum_choices

from backlit.graph import Node
from backlit.instructions import Buffer, Distance
from backlit.layers import Conv2D, ReLU
from backlit.layout import Layout, round_up
from backlit.lowering.context import Lowering
from backlit.lowering.fused_pooling import pooling_of
from backlit.lowering.fusing import Finish
from backlit.lowering.winograd import backward_patches, by_patches, is_wide

LOOKS_UP = target().looks_up
MOST_TERMS = 1024  # of a sum, which is not made of pieces
# Blocks of a register tile: beside its four sums, each holds a gradient and its choice.
MOST_ACROSS = max(target().accumulators // 6, 1)


def passed_in_one(lowering: Lowering, pooling: Node) -> int | None:
    """The tensor before a pooling whose gradient is not made, but passed on by the choices.

    By the convolution that makes it, or to a sum of steps: see `Lowering.backward`.
    """
    graph, end = lowering.graph, lowering.heading_for
    if end is None:
        return None
    added = lowering.to_add and lowering.lanes == LANES and pooling.output in lowering.choices
    if added and pooling_of(lowering, graph.consumers(end)) is pooling:
        return end
    node = graph.producer(pooling.inputs[0])
    if node is not None and isinstance(node.layer, ReLU):
        node = graph.producer(node.inputs[0])
    if node is None or node.output <= end or not goes_in_one(lowering, node):
        return None
    user = lowering.only_user(node.output)
    alone = user is not None and pooling_of(lowering, [user]) is pooling
    return node.output if alone else None


def goes_in_one(lowering: Lowering, node: Node) -> bool:
    """Whether `choices_back` is for a layer, if a pooling follows."""
    layer = node.layer
    if not LOOKS_UP or not isinstance(layer, Conv2D):
        return False
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    patches = backward_patches(layer, lowering.graph.shapes[node.inputs[0]])
    wide = patches and is_wide(layer.weights) and by_patches(lowering, layer)
    return plain and not wide and len(layer.weights) * prod(patch_blocks(layer)) <= MOST_TERMS


def patch_blocks(layer: Conv2D) -> tuple[int, int]:
    """In how many rows and columns of 2x2 blocks the patch of a window lies."""
    tall, wide = layer.weights.shape[2:]
    return tall // 2 + 1, wide // 2 + 1


def weights_by_choice(layer: Conv2D) -> np.ndarray:
    """A convolution's: ``(inputs, *patch_blocks, outputs, entries of a block, 4)``."""
    tall, wide = layer.weights.shape[2:]
    i, j = patch_blocks(layer)
    # of each choice, the patch: the kernel, moved by the choice's place in the window
    patches = np.zeros((4, *layer.weights.shape[:2], 2 * i, 2 * j), np.float32)
    for number, patch in enumerate(patches):
        y, x = divmod(number, 2)
        patch[:, :, y : y + tall, x : x + wide] = layer.weights
    blocks = patches.reshape(*patches.shape[:3], i, 2, j, 2)
    return blocks.transpose(2, 3, 5, 1, 4, 6, 0)


def send_choices(lowering: Lowering, tensor: int, pooling: Node) -> None:
    """Let the gradient of a pooling wait until a tensor's turn comes."""
    lowering.chosen[tensor] = pooling
    if pooling.output not in lowering.choices:
        choices = lowering.choices[pooling.output] = lowering.new_buffer(pooling.output)
        x, y = pooling.inputs[0], pooling.output
        source, pooled = lowering.layouts[x], lowering.layouts[y]
        activations = lowering.activations[y]
        lowering.tape.emit(
            find_choices(lowering.lanes),
            x=lowering.activations[x].at(source.origin),
            y=activations.at(pooled.origin),
            choice=Distance(activations, choices),
            x_plane=source.plane,
            x_row=source.pitch,
            **window_operands(pooled),
        )


def window_operands(pooled: Layout) -> dict[str, int]:
    channels, height, width = pooled.image
    sizes = {"channels": channels, "height": height, "width": width}
    return sizes | {"y_plane": pooled.plane, "y_row": pooled.pitch}


def choice_operands(lowering: Lowering, pooling: Node, *, relu: bool) -> dict[str, Any]:
    """A pooling's output, gradient and choices, and the rule of a ReLU before it."""
    y = pooling.output
    activations, pooled = lowering.activations[y], lowering.layouts[y]
    return {
        "y": activations.at(pooled.origin),
        "g": lowering.gradients[y].at(pooled.origin),
        "choice": Distance(activations, lowering.choices[y]),
        **relu_operands(lowering, relu=relu),
    }


def relu_operands(lowering: Lowering, *, relu: bool) -> dict[str, int]:
    """The rule of a ReLU before a pooling, if there is one."""
    rule = lowering.relu_rule
    return {"masked": int(relu and rule.masked), "rectified": int(relu and rule.rectified)}


def choices_back(
    lowering: Lowering, node: Node, pooling: Node, out: Buffer, finish: Finish
) -> None:
    """The gradient of a convolution's input from that of the pooling behind it."""
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, Conv2D)
    tape, lanes = lowering.tape, lowering.lanes
    pooled, source = lowering.layouts[pooling.output], lowering.layouts[x]
    outputs, windows_height, windows_width = pooled.image
    channels, height, width = source.image
    top, left = layer.padding[:2]
    tall, wide = patch_blocks(layer)
    blocks = -(-(width + left) // 2) - left // 2  # in a row
    across = min(MOST_ACROSS, -(-blocks * lanes // LANES))
    before, last = (wide - 1) * lanes, left // 2 * lanes + max(blocks * lanes, across * LANES)
    line = round_up(before + max(windows_width * lanes, last), LANES) + LANES
    newest, i, j, k = np.ogrid[:tall, :tall, :wide, :outputs]
    offsets = (((newest - i) % tall * outputs + k) * 2 * line + before - j * lanes).reshape(-1)
    recipe, make = weights_by_choice, partial(weights_by_choice, layer)
    tape.emit(
        convolve_choices_back(across, lanes == 1),
        out=out.at(source.origin),
        room=tape.buffer(ROOMS * tall * outputs * 2 * line),
        weights=tape.constants.derived(layer.weights, recipe, make),
        offsets=offsets,
        channels=channels,
        windows=outputs,
        windows_height=windows_height,
        run=windows_width * lanes,
        y_plane=pooled.plane,
        y_row=pooled.pitch,
        tall=tall,
        wide=wide,
        line=line,
        pixel=lanes,
        top=top,
        left=left,
        height=height,
        width=width,
        out_plane=source.plane,
        out_row=source.pitch,
        **choice_operands(lowering, pooling, relu=pooling.inputs[0] != node.output),
        **vars(finish),
    )
    lowering.clear_border(x, out)


def spread_back(
    lowering: Lowering, node: Node, out: Buffer, known: Buffer | None, *, relu: bool
) -> None:
    """The gradient of a pooling's input, or of that of the ReLU before it.

    What is known of it from other uses is added, where windows cover all of it.
    """
    x = node.inputs[0]
    source, pooled = lowering.layouts[x], lowering.layouts[node.output]
    lowering.tape.emit(
        spread_choices(lowering.lanes),
        out=out.at(source.origin),
        out_plane=source.plane,
        out_row=source.pitch,
        initial=0 if known is None else Distance(out, known),
        **window_operands(pooled),
        **choice_operands(lowering, node, relu=relu),
    )
    _, height, width = pooled.image
    lowering.clear_border(x, out, (2 * height, 2 * width))


def sum_choices_back(
    points: Sequence[Lowering], tensor: int, pooling: Node, total: Lowering
) -> None:
    """The gradient of a tensor before a pooling: what `total` knows of it, and that of passes."""
    y, relu = pooling.output, pooling.inputs[0] != tensor
    source, pooled = total.layouts[tensor], total.layouts[y]
    out, known = total.new_buffer(tensor), total.gradients.get(tensor)
    total.tape.emit(
        sum_choices,
        points=len(points),
        ys=tuple(point.activations[y].at(pooled.origin) for point in points),
        gs=tuple(point.gradients[y].at(pooled.origin) for point in points),
        choices=tuple(point.choices[y].at(pooled.origin) for point in points),
        out=out.at(source.origin),
        out_plane=source.plane,
        out_row=source.pitch,
        initial=0 if known is None else Distance(out, known),
        **window_operands(pooled),
        **relu_operands(total, relu=relu),
    )
    _, height, width = pooled.image
    total.clear_border(tensor, out, (2 * height, 2 * width))
    total.gradients[tensor] = out


def add_choices(
    lowering: Lowering, tensor: int, pooling: Node, partial: Buffer, total: Buffer, weight: Buffer
) -> None:
    """Add the gradient of a tensor before a pooling, times a weight, to a sum over steps."""
    source = lowering.layouts[tensor]
    lowering.tape.emit(
        accumulate_choices,
        partial=partial.at(source.origin),
        total=total.at(source.origin),
        weight=weight,
        out_plane=source.plane,
        out_row=source.pitch,
        **window_operands(lowering.layouts[pooling.output]),
        **choice_operands(lowering, pooling, relu=pooling.inputs[0] != tensor),
    )
