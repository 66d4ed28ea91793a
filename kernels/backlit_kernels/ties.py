"""Max-pooling after Winograd's convolution: windows whose maximum rounding may decide, done again.

Equal patches of an image give equal bits by the direct sum wherever they lie, but not always by
Winograd's method, and the first of equal values is to take the gradient. Where a window's maximum
exceeds another value by less than rounding can tell, all of its values are replaced by direct sums.
(Where Winograd's method gives equal bits, as in flat parts of an image, there is nothing to do.)
"""

from typing import Any

from backlit_kernels.kernel import helper, kernel
from backlit_kernels.lanes import for_lanes
from backlit_kernels.team import share
from backlit_kernels.vector import (
    LANES,
    absolute,
    any_of,
    fma,
    load_one,
    maximum,
    minimum,
    select,
    splat,
)
from backlit_kernels.vector import load as load_vector
from backlit_kernels.vector import store as store_vector


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


@for_lanes
def settle_ties(load: Any, store: Any, width: int, rows: int, columns: int) -> Any:
    @helper
    def direct(
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
                b = fma(weight, load(arena, at + width), b)
            left, right = a + left, b + right
        shift = load_one(constants, bias)
        return left + shift, right + shift

    @helper
    def replace(arena: Any, at: int, unsure: Any, value: Any, rectify: int, high: Any) -> None:
        if rectify != 0:
            value = minimum(high, maximum(splat(0.0), value))
        store(arena, at, select(unsure, value, load(arena, at)))

    def settle_ties(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        x: int,
        y: int,
        largest: int,
        weights: int,
        bias: int,
        tolerance: int,
        offsets: int,
        depth: int,
        pieces: int,
        channels: int,
        out_height: int,
        out_width: int,
        stride_y: int,
        stride_x: int,
        x_row: int,
        plane: int,
        pitch: int,
        positive: int,
        rectify: int,
        ceiling: int,
    ) -> None:
        """Replace values in a convolution's output `y`, in windows where they are close.

        Parameters
        ----------
        x, x_row, weights, bias, offsets, depth, pieces
            The convolution's input and the distance of its rows; weights ``(channels, depth)``;
            patch offsets and pieces of the sums as in `product`.
        largest, tolerance
            Values are close that differ, but by less than the tolerance of a channel times
            `largest`, a lane value.
        positive
            1 if maxima that are not positive do not matter.
        rectify, ceiling
            As in `product`.
        """
        zero = splat(0.0)
        high, scale = load_one(constants, ceiling), load_vector(arena, largest)
        for c in range(*share(team, channels)):
            near = scale * load_one(constants, tolerance + c)
            for oy in range(out_height):
                for ox in range(out_width):
                    row, column = oy * stride_y, ox * stride_x * width
                    at = y + c * plane + row * pitch + column
                    best = load(arena, at)
                    for i in range(rows):
                        for j in range(columns):
                            best = maximum(best, load(arena, at + i * pitch + j * width))
                    least, unsure = best - near, best < best
                    for i in range(rows):
                        for j in range(columns):
                            value = load(arena, at + i * pitch + j * width)
                            unsure = unsure | ((value < best) & (value > least))
                    if positive != 0:
                        unsure = unsure & (best > zero)
                    if any_of(unsure):
                        for i in range(rows):
                            for j in range(0, columns, 2):
                                left, right = direct(
                                    arena, constants, table,
                                    x + (row + i) * x_row + column + j * width,
                                    weights + c * depth, bias + c, offsets, depth, pieces,
                                )  # fmt: skip
                                place = at + i * pitch + j * width
                                replace(arena, place, unsure, left, rectify, high)
                                if j + 1 < columns:
                                    replace(arena, place + width, unsure, right, rectify, high)

    return settle_ties
