"""The one dense product: convolutions and dense layers, forward and backward.

    out[m, p] = bias[m] + sum over k of weights[k, m] * x[p, offsets[k]]

`x` is addressed through a table of patch offsets, which is im2col without its matrix: input
buffers have zero borders wide enough for every offset.

Long sums are cut in pieces of as many terms each. A piece is added up in order, one fused
multiply-add a term, and the pieces one after the other: rounding errors grow as those of sums of
one piece's length and of as many terms as there are pieces, not as those of the whole. Where the
cuts are depends on the layer alone: results are the same bits on every tiling.

Where a run has many tiles, a piece is added to all of them before the next: its weights and its
patches stay in the first-level cache, and it reads few rows of the input at a time. (A 3x3
convolution of 512 channels: 49 GFLOP/s a core one tile after the other and 82 in turn; the gradient
of 3 input channels from 64, which reads 192 rows: 13 and 69.)

# m = output channels, p = positions (a vector of LANES floats each), k = patch entries
"""

from functools import cache
from typing import Any

from backlit_kernels.finish import finish_tile
from backlit_kernels.frame import PART, PARTS
from backlit_kernels.kernel import Kernel
from backlit_kernels.prefetch import AHEAD, prefetch
from backlit_kernels.team import share
from backlit_kernels.terms import entries, term_at
from backlit_kernels.tile import add_rows, add_tile, store_tile, zero_tile
from backlit_kernels.tile_updates import rank_one_update
from backlit_kernels.vector import LANES, NOWHERE, load_one

PARTIALS = 4  # threads that may each be at a run of its own


