"""Max-pooling after Winograd's convolution: windows whose maximum rounding may decide, done again.

Equal patches of an image give equal bits by the direct sum wherever they lie, but not always by
Winograd's method, and the first of equal values is to take the gradient. Where a window's maximum
exceeds another value by less than rounding can tell, all of its values are replaced by direct sums.
(Where Winograd's method gives equal bits, as in flat parts of an image, there is nothing to do.)

Windows are 2x2, side by side. A tile of samples is taken window by window, and a single sample
`LANES` windows at a time, which may read and write past a row's end; its unsure windows one by one.
"""

from functools import cache
from typing import Any

import numpy as np

from backlit_kernels.kernel import helper, kernel
from backlit_kernels.lanes import for_lanes
from backlit_kernels.team import share
from backlit_kernels.vector import (
    LANES,
    absolute,
    any_of,
    evens,
    fma,
    load_one,
    maximum,
    odds,
    rectified,
    select,
    splat,
)
from backlit_kernels.vector import load as load_vector
from backlit_kernels.vector import store as store_vector
from backlit_kernels.windows import largest_entry


@kernel
def largest_magnitude(
    arena: Any,
    x: int,
    out: int,
    channels: int,
    height: int,
    row: int,
    plane: int,
    pitch: int,
    lanes: int,
) -> None:
    """The largest absolute pixel of each lane, or of a single sample in LANES lanes.

    `x` is the first of ``channels x height`` rows of `row` floats.
    """
    for lane in range(0, lanes, LANES):
        largest = splat(0.0)
        for c in range(channels):
            for y in range(height):
                start = x + c * plane + y * pitch + lane
                if lanes > 1:
                    for i in range(0, row, lanes):
                        largest = maximum(largest, absolute(load_vector(arena, start + i)))
                else:
                    for i in range(row):
                        largest = maximum(largest, absolute(load_one(arena, start + i)))
        store_vector(arena, out + lane, largest)


@cache
def direct_sums(load: Any, pixel: int) -> Any:
    @helper
    def direct_sums(
        arena: Any, constants: Any, table: Any,
        x: int, weights: int, bias: int, offsets: int, depth: int, pieces: int,
    ) -> Any:  # fmt: skip
        """The sums that `product` makes of two neighbouring positions, piece by piece."""
        piece = -(-depth // pieces)
        left = right = splat(0.0)
        for p in range(pieces):
            a = b = splat(0.0)
            for k in range(p * piece, min(p * piece + piece, depth)):
                weight, at = load_one(constants, weights + k), x + table[offsets + k]
                a = fma(weight, load(arena, at), a)
                b = fma(weight, load(arena, at + pixel), b)
            left, right = a + left, b + right
        shift = load_one(constants, bias)
        return left + shift, right + shift

    return direct_sums


@helper
def close(v: Any, best: Any, near: Any, floor: Any) -> Any:
    """Where an entry of a window is not the largest, but by less than `near`, and above a floor."""
    a, b, c, d = v
    lowest = splat(-np.inf)
    left = maximum(select(a == best, lowest, a), select(b == best, lowest, b))
    right = maximum(select(c == best, lowest, c), select(d == best, lowest, d))
    least = best - near
    return (maximum(left, right) > least) & (least > floor)


@for_lanes
def pool_settled(load: Any, store: Any, pixel: int) -> Any:
    single = pixel == 1
    together = LANES if single else 1  # windows in a vector

    direct = direct_sums(load, pixel)

    @helper
    def replace(arena: Any, at: int, unsure: Any, value: Any, rectify: int, high: Any) -> None:
        if rectify != 0:
            value = rectified(value, high)
        store(arena, at, select(unsure, value, load(arena, at)))

    @helper
    def entries(arena: Any, at: int, pitch: int) -> Any:
        a, b = load_vector(arena, at), load_vector(arena, at + LANES)
        c, d = load_vector(arena, at + pitch), load_vector(arena, at + pitch + LANES)
        if single:
            return evens(a, b), odds(a, b), evens(c, d), odds(c, d)
        return a, b, c, d

    def pool_settled(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        x: int,
        y: int,
        out: int,
        choice: int,
        largest: int,
        spare: int,
        weights: int,
        bias: int,
        tolerance: int,
        offsets: int,
        depth: int,
        pieces: int,
        channels: int,
        height: int,
        width: int,
        x_row: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_row: int,
        positive: int,
        rectify: int,
        ceiling: int,
    ) -> None:
        """The largest of each window of a convolution's output `y`, where ties are settled.

        Parameters
        ----------
        x, x_row, weights, bias, offsets, depth, pieces
            The convolution's input and the distance of its rows; weights ``(channels, depth)``;
            patch offsets and pieces of the sums as in `product`.
        choice
            Distance from `out` to a buffer of its layout for the windows' choices
            (see `backlit_kernels.windows`).
        largest, tolerance
            Values are close that differ, but by less than the tolerance of a channel times
            `largest`, a lane value.
        spare
            Room for a vector for each channel.
        positive
            1 if values that are not positive do not matter.
        rectify, ceiling
            As in `product`.
        """
        zero = splat(0.0)
        floor = splat(0.0 if positive != 0 else -np.inf)
        high, scale = load_one(constants, ceiling), load_vector(arena, largest)
        for c in range(*share(team, channels)):
            near, room = scale * load_one(constants, tolerance + c), spare + c * LANES
            for oy in range(height):
                for ox in range(0, width, together):
                    source = x + 2 * (oy * x_row + ox * pixel)
                    at = y + c * plane + 2 * (oy * pitch + ox * pixel)
                    found = entries(arena, at, pitch)
                    best, chosen = largest_entry(found)
                    unsure = close(found, best, near, floor)
                    if any_of(unsure):
                        if single:
                            store_vector(arena, room, select(unsure, splat(1.0), zero))
                        for n in range(min(together, width - ox)):
                            if single:
                                unsure = load_one(arena, room + n) > zero
                                if not any_of(unsure):
                                    continue
                            for i in range(2):
                                left, right = direct(
                                    arena, constants, table,
                                    source + 2 * n + i * x_row,
                                    weights + c * depth, bias + c, offsets, depth, pieces,
                                )  # fmt: skip
                                place = at + 2 * n + i * pitch
                                replace(arena, place, unsure, left, rectify, high)
                                replace(arena, place + pixel, unsure, right, rectify, high)
                        best, chosen = largest_entry(entries(arena, at, pitch))
                    place = out + c * out_plane + oy * out_row + ox * pixel
                    store_vector(arena, place, best)
                    store_vector(arena, place + choice, chosen)

    return pool_settled
