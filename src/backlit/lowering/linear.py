"""Dense and convolution layers, forward and backward, as products."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from backlit_kernels.phases import join_phases, take_phase
from backlit_kernels.product import (
    matrix_vector,
    matrix_vector_columns,
    tile_cost,
    tiling,
)
from backlit_kernels.vector import LANES

from backlit.graph import Graph, Node
from backlit.layers import Conv2D, ConvTranspose2D, Dense, MaxPool2D
from backlit.layers.base import Shape
from backlit.layout import Layout, round_up
from backlit.lowering.context import BACKWARD, FORWARD, NEEDS, Lowering, Needs
from backlit.lowering.products import emit_product
from backlit.lowering.winograd import takes_winograd, winograd_backward, winograd_forward
from backlit.operators import Reduce
from backlit.tape import Buffer

PICKS_PIXELS = (MaxPool2D, Reduce)  # of equal values, they send the gradient to some

# --- dense ------------------------------------------------------------------------------------


def dense_forward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Dense)
    out = lowering.new_buffer(node.output)
    fused = lowering.fused_activation(node.output)
    after = lowering.after_forward(fused)
    x = lowering.activations[node.inputs[0]]
    emit_matrix(lowering, x, out, layer.weights, layer.bias, after)
    lowering.activations[node.output if fused is None else fused.output] = out


def dense_backward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Dense)
    x = node.inputs[0]
    target, through = lowering.through_activation(x)

    def emit(out: Buffer) -> None:
        after = lowering.after_backward(x, out, through)
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
            lowering,
            x.at(0),
            out,
            0,
            matrix.T[None],
            bias,
            offsets,
            vectors,
            steps,
            after,
            aligned=True,
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
    layer, y = node.layer, node.output
    assert isinstance(layer, Conv2D)
    fused = lowering.fused_activation(y)
    out = lowering.new_buffer(y)
    after = lowering.after_forward(fused)
    x = node.inputs[0]
    ties_matter = lowering.graph.reaches(y, PICKS_PIXELS)
    if takes_winograd(layer, lowering.layouts[y].image) and not ties_matter:
        winograd_forward(lowering, node, out, after)
        lowering.clear_border(y, out)
    else:
        convolve(lowering, layer, x, lowering.activations[x], y, out, layer.bias, after)
    lowering.activations[y if fused is None else fused.output] = out


def conv_backward(lowering: Lowering, node: Node) -> None:
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, Conv2D)
    destination, through = lowering.through_activation(x)

    def write(out: Buffer) -> None:
        after = lowering.after_backward(x, out, through)
        if takes_winograd(layer, lowering.layouts[x].image):
            winograd_backward(lowering, node, out, after)
            lowering.clear_border(x, out)
            return
        zeros = np.zeros(layer.weights.shape[1] * layer.groups)
        g = lowering.gradients[node.output]
        convolve_back(lowering, layer, node.output, g, x, out, zeros, after)

    lowering.contribute(destination, write)


def transposed_forward(lowering: Lowering, node: Node) -> None:
    """The way back through the convolution that goes from the output to the input."""
    layer, y = node.layer, node.output
    assert isinstance(layer, ConvTranspose2D)
    fused = lowering.fused_activation(y)
    out = lowering.new_buffer(y)
    after = lowering.after_forward(fused)
    x = node.inputs[0]
    conv = layer.convolution
    convolve_back(lowering, conv, x, lowering.activations[x], y, out, layer.bias, after)
    lowering.activations[y if fused is None else fused.output] = out


def transposed_backward(lowering: Lowering, node: Node) -> None:
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, ConvTranspose2D)
    destination, through = lowering.through_activation(x)

    def write(out: Buffer) -> None:
        after = lowering.after_backward(x, out, through)
        conv, y = layer.convolution, node.output
        convolve(lowering, conv, y, lowering.gradients[y], x, out, conv.bias, after)

    lowering.contribute(destination, write)


def convolve(
    lowering: Lowering,
    layer: Conv2D,
    x: int,
    source_buffer: Buffer,
    y: int,
    out: Buffer,
    bias: np.ndarray,
    after: dict[str, Any],
) -> None:
    """From a buffer of tensor x's layout to one of tensor y's."""
    if lowering.lanes == 1 and layer.stride != (1, 1):
        convolve_phases(lowering, layer, x, source_buffer, y, out, bias, after)
        return
    source, target = lowering.layouts[x], lowering.layouts[y]
    top, left, _, _ = layer.padding
    rows = np.arange(layer.weights.shape[2]) * layer.dilation[0] - top
    columns = np.arange(layer.weights.shape[3]) * layer.dilation[1] - left
    channels = layer.weights.shape[0]
    emit_convolution(
        lowering,
        x=source_buffer.at(source.origin),
        source=source,
        out=out,
        target=target,
        weights=layer.weights.reshape(layer.groups, channels // layer.groups, -1),
        bias=bias,
        taps=tap_offsets(source, layer.weights.shape[1], rows, columns),
        size=target.image[1:],
        x_stride=layer.stride,
        out_stride=(1, 1),
        out_offset=target.origin,
        after=after,
    )
    lowering.clear_border(y, out)


def convolve_back(
    lowering: Lowering,
    layer: Conv2D,
    y: int,
    g: Buffer,
    x: int,
    out: Buffer,
    bias: np.ndarray,
    after: dict[str, Any],
) -> None:
    """The gradient of tensor x from that of y: a stride-1 product for each phase of the stride."""
    if lowering.lanes == 1 and layer.stride != (1, 1):
        convolve_phases_back(lowering, layer, y, g, x, out, bias, after)
        return
    source, target = lowering.layouts[y], lowering.layouts[x]
    for (row, column), size, weights, taps in input_phases(layer, source, target.image):
        emit_convolution(
            lowering,
            x=g.at(source.origin),
            source=source,
            out=out,
            target=target,
            weights=weights,
            bias=bias,
            taps=taps,
            size=size,
            x_stride=(1, 1),
            out_stride=layer.stride,
            out_offset=target.origin + row * target.pitch + column * lowering.lanes,
            after=after,
        )
    lowering.clear_border(x, out)


Phase = tuple[tuple[int, int], tuple[int, int], np.ndarray, np.ndarray]


def input_phases(layer: Conv2D, source: Layout, image: tuple[int, int, int]) -> Iterator[Phase]:
    """The products that the gradient of an input image is made of.

    For each phase of the stride: where it begins (row, column), how many rows and columns it has,
    the weights (groups, input channels, depth) and the table of patch offsets.
    """
    outputs, inputs, kernel_rows, kernel_columns = layer.weights.shape
    per_group = outputs // layer.groups
    # (group, input channel, output channel, row, column)
    weights = layer.weights.reshape(layer.groups, per_group, inputs, kernel_rows, kernel_columns)
    weights = weights.transpose(0, 2, 1, 3, 4)
    _, height, width = image
    for row in range(min(layer.stride[0], height)):
        for column in range(min(layer.stride[1], width)):
            i, dy = phase_taps(layer, 0, row)
            j, dx = phase_taps(layer, 1, column)
            size = (
                len(range(row, height, layer.stride[0])),
                len(range(column, width, layer.stride[1])),
            )
            part = weights[:, :, :, i][..., j].reshape(layer.groups, inputs, -1)
            yield (row, column), size, part, tap_offsets(source, per_group, dy, dx)


# --- strided convolutions of single samples -----------------------------------------------------


@dataclass(frozen=True)
class PhaseReads:
    """Along one axis, what the kernel entries read of an image's phases.

    Entry i of the kernel reads phase ``phase[i]``, `offset[i]` after the output's position;
    ``first[p]`` is the least offset into phase p, `span` how far offsets into one phase reach.
    """

    phase: np.ndarray
    offset: np.ndarray
    first: dict[int, int]
    span: int


def phase_reads(layer: Conv2D, axis: int) -> PhaseReads:
    entries = np.arange(layer.weights.shape[2 + axis]) * layer.dilation[axis]
    offset, phase = np.divmod(entries - layer.padding[axis], layer.stride[axis])
    groups = {int(p): offset[phase == p] for p in np.unique(phase)}
    first = {p: int(offsets.min()) for p, offsets in groups.items()}
    return PhaseReads(phase, offset, first, max(int(np.ptp(o)) for o in groups.values()))


def convolve_phases(
    lowering: Lowering,
    layer: Conv2D,
    x: int,
    source_buffer: Buffer,
    y: int,
    out: Buffer,
    bias: np.ndarray,
    after: dict[str, Any],
) -> None:
    """A strided convolution as a stride-1 product over the phases of its input."""
    source, target = lowering.layouts[x], lowering.layouts[y]
    channels, out_height, out_width = source.image[0], *target.image[1:]
    ys, xs = phase_reads(layer, 0), phase_reads(layer, 1)
    rows, columns = out_height + ys.span, out_width + xs.span
    layout = Layout((channels, rows, columns), 1, least_pitch=target.pitch)
    phases = lowering.tape.buffer(layout.size * len(ys.first) * len(xs.first))
    places: dict[tuple[int, int], int] = {}
    for (p, first_y), (q, first_x) in product(ys.first.items(), xs.first.items()):
        places[p, q] = layout.size * len(places) - first_y * layout.pitch - first_x
        row, column = first_y * layer.stride[0] + p, first_x * layer.stride[1] + q
        lowering.tape.emit(
            take_phase,
            x=source_buffer.at(source.origin + row * source.pitch + column),
            out=phases.at(layout.size * (len(places) - 1)),
            channels=channels,
            rows=rows,
            columns=columns,
            stride_x=layer.stride[1],
            plane=source.plane,
            row=source.pitch * layer.stride[0],
            out_plane=layout.plane,
            out_row=layout.pitch,
        )
    places_of = np.array([[places[p, q] for q in xs.phase.tolist()] for p in ys.phase.tolist()])
    taps = places_of + ys.offset[:, None] * layout.pitch + xs.offset
    planes = np.arange(layer.weights.shape[1]) * layout.plane
    outputs = layer.weights.shape[0]
    emit_convolution(
        lowering,
        x=phases.at(0),
        source=layout,
        out=out,
        target=target,
        weights=layer.weights.reshape(layer.groups, outputs // layer.groups, -1),
        bias=bias,
        taps=(planes[:, None, None] + taps).reshape(-1),
        size=(out_height, out_width),
        x_stride=(1, 1),
        out_stride=(1, 1),
        out_offset=target.origin,
        after=after,
    )
    lowering.clear_border(y, out)


def convolve_phases_back(
    lowering: Lowering,
    layer: Conv2D,
    y: int,
    g: Buffer,
    x: int,
    out: Buffer,
    bias: np.ndarray,
    after: dict[str, Any],
) -> None:
    """The gradient of a strided convolution's input, phase by phase, put together."""
    source, target = lowering.layouts[y], lowering.layouts[x]
    channels, height, width = target.image
    shape = channels, -(-height // layer.stride[0]), -(-width // layer.stride[1])
    layout = Layout(shape, 1, least_pitch=source.pitch)
    phases = lowering.tape.buffer(layout.size * layer.stride[0] * layer.stride[1])
    for (row, column), size, weights, taps in input_phases(layer, source, target.image):
        emit_convolution(
            lowering,
            x=g.at(source.origin),
            source=source,
            out=phases,
            target=layout,
            weights=weights,
            bias=bias,
            taps=taps,
            size=size,
            x_stride=(1, 1),
            out_stride=(1, 1),
            out_offset=layout.size * (row * layer.stride[1] + column),
            after=lowering.after_forward(None),
        )
    lowering.tape.emit(
        join_phases,
        x=phases,
        out=out.at(target.origin),
        channels=channels,
        height=height,
        width=width,
        plane=target.plane,
        row=target.pitch,
        stride_y=layer.stride[0],
        stride_x=layer.stride[1],
        phase_plane=layout.plane,
        phase_row=layout.pitch,
        phase_size=layout.size,
        **after,
    )
    lowering.clear_border(x, out)


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
    out_offset: int,
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
    if (
        adjacent
        and source.pitch == target.pitch
        and channels_cost(channels, vectors, lanes > 1) < rows_cost
    ):
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
    emit_product(
        lowering, x, out, out_offset, weights, bias, taps, shortest, steps, after, aligned=lanes > 1
    )


def channels_cost(channels: int, positions: int, aligned: bool = True) -> float:
    """Estimated cycles for one step of the sum, for all channels over a run of positions."""
    if positions < 1:
        return np.inf
    return sum(
        n * tile_cost(r, c, positions, aligned) for r, c, n in tiling(channels, positions, aligned)
    )


def run_length(depth: int) -> int:
    """How many positions of a flat image to take at a time, so that their patches stay near."""
    return int(np.clip(8192 // max(depth, 1), 12, 240))


def conv_needs(graph: Graph, node: Node) -> Needs:
    assert isinstance(node.layer, Conv2D)
    return window_needs(node.layer, graph.shapes[node.inputs[0]], graph.shapes[node.output])


def transposed_needs(graph: Graph, node: Node) -> Needs:
    assert isinstance(node.layer, ConvTranspose2D)
    shapes = graph.shapes[node.output], graph.shapes[node.inputs[0]]
    needs = window_needs(node.layer.convolution, *shapes)
    return replace(needs, borders=needs.borders[::-1], pitches=needs.pitches[::-1])


def window_needs(layer: Conv2D, shape: Shape, out_shape: Shape) -> Needs:
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
    if takes_winograd(layer, shape) and shape[1] % 2:  # the last patches hang over by a row
        reads[2], after[0] = max(reads[2], 2), max(after[0], 2)
    borders = (reads[0], reads[1], reads[2], reads[3]), (before[0], before[1], after[0], after[1])
    if layer.stride == (1, 1):
        return Needs(borders, in_line=True)
    row = max(out_shape[2] + phase_reads(layer, 1).span, -(-shape[2] // layer.stride[1]))
    return Needs(borders, in_line=False, pitches=(0, row))


FORWARD[Dense], BACKWARD[Dense] = dense_forward, dense_backward
FORWARD[Conv2D], BACKWARD[Conv2D], NEEDS[Conv2D] = conv_forward, conv_backward, conv_needs
FORWARD[ConvTranspose2D], BACKWARD[ConvTranspose2D] = transposed_forward, transposed_backward
NEEDS[ConvTranspose2D] = transposed_needs
