"""A dense layer along the rows of a single sample: weights in vectors, one float of a row for all.

Sums are cut in pieces, and added up, as in `backlit_kernels.product`: the same bits.
"""

from functools import cache
from typing import Any

from backlit_kernels.finish import finish_tile
from backlit_kernels.frame import PART
from backlit_kernels.kernel import Kernel
from backlit_kernels.prefetch import AHEAD, prefetch
from backlit_kernels.team import SMALL_ROOMS, share_among
from backlit_kernels.tile import add_tile, store_tile, zero_tile
from backlit_kernels.tile_updates import matrix_update
from backlit_kernels.vector import LANES, NOWHERE, load_one


@cache
def dense_rows(rows: int, columns: int) -> Kernel:
    """The layer with a register tile of `rows` by `columns` vectors of outputs."""
    width = columns * LANES

    def dense_rows(
        arena: Any,
        constants: Any,
        team: Any,
        out: int,
        x: int,
        weights: int,
        bias: int,
        depth: int,
        pieces: int,
        room: int,
        outputs: int,
        height: int,
        x_row: int,
        out_row: int,
        matrices: int,
        x_matrix: int,
        out_matrix: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """Compute `outputs` from each of `height` rows of `depth` floats, of so many `matrices`.

        Parameters
        ----------
        weights, bias
            Where they lie in the constants: panels ``(panels, depth, width)`` of neighbouring
            outputs, of which the last overlaps the one before; and the outputs', or `NOWHERE`.
        room
            For a tile's sums so far, `SMALL_ROOMS` times.
        x_row, out_row, x_matrix, out_matrix
            Distances in floats between rows and matrices.

        Rows of fewer outputs than a vector are written over by the next ones: one thread does it.
        The other operands are as in `backlit_kernels.product`.
        """
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        piece = -(-depth // pieces)
        own = room + team[PART] * rows * width
        tiles, panels = -(-height // rows), -(-outputs // width)
        most = SMALL_ROOMS if outputs >= width else 1
        first, last = share_among(team, matrices * panels * tiles, most)
        for number in range(first, last):
            rest, row = number // tiles, min(number % tiles * rows, height - rows)
            panel, matrix = rest // matrices, rest % matrices  # a panel serves all before the next
            output = max(min(panel * width, outputs - width), 0)
            start = x + matrix * x_matrix + row * x_row
            at = out + matrix * out_matrix + row * out_row + output
            for p in range(pieces):
                tile = zero_tile(rows, columns)
                for d in range(p * piece, min(p * piece + piece, depth)):
                    w = weights + (panel * depth + d) * width
                    prefetch(constants, w + AHEAD * width)
                    tile = matrix_update(tile, arena, start + d, x_row, constants, w, LANES)
                if p > 0:
                    tile = add_tile(tile, arena, own, width, LANES)
                if p < pieces - 1:
                    store_tile(tile, arena, own, width, LANES)
                    continue
                if bias != NOWHERE:
                    tile = add_tile(tile, constants, bias + output, 0, LANES)
                tile = finish_tile(tile, arena, at, out_row, LANES, after)
                store_tile(tile, arena, at, out_row, LANES)

    return Kernel(dense_rows, f"dense_rows_{rows}x{columns}")
