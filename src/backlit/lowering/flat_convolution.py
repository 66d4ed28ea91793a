"""A convolution as one product: over runs along rows, or over the whole flat image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels.tiling import tile_cost, tiling
from backlit_kernels.vector import LANES

from backlit.layers import Conv2D
from backlit.layout import Layout
from backlit.lowering.context import Lowering
from backlit.lowering.depthwise import emit_depthwise, window_of
from backlit.lowering.fusing import Finish
from backlit.lowering.products import Positions, Weights, emit_product
from backlit.tape import Buffer


@dataclass(frozen=True)
class Way:
    """From a buffer with a tensor's layout to one with another's, that of the tensor `end`."""

    x: Buffer
    source: Layout
    out: Buffer
    target: Layout
    end: int


def way_between(lowering: Lowering, start: int, x: Buffer, end: int, out: Buffer) -> Way:
    """The way from a tensor's buffer to another's."""
    return Way(x, lowering.layouts[start], out, lowering.layouts[end], end)


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
    finish: Finish,
) -> None:
    """A convolution over `size` positions, as runs along rows or along the whole flat image."""
    groups, channels, depth = weights.shape
    height, width = size
    lanes = lowering.lanes
    floats = (height - 1) * target.pitch + width * lanes
    vectors = -(-floats // LANES)
    row_vectors = width * lanes // LANES
    adjacent = x_stride == out_stride == (1, 1)
    if lanes == 1 and channels == source.image[0] // groups == 1 and (window := window_of(taps)):
        emit_depthwise(
            lowering,
            window,
            x=x,
            source=source,
            out=out,
            target=target,
            weights=weights,
            bias=bias,
            taps=taps,
            vectors=vectors,
            out_offset=out_offset,
            finish=finish,
        )
        return
    rows_cost = height * channels_cost(channels, row_vectors) if lanes > 1 else np.inf
    if (
        adjacent
        and source.pitch == target.pitch
        and channels_cost(channels, vectors, lanes > 1) < rows_cost
    ):
        runs, length, last = cut_runs(vectors, run_length(depth))
        x_run = out_run = length * LANES
        x_step = out_step = LANES
    else:
        assert lanes == LANES or (adjacent and lanes > 1), "a position must be a vector"
        runs, length, last = height, row_vectors, row_vectors
        x_run, x_step = x_stride[0] * source.pitch, x_stride[1] * LANES
        out_run, out_step = out_stride[0] * target.pitch, out_stride[1] * LANES
    positions = Positions(
        runs=runs,
        length=length,
        last=last,
        x_step=x_step,
        out_step=out_step,
        out_channel=target.plane,
        x_run=x_run,
        out_run=out_run,
        x_group=source.plane * (source.image[0] // groups),
        out_group=target.plane * channels,
    )
    packed = Weights(lowering, weights, bias)
    there = out.at(out_offset)
    emit_product(lowering, x, there, packed, taps, positions, finish, aligned=lanes > 1)


def tap_offsets(source: Layout, channels: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The table of patch offsets: channels, kernel rows, kernel columns, in weight order."""
    planes = np.arange(channels) * source.plane
    return (planes[:, None, None] + rows[:, None] * source.pitch + columns * source.lanes).reshape(
        -1
    )


def window_offsets(source: Layout, layer: Conv2D) -> np.ndarray:
    """That of a convolution's windows, from the pixel that an output lies at."""
    rows, columns = (
        np.arange(size) * spread - before
        for size, spread, before in zip(
            layer.weights.shape[2:], layer.dilation, layer.padding[:2], strict=True
        )
    )
    return tap_offsets(source, layer.weights.shape[1], rows, columns)


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


def cut_runs(positions: int, wanted: int) -> tuple[int, int, int]:
    """Runs of about so many positions: how many, how long, and how long the last one is.

    None is shorter than half the others: the register tile is as wide as the shortest lets it be.
    """
    length = -(-positions // -(-positions // wanted))
    runs = max(1, int(positions / length + 0.5))
    return runs, length, positions - (runs - 1) * length
