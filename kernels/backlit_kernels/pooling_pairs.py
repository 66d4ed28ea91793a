"""2x2 max pooling with stride 2, of a single sample: the commonest pooling, many pixels at once.

Rows are taken in vectors, so that writing runs past a row's end: into its border, the next row
(which is written later) or the slack after a plane. Borders are to be cleared afterwards.
"""

from typing import Any

from backlit_kernels.finish import relu_rule
from backlit_kernels.kernel import kernel
from backlit_kernels.team import share
from backlit_kernels.vector import (
    LANES,
    evens,
    interleave_high,
    interleave_low,
    larger_of,
    load,
    odds,
    select,
    splat,
    store,
)


@kernel
def max_pool_pairs(
    arena: Any,
    team: Any,
    x: int,
    out: int,
    channels: int,
    out_height: int,
    out_width: int,
    plane: int,
    pitch: int,
    out_plane: int,
    out_pitch: int,
) -> None:
    """The maximum of each window, in the order of `max_pool`."""
    for c in range(*share(team, channels)):
        for oy in range(out_height):
            source = x + c * plane + 2 * oy * pitch
            target = out + c * out_plane + oy * out_pitch
            for ox in range(0, out_width, LANES):
                at = source + 2 * ox
                a, b = load(arena, at), load(arena, at + LANES)
                best = larger_of(evens(a, b), odds(a, b))
                a, b = load(arena, at + pitch), load(arena, at + pitch + LANES)
                best = larger_of(best, evens(a, b))
                store(arena, target + ox, larger_of(best, odds(a, b)))


@kernel
def max_pool_pairs_backward(
    arena: Any,
    team: Any,
    x: int,
    y: int,
    g: int,
    out: int,
    channels: int,
    out_height: int,
    out_width: int,
    plane: int,
    pitch: int,
    out_plane: int,
    out_pitch: int,
    masked: int,
    rectified: int,
) -> None:
    """The gradient goes to a window's first maximum; see `max_pool_backward`."""
    zero = splat(0.0)
    distance = out - x
    for c in range(*share(team, channels)):
        for oy in range(out_height):
            source = x + c * plane + 2 * oy * pitch
            place = c * out_plane + oy * out_pitch
            for row in range(2):  # the lower row last: the upper one's overrun is then overwritten
                for ox in range(0, out_width, LANES):
                    best = load(arena, y + place + ox)
                    gradient = load(arena, g + place + ox)
                    gradient = relu_rule(gradient, best > zero, masked, rectified)
                    at = source + 2 * ox
                    if row == 1:
                        a, b = load(arena, at), load(arena, at + LANES)
                        above = (evens(a, b) == best) | (odds(a, b) == best)
                        gradient = select(above, zero, gradient)
                        at += pitch
                    a, b = load(arena, at), load(arena, at + LANES)
                    first = evens(a, b) == best
                    second = odds(a, b) == best
                    left = select(first, gradient, zero)
                    right = select(second & ~first, gradient, zero)
                    store(arena, at + distance, interleave_low(left, right))
                    store(arena, at + distance + LANES, interleave_high(left, right))
