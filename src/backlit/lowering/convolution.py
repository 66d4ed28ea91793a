"""Convolutions and transposed convolutions, forward and backward."""

from dataclasses import replace

import numpy as np

from backlit.graph import Graph, Node
from backlit.instructions import Buffer
from backlit.layers import Conv2D, ConvTranspose2D, MaxPool2D
from backlit.layers.base import Shape
from backlit.layout import widest
from backlit.lowering.choices import choices_back
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.depthwise_by_two import (
    depthwise_by_two,
    depthwise_by_two_back,
    moves_by_two,
)
from backlit.lowering.flat_convolution import emit_convolution
from backlit.lowering.fused_pooling import pooled_forward, pooling_to_fuse
from backlit.lowering.fusing import Finish, fuse_forward, send_back
from backlit.lowering.images import Image, Windows, image_of, window_offsets
from backlit.lowering.phases import (
    convolve_phases,
    convolve_phases_back,
    input_phases,
    phase_reads,
    phase_taps,
)
from backlit.lowering.planning import NEEDS, Needs
from backlit.lowering.ties import pooling_to_settle, rectified
from backlit.lowering.winograd import (
    backward_patches,
    by_patches,
    forward_patches,
    patches_reach,
    winograd_backward,
    winograd_forward,
)
from backlit.lowering.winograd_pooled import winograd_pooled_forward


def conv_forward(lowering: Lowering, node: Node) -> None:
    layer, x, y = node.layer, node.inputs[0], node.output
    assert isinstance(layer, Conv2D)
    patches = forward_patches(lowering.graph, node) if by_patches(lowering, layer) else 0
    if patches and (pooling := pooling_to_settle(lowering.graph, node)):
        winograd_pooled_forward(lowering, node, pooling, patches)
        return
    if not patches and (pooling := pooling_to_fuse(lowering, node)):
        pooled_forward(lowering, node, pooling)
        return
    out = lowering.new_buffer(y)
    result, finish = fuse_forward(lowering, node, out)
    source, target = image_of(lowering, x, lowering.activations[x]), image_of(lowering, y, out)
    if patches:
        winograd_forward(lowering, node, patches, target, finish)
    else:
        convolve(lowering, layer, source, target, layer.bias, finish)
    lowering.clear_border(y, out, read=lowering.layouts[y].values_read)
    lowering.activations[result] = out


def conv_backward(lowering: Lowering, node: Node) -> None:
    layer, x, y = node.layer, node.inputs[0], node.output
    assert isinstance(layer, Conv2D)
    pooling = lowering.chosen.pop(y, None)

    def write(out: Buffer, finish: Finish) -> None:
        if pooling is not None:
            choices_back(lowering, node, pooling, out, finish)
            return
        m = backward_patches(layer, lowering.layouts[x].image)
        g, target = image_of(lowering, y, lowering.gradients[y]), image_of(lowering, x, out)
        if m and by_patches(lowering, layer):
            winograd_backward(lowering, node, m, target, finish)
        else:
            zeros = np.zeros(layer.weights.shape[1] * layer.groups)
            convolve_back(lowering, layer, g, target, zeros, finish)
        lowering.clear_border(x, out, read=lowering.layouts[x].gradient_read)

    send_back(lowering, node, write)


def transposed_forward(lowering: Lowering, node: Node) -> None:
    """The way back through the convolution that goes from the output to the input."""
    layer, x, y = node.layer, node.inputs[0], node.output
    assert isinstance(layer, ConvTranspose2D)
    out = lowering.new_buffer(y)
    result, finish = fuse_forward(lowering, node, out)
    source, target = image_of(lowering, x, lowering.activations[x]), image_of(lowering, y, out)
    convolve_back(lowering, layer.convolution, source, target, layer.bias, finish)
    lowering.clear_border(y, out, read=lowering.layouts[y].values_read)
    lowering.activations[result] = out


def transposed_backward(lowering: Lowering, node: Node) -> None:
    layer, x, y = node.layer, node.inputs[0], node.output
    assert isinstance(layer, ConvTranspose2D)

    def write(out: Buffer, finish: Finish) -> None:
        g, target = image_of(lowering, y, lowering.gradients[y]), image_of(lowering, x, out)
        convolve(lowering, layer.convolution, g, target, layer.convolution.bias, finish)
        lowering.clear_border(x, out, read=lowering.layouts[x].gradient_read)

    send_back(lowering, node, write)


