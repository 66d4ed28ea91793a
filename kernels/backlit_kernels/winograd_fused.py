"""Winograd's F(2x2, 3x3) of a tile of samples, one patch after the other.

See `backlit_kernels.winograd` for the method, which is the same arithmetic in the same order: the
same bits. Instead of all patches of some strips, a single one is transformed, multiplied and
transformed back, in registers and a few vectors of memory. With few channels the transforms cost
as much as the products: here they are done by the units that only add, while others multiply.

The 2x2 outputs of a patch are also one window of a max-pooling behind the convolution, which then
is all that is stored.
"""

from functools import cache
from typing import Any

from backlit_kernels.entries import UPPER_LEFT
from backlit_kernels.finish import After, finish
from backlit_kernels.frame import PART
from backlit_kernels.kernel import Kernel, helper
from backlit_kernels.team import ROOMS, share_among
from backlit_kernels.ties import close, direct_sums
from backlit_kernels.tile import zero_tile
from backlit_kernels.vector import (
    LANES,
    any_of,
    load,
    load_one,
    maximum,
    select,
    splat,
    store,
)
from backlit_kernels.windows import largest_entry
from backlit_kernels.winograd_tile import column_update, store_column_outputs
from backlit_kernels.winograd_two import load_line, outputs

SIDE = 4  # of a patch
PAIR = 2 * LANES
# B' d has, for each column of a patch, the difference or the sum of two others
MINUENDS, SUBTRAHENDS, SIGNS = (0, 1, 2, 1), (2, 2, 1, 3), (1.0, -1.0, 1.0, 1.0)


def room_size(rows: int) -> int:
    """Floats of a thread's room."""
    return SIDE * rows * PAIR


@cache
def patch_products(rows: int) -> Any:
    @helper
    def patch_products(
        arena: Any,
        constants: Any,
        x: int,
        room: int,
        weights: int,
        channels: int,
        plane: int,
        pitch: int,
    ) -> None:
        """A' ((G g G') * (B' d B)) of the patch at `x`: ``room[column, row, output]``.

        `weights` are ``(columns, channels, entries of a column, rows)``.
        """
        w = weights
        for j in range(SIDE):
            a, b, sign = x + MINUENDS[j] * LANES, x + SUBTRAHENDS[j] * LANES, splat(SIGNS[j])
            tile = zero_tile(rows, SIDE)
            for _ in range(channels):
                tile = column_update(tile, constants, w, arena, a, b, pitch, sign)
                w += SIDE * rows
                a += plane
                b += plane
            store_column_outputs(tile, arena, room + j * rows * PAIR)

    return patch_products


@helper
def put_pair(arena: Any, at: int, pair: Any, shift: Any, both: bool, after: After) -> None:
    store(arena, at, finish(pair[0] + shift, arena, at, after))
    if both:
        store(arena, at + LANES, finish(pair[1] + shift, arena, at + LANES, after))


@cache
def fused_winograd(rows: int) -> Kernel:
    """With a register tile of `rows` channels by the entries of a patch's column."""
    multiply, size = patch_products(rows), room_size(rows)

    def fused_winograd(
        arena: Any,
        constants: Any,
        team: Any,
        out: int,
        x: int,
        room: int,
        filters: int,
        bias: int,
        channels: int,
        blocks: int,
        height: int,
        width: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_pitch: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """To `height` rows of `width` vectors, of `blocks` tiles of channels.

        `x` is the corner of the first patch, of `channels` planes; `room` is for what
        `patch_products` writes. The last operands are as in `backlit_kernels.product`.
        """
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        own = room + team[PART] * size
        for column in range(*share_among(team, (width + 1) // 2, ROOMS)):
            both = 2 * column + 1 < width
            for block in range(blocks):
                w = filters + block * SIDE * channels * SIDE * rows
                for y in range(0, height, 2):
                    patch = x + y * pitch + column * PAIR
                    multiply(arena, constants, patch, own, w, channels, plane, pitch)
                    for r in range(rows):
                        m = block * rows + r
                        shift = load_one(constants, bias + m)
                        at = out + m * out_plane + y * out_pitch + column * PAIR
                        pair = outputs(load_line(arena, own + r * PAIR, rows * PAIR))
                        put_pair(arena, at, pair, shift, both, after)
                        if y + 1 < height:
                            lower = own + r * PAIR + LANES
                            pair = outputs(load_line(arena, lower, rows * PAIR))
                            put_pair(arena, at + out_pitch, pair, shift, both, after)

    return Kernel(fused_winograd, f"fused_winograd_{rows}")


@cache
def pooled_winograd(rows: int) -> Kernel:
    """The same, and of each patch's outputs the largest, ties being settled as in `ties`."""
    multiply, size = patch_products(rows), room_size(rows)
    direct = direct_sums(load, LANES)

    def pooled_winograd(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        out: int,
        choice: int,
        x: int,
        room: int,
        filters: int,
        channels: int,
        blocks: int,
        plane: int,
        pitch: int,
        largest: int,
        weights: int,
        bias: int,
        tolerance: int,
        offsets: int,
        depth: int,
        pieces: int,
        height: int,
        width: int,
        out_plane: int,
        out_row: int,
        floor: int,
    ) -> None:
        """To `height` rows of `width` vectors.

        `x` is what the first output lies at; `filters` are transformed; `floor` is as in
        `pooled_product`, and the others as in `pool_settled`.
        """
        least, scale = load_one(constants, floor), load(arena, largest)
        own = room + team[PART] * size
        for column in range(*share_among(team, width, ROOMS)):
            for block in range(blocks):
                w = filters + block * SIDE * channels * SIDE * rows
                for y in range(height):
                    at = x + 2 * y * pitch + column * PAIR
                    corner = at + table[offsets]
                    multiply(arena, constants, corner, own, w, channels, plane, pitch)
                    for r in range(rows):
                        m = block * rows + r
                        shift, line = load_one(constants, bias + m), own + r * PAIR
                        a, b = outputs(load_line(arena, line, rows * PAIR))
                        c, d = outputs(load_line(arena, line + LANES, rows * PAIR))
                        found = a + shift, b + shift, c + shift, d + shift
                        best, number = largest_entry(found)
                        near = scale * load_one(constants, tolerance + m)
                        unsure = close(found, best, near, least)
                        if any_of(unsure):
                            terms = weights + m * depth, bias + m, offsets, depth, pieces
                            left, right = direct(arena, constants, table, at, *terms)
                            below = direct(arena, constants, table, at + pitch, *terms)
                            entry, which = largest_entry((left, right, below[0], below[1]))
                            best = select(unsure, entry, best)
                            number = select(unsure, which, number)
                        number = select(best > least, number, splat(UPPER_LEFT))
                        best = maximum(least, best)
                        place = out + m * out_plane + y * out_row + column * LANES
                        store(arena, place, best)
                        store(arena, place + choice, number)

    return Kernel(pooled_winograd, f"pooled_winograd_{rows}")