@cache
def product(rows: int, columns: int, adjacent: bool, in_turn: bool, listed: bool = False) -> Kernel:
    """The product with a register tile of `rows` channels by `columns` positions.

    `adjacent` says that neighbouring positions are neighbours in memory, input and output:
    addresses are then constants in the code. Otherwise they are `x_step` and `out_step` apart.
    `in_turn` says that each piece of the sums is added to all tiles of a run before the next.
    `listed` says that there is a list of the terms to add (`backlit_kernels.terms`).
    """

    def product(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        out: int,
        x: int,
        weights: int,
        bias: int,
        offsets: int,
        terms: int,
        depth: int,
        pieces: int,
        partial: int,
        blocks: int,
        runs: int,
        length: int,
        last: int,
        x_run: int,
        out_run: int,
        x_step: int,
        out_step: int,
        out_channel: int,
        groups: int,
        x_group: int,
        out_group: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """Compute `groups` products of `blocks` tiles of channels over `runs` of positions.

        Parameters
        ----------
        out, x
            Where output and input lie in the arena.
        weights, bias
            Where they lie in the constants: ``(groups, blocks, depth, rows)`` and
            ``(groups, blocks, rows)``; `NOWHERE` for no bias.
        offsets
            Where the `depth` patch offsets lie in the table.
        terms
            Where the list of terms lies (`listed`).
        pieces, partial
            In how many pieces to add the terms up, and (`in_turn`, of one group) where the sums so
            far of a run's tiles lie, `PARTIALS` times; else a tile's lie where its results will.
        runs, length, last
            Number of runs of positions, positions in each and in the last one; no run is
            shorter than `columns`, and a run's last tile overlaps the one before.
        x_run, out_run, x_step, out_step, out_channel, x_group, out_group
            Distances in floats between runs, positions, channels and groups.
        initial
            Distance from `out` to a buffer of its layout that is added; 0 for none.
        rectify
            `RELU` or `CLIP` to set negative results to zero, and those above the ceiling to it.
        ceiling
            Where it lies in the constants (infinity for none).
        mark, mask
            Distance, in bytes, from a result's number among the floats of the arena to the byte
            that is to tell whether it is positive and below the ceiling, or that lets it pass or
            not; `NOWHERE` for none.
        """
        if adjacent:
            x_step = out_step = LANES
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        piece = -(-depth // pieces)
        width = columns * LANES
        room = rows * width
        block_room = -(-max(length, last) // columns) * room  # threads may be at other runs
        first_group, last_group, first_block, last_block = 0, groups, 0, blocks
        first_run, last_run, own = 0, runs, partial
        if groups >= team[PARTS]:
            first_group, last_group = share(team, groups)
        elif runs > blocks and team[PARTS] <= PARTIALS:
            first_run, last_run = share(team, runs)
            own += team[PART] * blocks * block_room
        else:
            first_block, last_block = share(team, blocks)
        for group in range(first_group, last_group):
            for run in range(first_run, last_run):
                count = length if run < runs - 1 else last
                tiles = -(-count // columns)
                source = group * x_group + run * x_run + x
                target = group * out_group + run * out_run + out
                for turn in range(pieces if in_turn else 1):
                    begin, end = (turn, turn + 1) if in_turn else (0, pieces)
                    for block in range(first_block, last_block):
                        number = group * blocks + block
                        w = weights + number * depth * rows
                        for n in range(tiles):
                            position = min(n * columns, count - columns)
                            start = source + position * x_step
                            at = target + block * rows * out_channel + position * out_step
                            if in_turn:
                                so_far = own + block * block_room + n * room
                                row, step = width, LANES
                            else:
                                so_far, row, step = at, out_channel, out_step
                            for p in range(begin, end):
                                tile = zero_tile(rows, columns)
                                low, high = p * piece, min(p * piece + piece, depth)
                                if listed:
                                    low, high = entries(arena, terms, pieces, p)
                                for j in range(low, high):
                                    k = j
                                    if listed:
                                        k = term_at(arena, j, constants, w, rows)
                                    else:
                                        prefetch(constants, w + (k + AHEAD) * rows)
                                    term = start + table[offsets + k]
                                    tile = rank_one_update(
                                        tile, constants, w + k * rows, arena, term, x_step
                                    )
                                if p > 0:
                                    tile = add_tile(tile, arena, so_far, row, step)
                                if p < pieces - 1:
                                    store_tile(tile, arena, so_far, row, step)
                                    continue
                                if bias != NOWHERE:
                                    tile = add_rows(tile, constants, bias + number * rows)
                                tile = finish_tile(tile, arena, at, out_channel, out_step, after)
                                store_tile(tile, arena, at, out_channel, out_step)

    name = (
        f"product_{rows}x{columns}"
        + ("" if adjacent else "_apart")
        + ("_in_turn" if in_turn else "")
        + ("_listed" if listed else "")
    )
    return Kernel(product, name)


@cache
def matrix_vector(columns: int) -> Kernel:
    """The product of one sample and a matrix: `LANES` outputs in each of `columns` vectors."""

    def matrix_vector(
        arena: Any,
        constants: Any,
        team: Any,
        out: int,
        x: int,
        weights: int,
        bias: int,
        depth: int,
        pieces: int,
        partial: int,
        outputs: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """out[m] = bias[m] + sum over k of x[k] * weights[k, m]; `outputs` is a multiple of LANES.

        Weights and samples swap the roles they have in `product`; sums run in the same order. Those
        so far of a tile lie where `partial` is (in the output, tiles of two threads may overlap).
        The weights of a tile follow one another, so that they stream from memory.
        """
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        piece = -(-depth // pieces)
        width = columns * LANES
        for number in range(*share(team, -(-outputs // width))):
            m = min(number * width, outputs - width)
            so_far = partial + number * width
            for p in range(pieces):
                tile = zero_tile(1, columns)
                for k in range(p * piece, min(p * piece + piece, depth)):
                    row = weights + (number * depth + k) * width
                    tile = rank_one_update(tile, arena, x + k, constants, row, LANES)
                if p > 0:
                    tile = add_tile(tile, arena, so_far, 0, LANES)
                if p < pieces - 1:
                    store_tile(tile, arena, so_far, 0, LANES)
                    continue
                tile = add_tile(tile, constants, bias + m, 0, LANES)
                tile = finish_tile(tile, arena, out + m, 0, LANES, after)
                store_tile(tile, arena, out + m, 0, LANES)

    return Kernel(matrix_vector, f"matrix_vector_{columns}")
