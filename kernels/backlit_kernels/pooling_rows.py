"""Max pooling of a single sample with stride 1 or 2 along rows: many windows of a row at once.

Windows that an image's edge cuts, and what remains of a row, are taken one by one. Sums run in the
order of `max_pool_backward`: results are the same bits.
"""

from functools import cache
from typing import Any

from backlit_kernels.finish import relu_rule
from backlit_kernels.kernel import Kernel, helper
from backlit_kernels.pooling import whole_windows
from backlit_kernels.team import share
from backlit_kernels.vector import (
    LANES,
    evens,
    interleave_high,
    interleave_low,
    larger_of,
    load,
    load_one,
    select,
    splat,
    store,
    store_one,
)

STRIDES = (1, 2)
COLUMNS = (2, 3)


@helper
def load_apart(arena: Any, at: int, stride: int) -> Any:
    """LANES floats, `stride` (1 or 2) apart."""
    if stride == 2:
        return evens(load(arena, at), load(arena, at + LANES))
    return load(arena, at)


@helper
def add_apart(arena: Any, at: int, stride: int, value: Any) -> None:
    """Add to LANES floats, `stride` apart."""
    if stride == 2:
        zero = splat(0.0)
        store(arena, at, load(arena, at) + interleave_low(value, zero))
        at += LANES
        store(arena, at, load(arena, at) + interleave_high(value, zero))
    else:
        store(arena, at, load(arena, at) + value)


@cache
def max_pool_rows(rows: int, columns: int) -> Kernel:
    """`max_pool` for windows of that size, with ``stride_x`` 1 or 2."""

    @helper
    def cut_window(arena: Any, start: int, h: int, w: int, pitch: int) -> Any:
        best = load_one(arena, start)
        for i in range(h):
            for j in range(w):
                best = larger_of(best, load_one(arena, start + i * pitch + j))
        return best

    def max_pool_rows(
        arena: Any,
        team: Any,
        x: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        out_height: int,
        out_width: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_pitch: int,
        stride_y: int,
        stride_x: int,
        top: int,
        left: int,
    ) -> None:
        whole, end = whole_windows(out_width, image_width, columns, stride_x, left)
        for c in range(*share(team, channels)):
            for oy in range(out_height):
                y = max(oy * stride_y - top, 0)
                h = min(oy * stride_y - top + rows, height) - y
                a, b = whole, whole + (end - whole) // LANES * LANES
                if h != rows:
                    a, b = 0, 0
                source = x + c * plane + y * pitch
                target = out + c * out_plane + oy * out_pitch
                for ox in range(a, b, LANES):
                    at = source + ox * stride_x - left
                    best = load_apart(arena, at, stride_x)
                    for i in range(rows):
                        for j in range(columns):
                            value = load_apart(arena, at + i * pitch + j, stride_x)
                            best = larger_of(best, value)
                    store(arena, target + ox, best)
                for n in range(out_width - (b - a)):
                    ox = n if n < a else n + b - a
                    xx = max(ox * stride_x - left, 0)
                    w = min(ox * stride_x - left + columns, image_width) - xx
                    store_one(arena, target + ox, cut_window(arena, source + xx, h, w, pitch))

    return Kernel(max_pool_rows, f"max_pool_rows_{rows}_{columns}")


@cache
def max_pool_rows_backward(rows: int, columns: int) -> Kernel:
    """`max_pool_backward` for windows of that size, with ``stride_x`` 1 or 2, added to `out`."""

    @helper
    def route_one(
        arena: Any, best: Any, gradient: Any, start: int, h: int, w: int, pitch: int, distance: int
    ) -> None:
        zero = splat(0.0)
        for i in range(h):
            for j in range(w):
                at = start + i * pitch + j
                here = load_one(arena, at) == best
                share = select(here, gradient, zero)
                gradient = select(here, zero, gradient)
                store_one(arena, at + distance, load_one(arena, at + distance) + share)

    def max_pool_rows_backward(
        arena: Any,
        team: Any,
        x: int,
        y: int,
        g: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        out_height: int,
        out_width: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_pitch: int,
        stride_y: int,
        stride_x: int,
        top: int,
        left: int,
        masked: int,
        rectified: int,
    ) -> None:
        distance = out - x
        zero = splat(0.0)
        whole, end = whole_windows(out_width, image_width, columns, stride_x, left)
        for c in range(*share(team, channels)):
            for oy in range(out_height):
                top_y = max(oy * stride_y - top, 0)
                h = min(oy * stride_y - top + rows, height) - top_y
                a, b = (whole, end) if h == rows else (0, 0)
                source = x + c * plane + top_y * pitch
                place = c * out_plane + oy * out_pitch
                vectors = a + (b - a) // LANES * LANES
                for ox in range(a, vectors, LANES):
                    best = load(arena, y + place + ox)
                    gradient = load(arena, g + place + ox)
                    gradient = relu_rule(gradient, best > splat(0.0), masked, rectified)
                    for i in range(rows):
                        at = source + ox * stride_x - left + i * pitch
                        here = load_apart(arena, at, stride_x) == best
                        first = select(here, gradient, zero)
                        gradient = select(here, zero, gradient)
                        here = load_apart(arena, at + 1, stride_x) == best
                        second = select(here, gradient, zero)
                        gradient = select(here, zero, gradient)
                        if columns == 3:
                            here = load_apart(arena, at + 2, stride_x) == best
                            third = select(here, gradient, zero)
                            gradient = select(here, zero, gradient)
                            add_apart(arena, at + 2 + distance, stride_x, third)
                        # right to left: an earlier window's share comes first in every sum
                        add_apart(arena, at + 1 + distance, stride_x, second)
                        add_apart(arena, at + distance, stride_x, first)
                for n in range(out_width - (vectors - a)):
                    # what is left of the whole windows, then those that an edge cuts
                    ox = vectors + n
                    if n >= b - vectors:
                        ox = n - (b - vectors)
                        if ox >= a:
                            ox += b - a
                    left_x = max(ox * stride_x - left, 0)
                    w = min(ox * stride_x - left + columns, image_width) - left_x
                    best = load_one(arena, y + place + ox)
                    gradient = load_one(arena, g + place + ox)
                    gradient = relu_rule(gradient, best > splat(0.0), masked, rectified)
                    route_one(arena, best, gradient, source + left_x, h, w, pitch, distance)

    return Kernel(max_pool_rows_backward, f"max_pool_rows_backward_{rows}_{columns}")
