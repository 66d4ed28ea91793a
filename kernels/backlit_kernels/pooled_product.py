"""A convolution with the 2x2 max-pooling behind it: the picture between them is never stored.

See `backlit_kernels.windows`.
"""

from functools import cache
from typing import Any

from backlit_kernels.entries import ENTRIES
from backlit_kernels.kernel import Kernel
from backlit_kernels.target import target
from backlit_kernels.team import share
from backlit_kernels.tile import add_rows, add_tile, store_largest, store_tile, zero_tile
from backlit_kernels.tile_updates import window_update
from backlit_kernels.vector import LANES, load_one


@cache
def pooled_product(rows: int, cut: bool, unrolled: int = 0) -> Kernel:
    """The product with a register tile of `rows` channels by the entries of a window.

    `cut` says that the sums are made of more than one piece. If `unrolled` is not 0, they have so
    many terms.
    """

    def pooled_product(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        out: int,
        choice: int,
        x: int,
        weights: int,
        bias: int,
        offsets: int,
        depth: int,
        pieces: int,
        partial: int,
        blocks: int,
        height: int,
        width: int,
        x_row: int,
        x_step: int,
        out_row: int,
        out_plane: int,
        floor: int,
    ) -> None:
        """The largest of each window's sums, to `height` rows of `width` vectors.

        Parameters
        ----------
        choice
            Distance from `out` to a buffer of its layout for the windows' choices.
        x, x_row, x_step
            The convolution's input, and how far its rows and positions are apart.
        weights, bias, offsets, depth, pieces, blocks
            As in `backlit_kernels.product`.
        partial
            Where the sums so far of a tile lie, for each block.
        out_plane, out_row
            How far the output's channels and rows are apart.
        floor
            Where what sums are at least lies in the constants: 0 for a ReLU before the pooling.
        """
        least = load_one(constants, floor)
        piece = -(-depth // pieces)
        row = ENTRIES * LANES
        for y in range(height):
            for block in range(*share(team, blocks)):
                w = weights + block * depth * rows
                so_far = partial + block * rows * row
                for column in range(width):
                    start = x + 2 * (y * x_row + column * x_step)
                    for p in range(pieces if cut else 1):
                        tile = zero_tile(rows, ENTRIES)
                        low, high = 0, unrolled or depth
                        if cut:
                            low, high = p * piece, min(p * piece + piece, depth)
                        for k in range(low, high):
                            term = start + table[offsets + k]
                            tile = window_update(
                                tile, constants, w + k * rows, arena, term, x_row, x_step
                            )
                        if cut and p > 0:
                            tile = add_tile(tile, arena, so_far, row, LANES)
                        if cut and p < pieces - 1:
                            store_tile(tile, arena, so_far, row, LANES)
                            continue
                        tile = add_rows(tile, constants, bias + block * rows)
                        at = out + block * rows * out_plane + y * out_row + column * LANES
                        store_largest(tile, arena, at, choice, out_plane, least)

    name = f"pooled_product_{rows}" + (f"_of_{unrolled}" if unrolled else "")
    return Kernel(pooled_product, name + ("_cut" if cut else ""))


@cache
def channel_blocks(channels: int) -> tuple[tuple[int, int], ...]:
    """How to cover channels: (rows of a tile, blocks), all alike or as even as can be."""
    most = max(target().accumulators // ENTRIES, 1)
    for rows in range(most, most // 2, -1):
        if channels % rows == 0:
            return ((rows, channels // rows),)
    blocks = -(-channels // most)
    rows, more = divmod(channels, blocks)
    return tuple((r, n) for r, n in ((rows + 1, more), (rows, blocks - more)) if n)
