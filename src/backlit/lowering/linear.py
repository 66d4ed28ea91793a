"""Dense and convolution layers, forward and backward, as products."""

from typing import Any

import numpy as np
from backlit_kernels.product import (
    matrix_vector,
    matrix_vector_columns,
    tile_cost,
    tiling,
)
from backlit_kernels.vector import LANES

from backlit.graph import Graph, Node
from backlit.layers import Conv2D, Dense
from backlit.layout import Border, Layout, round_up
from backlit.lowering.context import BACKWARD, BORDERS, FORWARD, Lowering
from backlit.lowering.products import emit_product
from backlit.lowering.winograd import emit_winograd_backward, takes_winograd
from backlit.tape import Buffer

# --- dense ------------------------------------------------------------------------------------


def dense_forward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Dense)
    out = lowering.new_buffer(node.output)
    relu = lowering.fused_relu(node.output)
    after = {"rectify": int(relu is not None), "mask": 0}
    x = lowering.activations[node.inputs[0]]
    emit_matrix(lowering, x, out, layer.weights, layer.bias, after)
    lowering.activations[node.output if relu is None else relu.output] = out


def dense_backward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Dense)
    x = node.inputs[0]
    target, applies = lowering.through_relu(x)

    def emit(out: Buffer) -> None:
        after = lowering.relu_operands(x, out, applies)
        zeros = np.zeros(layer.weights.shape[0])
        g = lowering.gradients[node.output]
        emit_matrix(lowering, g, out, layer.weights.T, zeros, after)

    lowering.contribute(target, emit)


