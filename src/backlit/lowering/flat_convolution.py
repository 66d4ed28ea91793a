"""A convolution as one product: over runs along rows, or over the whole flat image."""

import numpy as np
from backlit_kernels.tiling import tile_cost, tiling
from backlit_kernels.vector import LANES

from backlit.lowering.context import Lowering
from backlit.lowering.depthwise import emit_depthwise, window_of
from backlit.lowering.fusing import Finish
from backlit.lowering.images import Image, Windows
from backlit.lowering.products import Positions, Weights, emit_product


def emit_convolution(
    lowering: Lowering,
    x: Image,
    out: Image,
    windows: Windows,
    weights: np.ndarray,
    bias: np.ndarray,
    finish: Finish,
) -> None:
    """A convolution by weights (groups, channels, depth) from an image to another."""
    source, target = x.layout, out.layout
    groups, channels, depth = weights.shape
    inputs = source.image[0] // groups
    (height, width), lanes = windows.size, lowering.lanes
    vectors = -(-((height - 1) * target.pitch + width * lanes) // LANES)
    if lanes == 1 and channels == inputs == 1 and (window := window_of(windows.taps)):
        emit_depthwise(lowering, x, out, windows, window, vectors, weights, bias, finish)
        return
    row_vectors = width * lanes // LANES
    rows_cost = height * channels_cost(channels, row_vectors) if lanes > 1 else np.inf
    adjacent = windows.x_stride == windows.out_stride == (1, 1)
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
        x_run, x_step = windows.x_stride[0] * source.pitch, windows.x_stride[1] * LANES
        out_run, out_step = windows.out_stride[0] * target.pitch, windows.out_stride[1] * LANES
    positions = Positions(
        runs=runs,
        length=length,
        last=last,
        x_step=x_step,
        out_step=out_step,
        out_channel=target.plane,
        x_run=x_run,
        out_run=out_run,
        x_group=source.plane * inputs,
        out_group=target.plane * channels,
    )
    emit_product(
        lowering,
        x.at(),
        out.at(*windows.out_start),
        Weights(lowering, weights, bias),
        windows.taps,
        positions,
        finish,
        aligned=lanes > 1,
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


def cut_runs(positions: int, wanted: int) -> tuple[int, int, int]:
    """Runs of about so many positions: how many, how long, and how long the last one is.

    None is shorter than half the others: the register tile is as wide as the shortest lets it be.
    """
    length = -(-positions // -(-positions // wanted))
    runs = max(1, int(positions / length + 0.5))
    return runs, length, positions - (runs - 1) * length
