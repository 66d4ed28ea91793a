"""Strided images of single samples, split into phases and put together again.

Phase (p, q) of stride s holds the pixels ``(p + s i, q + s j)``. A strided convolution of a single
sample is a stride-1 product over phases, whose rows are vectors of neighbouring pixels.
"""

from typing import Any

from backlit_kernels.finish import finish, finish_unmarked, store_finished
from backlit_kernels.kernel import kernel
from backlit_kernels.team import share
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
    team: Any,
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
    for c in range(*share(team, channels)):
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
    constants: Any,
    team: Any,
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
    initial: int,
    rectify: int,
    mark: int,
    mask: int,
    ceiling: int,
) -> None:
    """An image from its phases, `phase_size` floats apart.

    `initial` and what follows as in `product`. Writes whole vectors, as `take_phase`.
    """
    after = initial, rectify, mark, mask, load_one(constants, ceiling)
    for c in range(*share(team, channels)):
        for y in range(height):
            t = out + c * plane + y * row
            s = x + y % stride_y * stride_x * phase_size
            s += c * phase_plane + y // stride_y * phase_row
            if stride_x == 1:
                for i in range(0, width, LANES):
                    value = load(arena, s + i)
                    store(arena, t + i, finish(value, arena, t + i, after))
            elif stride_x == 2:
                for i in range(0, width, 2 * LANES):
                    even = load(arena, s + i // 2)
                    odd = load(arena, s + phase_size + i // 2)
                    first, second = interleave_low(even, odd), interleave_high(even, odd)
                    store(arena, t + i, finish(first, arena, t + i, after))
                    at = t + i + LANES
                    store(arena, at, finish(second, arena, at, after))
            else:
                for i in range(width):
                    value = load_one(arena, s + i % stride_x * phase_size + i // stride_x)
                    value = finish_unmarked(value, arena, t + i, after)
                    store_finished(value, arena, t + i, after)