def emit_matrix(
    lowering: Lowering,
    x: Buffer,
    out: Buffer,
    matrix: np.ndarray,
    bias: np.ndarray,
    after: dict[str, Any],
) -> None:
    """``out = x @ matrix + bias`` for the features of a tile."""
    depth, outputs = matrix.shape
    if lowering.lanes > 1:
        vectors = lowering.lanes // LANES
        steps = {"runs": 1, "length": vectors, "last": vectors, "x_run": 0, "out_run": 0}
        steps |= {"x_step": LANES, "out_step": LANES, "out_channel": lowering.lanes}
        offsets = np.arange(depth) * lowering.lanes
        emit_product(
            lowering, x.at(0), out, 0, matrix.T[None], bias, offsets, vectors, steps, after
        )
        return
    padded = round_up(outputs, LANES)
    weights = np.zeros((depth, padded), np.float32)
    weights[:, :outputs] = matrix
    lowering.tape.emit(
        matrix_vector(matrix_vector_columns(padded // LANES)),
        out=out,
        x=x,
        weights=lowering.tape.constant(weights),
        bias=lowering.tape.constant(np.pad(bias, (0, padded - outputs))),
        depth=depth,
        outputs=padded,
        **after,
    )


# --- convolution --------------------------------------------------------------------------------


def conv_forward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Conv2D)
    source, target = lowering.layouts[node.inputs[0]], lowering.layouts[node.output]
    top, left, _, _ = layer.padding
    rows = np.arange(layer.weights.shape[2]) * layer.dilation[0] - top
    columns = np.arange(layer.weights.shape[3]) * layer.dilation[1] - left
    relu = lowering.fused_relu(node.output)
    out = lowering.new_buffer(node.output)
    channels = layer.weights.shape[0]
    after = {"rectify": int(relu is not None), "mask": 0}
    x = lowering.activations[node.inputs[0]]
    lowering.activations[node.output if relu is None else relu.output] = out
    emit_convolution(
        lowering,
        x=x.at(source.origin),
        source=source,
        out=out,
        target=target,
        weights=layer.weights.reshape(layer.groups, channels // layer.groups, -1),
        bias=layer.bias,
        taps=tap_offsets(source, layer.weights.shape[1], rows, columns),
        size=target.image[1:],
        x_stride=layer.stride,
        out_stride=(1, 1),
        out_start=(0, 0),
        after=after,
    )
    lowering.clear_border(node.output, out)


def conv_backward(lowering: Lowering, node: Node) -> None:
    """The gradient of the input: one stride-1 product for each phase of the stride."""
    layer = node.layer
    assert isinstance(layer, Conv2D)
    x = node.inputs[0]
    source, target = lowering.layouts[node.output], lowering.layouts[x]
    outputs, inputs, kernel_rows, kernel_columns = layer.weights.shape
    per_group = outputs // layer.groups
    # (group, input channel, output channel, row, column)
    weights = layer.weights.reshape(layer.groups, per_group, inputs, kernel_rows, kernel_columns)
    weights = weights.transpose(0, 2, 1, 3, 4)
    _, height, width = target.image
    destination, applies = lowering.through_relu(x)

    def emit(out: Buffer) -> None:
        if takes_winograd(layer, target.image):
            emit_winograd_backward(lowering, node, out, lowering.relu_operands(x, out, applies))
            lowering.clear_border(x, out)
            return
        for row in range(min(layer.stride[0], height)):
            for column in range(min(layer.stride[1], width)):
                i, y = phase_taps(layer, 0, row)
                j, xx = phase_taps(layer, 1, column)
                part = weights[:, :, :, i][..., j]
                emit_convolution(
                    lowering,
                    x=lowering.gradients[node.output].at(source.origin),
                    source=source,
                    out=out,
                    target=target,
                    weights=part.reshape(layer.groups, inputs, -1),
                    bias=np.zeros(layer.groups * inputs),
                    taps=tap_offsets(source, per_group, y, xx),
                    size=(
                        len(range(row, height, layer.stride[0])),
                        len(range(column, width, layer.stride[1])),
                    ),
                    x_stride=(1, 1),
                    out_stride=layer.stride,
                    out_start=(row, column),
                    after=lowering.relu_operands(x, out, applies),
                )
        lowering.clear_border(x, out)

    lowering.contribute(destination, emit)


def phase_taps(layer: Conv2D, axis: int, phase: int) -> tuple[np.ndarray, np.ndarray]:
    """Which kernel entries reach input positions ``phase + q * stride``, and from where.

    Input position p meets kernel entry i at output position ``(p + padding - i * dilation) /
    stride`` where that is whole. Returns the entries and the output positions for q = 0.
    """
    entries = np.arange(layer.weights.shape[2 + axis])
    reach = phase + layer.padding[axis] - entries * layer.dilation[axis]
    meets = reach % layer.stride[axis] == 0
    return entries[meets], reach[meets] // layer.stride[axis]


def tap_offsets(source: Layout, channels: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The table of patch offsets: channels, kernel rows, kernel columns, in weight order."""
    planes = np.arange(channels) * source.plane
    return (planes[:, None, None] + rows[:, None] * source.pitch + columns * source.lanes).reshape(
        -1
    )


def emit_convolution(
    lowering: Lowering,
    *,
    x: Any,
    source: Layout,
    out: Buffer,
    target: Layout,
    weights: np.ndarray,
    bias: np.ndarray,
    taps: np.ndarray,
    size: tuple[int, ...],
    x_stride: tuple[int, int],
    out_stride: tuple[int, int],
    out_start: tuple[int, int],
    after: dict[str, Any],
) -> None:
    """A convolution over `size` positions, as runs along rows or along the whole flat image."""
    groups, channels, depth = weights.shape
    height, width = size
    lanes = lowering.lanes
    floats = (height - 1) * target.pitch + width * lanes
    vectors = -(-floats // LANES)
    row_vectors = width * lanes // LANES
    adjacent = x_stride == out_stride == (1, 1)
    rows_cost = height * channels_cost(channels, row_vectors) if lanes > 1 else np.inf
    if adjacent and source.pitch == target.pitch and channels_cost(channels, vectors) < rows_cost:
        length = min(vectors, run_length(depth))
        runs = -(-vectors // length)
        steps = {"runs": runs, "length": length, "last": vectors - (runs - 1) * length}
        steps |= {"x_run": length * LANES, "out_run": length * LANES}
        steps |= {"x_step": LANES, "out_step": LANES}
        shortest = vectors
    else:
        assert lanes == LANES or (adjacent and lanes > 1), "a position must be a vector"
        steps = {"runs": height, "length": row_vectors, "last": row_vectors}
        steps |= {"x_run": x_stride[0] * source.pitch, "x_step": x_stride[1] * LANES}
        steps |= {"out_run": out_stride[0] * target.pitch, "out_step": out_stride[1] * LANES}
        shortest = row_vectors
    steps["out_channel"] = target.plane
    steps["x_group"] = source.plane * (source.image[0] // groups)
    steps["out_group"] = target.plane * channels
    offset = target.origin + out_start[0] * target.pitch + out_start[1] * lanes
    emit_product(lowering, x, out, offset, weights, bias, taps, shortest, steps, after)


def channels_cost(channels: int, positions: int) -> float:
    """Estimated cycles for one step of the sum, for all channels over a run of positions."""
    if positions < 1:
        return np.inf
    return sum(n * tile_cost(r, c, positions) for r, c, n in tiling(channels, positions))


def run_length(depth: int) -> int:
    """How many positions of a flat image to take at a time, so that their patches stay near."""
    return int(np.clip(8192 // max(depth, 1), 12, 240))


def conv_borders(graph: Graph, node: Node) -> tuple[Border, Border]:
    """Of the input, what the padding reads; of the output, what its gradient's users read."""
    layer = node.layer
    assert isinstance(layer, Conv2D)
    before, after = [0, 0], [0, 0]
    for axis in range(2):
        size = graph.shapes[node.inputs[0]][1 + axis]
        out = graph.shapes[node.output][1 + axis]
        for phase in range(min(layer.stride[axis], size)):
            _, starts = phase_taps(layer, axis, phase)
            steps = len(range(phase, size, layer.stride[axis]))
            if len(starts):
                before[axis] = max(before[axis], -int(starts.min()))
                after[axis] = max(after[axis], int(starts.max()) + steps - out)
    return layer.padding, (before[0], before[1], after[0], after[1])


FORWARD[Dense], BACKWARD[Dense] = dense_forward, dense_backward
FORWARD[Conv2D], BACKWARD[Conv2D], BORDERS[Conv2D] = conv_forward, conv_backward, conv_borders
