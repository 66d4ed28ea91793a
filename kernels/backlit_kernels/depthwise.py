"""Depthwise convolutions of single samples: each channel by a window of its own.

A register tile of neighbouring vectors of the flat image reads a window's row once and shifts it,
where the product would read it anew for each column, half of a cache line further.
"""

from functools import cache
from typing import Any

from backlit_kernels.finish import finish_tile
from backlit_kernels.kernel import Kernel
from backlit_kernels.team import share
from backlit_kernels.tile import add_rows, store_tile, zero_tile
from backlit_kernels.tile_updates import slide_update
from backlit_kernels.vector import LANES, load_one


@cache
def depthwise(columns: int, width: int, backwards: bool) -> Kernel:
    """Windows `width` wide, of which `columns` vectors of positions are taken at a time.

    `backwards` says that a row's first weight belongs to its last pixel.
    """

    slide = slide_update(width, backwards)

    def depthwise(
        arena: Any,
        constants: Any,
        team: Any,
        out: int,
        x: int,
        weights: int,
        bias: int,
        rows: int,
        x_row: int,
        channels: int,
        vectors: int,
        x_channel: int,
        out_channel: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """Sums of `rows` rows of each window, over `vectors` vectors of positions.

        Parameters
        ----------
        x, x_row
            Where the first window's first row of weights reads from, and how far the next does.
        weights, bias
            Where they lie in the constants: ``(channels, rows, width)`` and ``(channels,)``.
        vectors
            No fewer than `columns`; the last tile overlaps the one before.
        x_channel, out_channel
            From a channel to the next.
        initial, rectify, mark, mask, ceiling
            As in `backlit_kernels.product`.
        """
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        for c in range(*share(team, channels)):
            w = weights + c * rows * width
            for first in range(0, vectors, columns):
                position = min(first, vectors - columns) * LANES
                tile = zero_tile(1, columns)
                for row in range(rows):
                    at = x + c * x_channel + row * x_row + position
                    tile = slide(tile, constants, w + row * width, arena, at)
                tile = add_rows(tile, constants, bias + c)
                at = out + c * out_channel + position
                tile = finish_tile(tile, arena, at, 0, LANES, after)
                store_tile(tile, arena, at, 0, LANES)

    name = f"depthwise_{columns}x{width}" + ("_backwards" if backwards else "")
    return Kernel(depthwise, name)
