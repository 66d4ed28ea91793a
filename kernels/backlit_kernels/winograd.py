"""Winograd's F(2x2, 3x3): a 3x3 convolution with 16 products for 4 outputs instead of 36.

Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for
convolutional neural networks", 2016. For each 4x4 patch d of the input and each 3x3 filter g, the
2x2 outputs are

    A' ((G g G') * (B' d B)) A,    * entry by entry, added up over input channels

    B' = [1  0 -1  0]   G = [ 1    0    0 ]   A' = [1  1  1  0]
         [0  1  1  0]       [1/2  1/2  1/2]        [0  1 -1 -1]
         [0 -1  1  0]       [1/2 -1/2  1/2]
         [0  1  0 -1]       [ 0    0    1 ]

The sum over channels is the product kernel, once for each of the 16 entries. The patches of one
few strips (of two rows of outputs) are transformed at a time.

# e = entry of the 4x4 patch, c = channel, t = patch of a strip
"""

from typing import Any

from backlit_kernels.functions import finish
from backlit_kernels.kernel import helper
from backlit_kernels.lanes import for_lanes
from backlit_kernels.team import share
from backlit_kernels.vector import (
    LANES,
    evens,
    interleave_high,
    interleave_low,
    load_one,
    odds,
)
from backlit_kernels.vector import load as load_vector
from backlit_kernels.vector import store as store_vector


@for_lanes
def transform_input(load: Any, store: Any, width: int) -> Any:
    single = width == 1

    @helper
    def four(arena: Any, at: int, pixel: int) -> Any:
        """Four neighbouring pixels of a patch, or (of a single sample) of LANES patches."""
        if single:
            a, b = load_vector(arena, at), load_vector(arena, at + LANES)
            c, d = load_vector(arena, at + 2), load_vector(arena, at + 2 + LANES)
            return evens(a, b), odds(a, b), evens(c, d), odds(c, d)
        return (
            load_vector(arena, at),
            load_vector(arena, at + pixel),
            load_vector(arena, at + 2 * pixel),
            load_vector(arena, at + 3 * pixel),
        )

    @helper
    def across(arena: Any, at: int, entry: int, a: Any, b: Any, c: Any, d: Any) -> None:
        """A row times B, to four entries."""
        store_vector(arena, at, a - c)
        store_vector(arena, at + entry, b + c)
        store_vector(arena, at + 2 * entry, c - b)
        store_vector(arena, at + 3 * entry, b - d)

    def transform_input(
        arena: Any,
        team: Any,
        x: int,
        out: int,
        channels: int,
        plane: int,
        pitch: int,
        pixel: int,
        strips: int,
        vectors: int,
        out_strip: int,
        out_channel: int,
        out_entry: int,
    ) -> None:
        """B' d B of the patches of some strips, to ``out[e, c, t]``.

        `x` is the corner of the first patch; `vectors` is how many vectors of patches a strip
        has: two pixels (or 2 LANES pixels of a single sample) from one to the next. Strips follow
        one another `out_strip` floats apart, each overwriting what the one before wrote too much.
        """
        step = 2 * LANES if single else 2 * pixel
        row = 4 * out_entry
        for c in range(*share(team, channels)):
            for strip in range(strips):
                for t in range(vectors):
                    at = x + c * plane + 2 * strip * pitch + t * step
                    a0, a1, a2, a3 = four(arena, at, pixel)
                    b0, b1, b2, b3 = four(arena, at + pitch, pixel)
                    c0, c1, c2, c3 = four(arena, at + 2 * pitch, pixel)
                    d0, d1, d2, d3 = four(arena, at + 3 * pitch, pixel)
                    to = out + c * out_channel + strip * out_strip + t * LANES
                    across(arena, to, out_entry, a0 - c0, a1 - c1, a2 - c2, a3 - c3)
                    across(arena, to + row, out_entry, b0 + c0, b1 + c1, b2 + c2, b3 + c3)
                    across(arena, to + 2 * row, out_entry, c0 - b0, c1 - b1, c2 - b2, c3 - b3)
                    across(arena, to + 3 * row, out_entry, b0 - d0, b1 - d1, b2 - d2, b3 - d3)

    return transform_input


@for_lanes
def transform_output(load: Any, store: Any, width: int) -> Any:
    single = width == 1

    @helper
    def down(arena: Any, at: int, entry: int) -> Any:
        """A' times one column of the patch."""
        a, b = load_vector(arena, at), load_vector(arena, at + 4 * entry)
        c, d = load_vector(arena, at + 8 * entry), load_vector(arena, at + 12 * entry)
        return a + b + c, b - c - d

    @helper
    def two(
        arena: Any, at: int, pixel: int, left: Any, right: Any, rectify: int, mask: int, high: Any
    ) -> None:
        """Write two neighbouring pixels, or (of a single sample) LANES pairs of them."""
        first, second, step = left, right, pixel
        if single:
            first, second, step = interleave_low(left, right), interleave_high(left, right), LANES
        store_vector(arena, at, finish(first, arena, at, rectify, mask, high))
        store_vector(arena, at + step, finish(second, arena, at + step, rectify, mask, high))

    def transform_output(
        arena: Any,
        constants: Any,
        team: Any,
        x: int,
        out: int,
        channels: int,
        plane: int,
        pitch: int,
        pixel: int,
        strips: int,
        vectors: int,
        x_strip: int,
        x_channel: int,
        x_entry: int,
        rectify: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """A' m A, to the two rows of each strip; the last operands are as in `product`."""
        high = load_one(constants, ceiling)
        step = 2 * LANES if single else 2 * pixel
        for c in range(*share(team, channels)):
            for strip in range(strips):
                for n in range(vectors):
                    t = (
                        vectors - 1 - n
                    )  # right to left: what runs past a row's end is written again
                    at = x + c * x_channel + strip * x_strip + t * LANES
                    target = out + c * plane + 2 * strip * pitch + t * step
                    u0, v0 = down(arena, at, x_entry)
                    u1, v1 = down(arena, at + x_entry, x_entry)
                    u2, v2 = down(arena, at + 2 * x_entry, x_entry)
                    u3, v3 = down(arena, at + 3 * x_entry, x_entry)
                    left, right = u0 + u1 + u2, u1 - u2 - u3
                    two(arena, target, pixel, left, right, rectify, mask, high)
                    left, right = v0 + v1 + v2, v1 - v2 - v3
                    two(arena, target + pitch, pixel, left, right, rectify, mask, high)

    return transform_output
