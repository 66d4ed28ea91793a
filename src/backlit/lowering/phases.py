"""Strided convolutions by phases of the stride: stride-1 products over every so many-th pixel.

The way back through a strided convolution has a product for each phase of its input. Of single
samples, the way forward goes by phases too, so that rows are vectors of neighbouring pixels (most
depthwise ones do without: see `backlit.lowering.depthwise_by_two`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from backlit_kernels.phases import join_phases, take_phase

from backlit.layers import Conv2D
from backlit.layout import Layout
from backlit.lowering.context import Lowering
from backlit.lowering.flat_convolution import emit_convolution
from backlit.lowering.fusing import Finish, plain_finish
from backlit.lowering.images import Image, Windows, tap_offsets


class Phase(NamedTuple):
    """A product: to which pixels of a phase, by what weights, of which patches.

    That is where the phase begins (row, column), how many rows and columns it has, weights
    (groups, input channels, depth) and the table of patch offsets.
    """

    start: tuple[int, int]
    size: tuple[int, int]
    weights: np.ndarray
    taps: np.ndarray


def input_phases(layer: Conv2D, source: Layout, image: tuple[int, int, int]) -> Iterator[Phase]:
    """The products that the gradient of an input image is made of, one for each phase."""
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
            yield Phase((row, column), size, part, tap_offsets(source, per_group, dy, dx))


def phase_taps(layer: Conv2D, axis: int, phase: int) -> tuple[np.ndarray, np.ndarray]:
    """Which kernel entries reach input positions ``phase + q * stride``, and from where.

    Input position p meets kernel entry i at output position ``(p + padding - i * dilation) /
    stride`` where that is whole. Returns the entries and the output positions for q = 0.
    """
    entries = np.arange(layer.weights.shape[2 + axis])
    reach = phase + layer.padding[axis] - entries * layer.dilation[axis]
    meets = reach % layer.stride[axis] == 0
    return entries[meets], reach[meets] // layer.stride[axis]


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
    lowering: Lowering, layer: Conv2D, x: Image, out: Image, bias: np.ndarray, finish: Finish
) -> None:
    """A strided convolution as a stride-1 product over the phases of its input."""
    source, target = x.layout, out.layout
    channels, out_height, out_width = source.image[0], *target.image[1:]
    ys, xs = phase_reads(layer, 0), phase_reads(layer, 1)
    rows, columns = out_height + ys.span, out_width + xs.span
    layout = Layout((channels, rows, columns), 1, least_pitch=target.pitch)
    phases = lowering.tape.buffer(layout.size * len(ys.first) * len(xs.first))
    places: dict[tuple[int, int], int] = {}
    for (p, first_y), (q, first_x) in product(ys.first.items(), xs.first.items()):
        phase = Image(phases, layout, layout.size * len(places))
        places[p, q] = phase.start - first_y * layout.pitch - first_x
        row, column = first_y * layer.stride[0] + p, first_x * layer.stride[1] + q
        below = source.image[1] + source.border[2] - row  # rows of the plane from there on
        lowering.tape.emit(
            take_phase,
            x=x.at(row, column),
            out=phase.at(),
            channels=channels,
            rows=min(rows, -(-below // layer.stride[0])),
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
    windows = Windows((out_height, out_width), (planes[:, None, None] + taps).reshape(-1))
    weights = layer.weights.reshape(layer.groups, len(layer.weights) // layer.groups, -1)
    emit_convolution(lowering, Image(phases, layout), out, windows, weights, bias, finish)


def convolve_phases_back(
    lowering: Lowering, layer: Conv2D, x: Image, out: Image, bias: np.ndarray, finish: Finish
) -> None:
    """The gradient of a strided convolution's input, phase by phase, put together."""
    source, target = x.layout, out.layout
    channels, height, width = target.image
    shape = channels, -(-height // layer.stride[0]), -(-width // layer.stride[1])
    layout = Layout(shape, 1, least_pitch=source.pitch)
    phases = lowering.tape.buffer(layout.size * layer.stride[0] * layer.stride[1])
    for (row, column), size, weights, taps in input_phases(layer, source, target.image):
        phase = Image(phases, layout, layout.size * (row * layer.stride[1] + column))
        plain = plain_finish(lowering)
        emit_convolution(lowering, x, phase, Windows(size, taps), weights, bias, plain)
    lowering.tape.emit(
        join_phases,
        x=phases,
        out=out.at(),
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
        **vars(finish),
    )
