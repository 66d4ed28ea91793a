"""Strided images of single samples, split into phases and put together again.

Phase (p, q) of stride s holds the pixels ``(p + s i, q + s j)``. A strided convolution of a single
sample is a stride-1 product over phases, whose rows are vectors of neighbouring pixels.
"""

from typing import Any

from backlit_kernels.functions import relu_rule
from backlit_kernels.kernel import kernel
from backlit_kernels.vector import (
    LANES,
    evens,
    interleave_high,
    interleave_low,
    load,
    load_one,
    store,
    store_one,
)


@kernel
def take_phase(
    arena: Any,
    x: int,
    out: int,
    channels: int,
    rows: int,
    columns: int,
    stride_x: int,
    plane: int,
    row: int,
    out_plane: int,
    out_row: int,
) -> None:
    """Every `stride_x`-th float of `rows` rows, `row` floats apart.

    Writes whole vectors: what lies after a row must be written later or not matter.
    """
    for c in range(channels):
        for y in range(rows):
            s, t = x + c * plane + y * row, out + c * out_plane + y * out_row
            if stride_x == 1:
                for i in range(0, columns, LANES):
                    store(arena, t + i, load(arena, s + i))
            elif stride_x == 2:
                for i in range(0, columns, LANES):
                    at = s + 2 * i
                    store(arena, t + i, evens(load(arena, at), load(arena, at + LANES)))
            else:
                for i in range(columns):
                    store_one(arena, t + i, load_one(arena, s + i * stride_x))


@kernel
def join_phases(
    arena: Any,
    x: int,
    out: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    stride_y: int,
    stride_x: int,
    phase_plane: int,
    phase_row: int,
    phase_size: int,
    distance: int,
    masked: int,
    rectified: int,
) -> None:
    """An image from its phases, `phase_size` floats apart, with a ReLU's rule applied.

    The ReLU's output lies at a `distance` from `out`. Writes whole vectors, as `take_phase`.
    """
    for c in range(channels):
        for y in range(height):
            t = out + c * plane + y * row
            s = x + y % stride_y * stride_x * phase_size
            s += c * phase_plane + y // stride_y * phase_row
            if stride_x == 1:
                for i in range(0, width, LANES):
                    value = load(arena, s + i)
                    kept = load(arena, t + i + distance)
                    store(arena, t + i, relu_rule(value, kept, masked, rectified))
            elif stride_x == 2:
                for i in range(0, width, 2 * LANES):
                    even = load(arena, s + i // 2)
                    odd = load(arena, s + phase_size + i // 2)
                    low, high = interleave_low(even, odd), interleave_high(even, odd)
                    kept = load(arena, t + i + distance)
                    store(arena, t + i, relu_rule(low, kept, masked, rectified))
                    kept = load(arena, t + i + LANES + distance)
                    store(arena, t + i + LANES, relu_rule(high, kept, masked, rectified))
            else:
                for i in range(width):
                    value = load_one(arena, s + i % stride_x * phase_size + i // stride_x)
                    kept = load_one(arena, t + i + distance)
                    store_one(arena, t + i, relu_rule(value, kept, masked, rectified))