def convolve(
    lowering: Lowering, layer: Conv2D, x: Image, out: Image, bias: np.ndarray, finish: Finish
) -> None:
    """The convolution of an image."""
    if lowering.lanes == 1 and layer.stride != (1, 1):
        emit = depthwise_by_two if moves_by_two(layer) else convolve_phases
        emit(lowering, layer, x, out, bias, finish)
        return
    weights = layer.weights.reshape(layer.groups, len(layer.weights) // layer.groups, -1)
    taps = window_offsets(x.layout, layer)
    windows = Windows(out.layout.image[1:], taps, x_stride=layer.stride)
    emit_convolution(lowering, x, out, windows, weights, bias, finish)


def convolve_back(
    lowering: Lowering, layer: Conv2D, x: Image, out: Image, bias: np.ndarray, finish: Finish
) -> None:
    """The gradient of its input, from one of its output: a product for each phase of the stride."""
    if lowering.lanes == 1 and layer.stride != (1, 1):
        emit = depthwise_by_two_back if moves_by_two(layer) else convolve_phases_back
        emit(lowering, layer, x, out, bias, finish)
        return
    for start, size, weights, taps in input_phases(layer, x.layout, out.layout.image):
        windows = Windows(size, taps, out_stride=layer.stride, out_start=start)
        emit_convolution(lowering, x, out, windows, weights, bias, finish)


def conv_needs(graph: Graph, node: Node) -> Needs:
    assert isinstance(node.layer, Conv2D)
    shapes = graph.shapes[node.inputs[0]], graph.shapes[node.output]
    needs = window_needs(node.layer, *shapes, forward_patches(graph, node))
    if any(isinstance(n.layer, MaxPool2D) for n in graph.consumers(rectified(graph, node))):
        # the last of the blocks that `choices_back` writes may reach beyond
        beyond = 0, 0, 0, (shapes[0][2] + node.layer.padding[1]) % 2
        return replace(needs, borders=(widest(needs.borders[0], beyond), needs.borders[1]))
    return needs


def transposed_needs(graph: Graph, node: Node) -> Needs:
    assert isinstance(node.layer, ConvTranspose2D)
    shapes = graph.shapes[node.output], graph.shapes[node.inputs[0]]
    needs = window_needs(node.layer.convolution, *shapes, 0)
    return replace(needs, borders=needs.borders[::-1], pitches=needs.pitches[::-1])


def window_needs(layer: Conv2D, shape: Shape, out_shape: Shape, patches: int) -> Needs:
    """Of the input, what the padding reads; of the output, what its gradient's users read."""
    reads = list(layer.padding)
    before, after = [0, 0], [0, 0]
    for axis in range(2):
        size, out = shape[1 + axis], out_shape[1 + axis]
        # with output padding, a transposed convolution's last windows reach beyond
        reach = (out - 1) * layer.stride[axis] + (layer.weights.shape[2 + axis] - 1) * (
            layer.dilation[axis]
        )
        reads[2 + axis] = max(reach - layer.padding[axis] - size + 1, 0)
        for phase in range(min(layer.stride[axis], size)):
            _, starts = phase_taps(layer, axis, phase)
            steps = len(range(phase, size, layer.stride[axis]))
            if len(starts):
                before[axis] = max(before[axis], -int(starts.min()))
                after[axis] = max(after[axis], int(starts.max()) + steps - out)
        # patches of Winograd's method may hang over
        if patches:
            reach = patches_reach(patches, layer.padding[axis], out, size)
            reads[2 + axis] = max(reads[2 + axis], reach)
        if m := backward_patches(layer, shape):
            reach = patches_reach(m, 2 - layer.padding[axis], size, out)
            after[axis] = max(after[axis], reach)
    borders = (reads[0], reads[1], reads[2], reads[3]), (before[0], before[1], after[0], after[1])
    if layer.stride == (1, 1):
        return Needs(borders, in_line=True)
    row = max(out_shape[2] + phase_reads(layer, 1).span, -(-shape[2] // layer.stride[1]))
    return Needs(borders, in_line=False, pitches=(0, row))


FORWARD[Conv2D], BACKWARD[Conv2D], NEEDS[Conv2D] = conv_forward, conv_backward, conv_needs
FORWARD[ConvTranspose2D], BACKWARD[ConvTranspose2D] = transposed_forward, transposed_backward
NEEDS[ConvTranspose2D] = transposed_needs
