"""Products of matrices that are computed, both of them: out[r, c] = sum over d of a[r, d] b[d, c].

Sums are added up in order, whatever the tile: results are the same bits for samples alone and side
by side.
"""

from functools import cache
from typing import Any

from backlit_kernels.kernel import Kernel
from backlit_kernels.strided import LOOPS, loop_step
from backlit_kernels.target import target
from backlit_kernels.team import share
from backlit_kernels.tile import store_tile, zero_tile
from backlit_kernels.tile_updates import lanes_update, matrix_update
from backlit_kernels.vector import LANES


def tile_shape(rows: int, columns: int, packed: bool) -> tuple[int, int]:
    """The register tile for a matrix: rows, and columns (vectors of them, of `packed` ones)."""
    room = target().accumulators
    # from where a float serves a whole vector, more rows can take turns than of vectors
    heights = (room // 2, 4, 1) if packed else (4, 2, 1)
    height = next(r for r in heights if r <= min(rows, room))
    return height, min(columns, room // height, 4)


@cache
def product_of_matrices(rows: int, columns: int, packed: bool) -> Kernel:
    """The product with a register tile of `rows` by `columns`.

    `packed` is for single samples: columns are vectors of neighbours, and `b` lies in panels of
    that many, ``(panels, depth, columns * LANES)``, of which the last overlaps the one before.
    Without it, entries are vectors of the samples of a tile.
    """
    width = columns * LANES if packed else columns
    update = matrix_update if packed else lanes_update

    def product_of_matrices(
        arena: Any,
        table: Any,
        team: Any,
        a: int,
        b: int,
        out: int,
        lanes: int,
        height: int,
        across: int,
        depth: int,
        a_row: int,
        a_depth: int,
        b_depth: int,
        b_column: int,
        out_row: int,
        out_column: int,
        loops: int,
    ) -> None:
        """Multiply ``(height, depth)`` and ``(depth, across)``, in two outer loops.

        The table holds the loops' extents, then their steps in `a`, `b` and `out`. `b_column` and
        `out_column` lie between vectors.
        """
        p, q, r = loops + LOOPS, loops + 2 * LOOPS, loops + 3 * LOOPS
        tiles, panels = -(-height // rows), -(-across // width)
        first, last = share(team, table[loops] * table[loops + 1] * panels * tiles)
        for number in range(first, last):
            rest, row = number // tiles, min(number % tiles * rows, height - rows)
            rest, panel = rest // panels, rest % panels
            column = min(panel * width, across - width)
            u = a + loop_step(table, loops, p, 2, rest) + row * a_row
            v = b + loop_step(table, loops, q, 2, rest)
            v += panel * depth * width if packed else column * b_column
            t = out + loop_step(table, loops, r, 2, rest) + row * out_row
            t += column if packed else column * out_column
            for n in range(0, lanes, LANES):
                tile = zero_tile(rows, columns)
                for d in range(depth):
                    left, right = u + n + d * a_depth, v + n + d * b_depth
                    tile = update(tile, arena, left, a_row, arena, right, b_column)
                store_tile(tile, arena, t + n, out_row, out_column)

    kind = "packed" if packed else "lanes"
    return Kernel(product_of_matrices, f"matrices_{rows}x{columns}_{kind}")
