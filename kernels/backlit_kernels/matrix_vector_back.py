"""The way back of one sample through a large matrix, by the weights as the way forward reads them.

A large matrix is read from memory, which takes longer than to turn it: there is no second copy of
the weights, turned beforehand. What meets zeros only is not read: a logit's gradient begins with a
single one among them.
"""

from typing import Any

from backlit_kernels.bits import splat_bits
from backlit_kernels.finish import finish
from backlit_kernels.frame import PART
from backlit_kernels.kernel import kernel
from backlit_kernels.prefetch import prefetch
from backlit_kernels.team import SMALL_ROOMS, share_among
from backlit_kernels.transposing import ALL, transpose
from backlit_kernels.vector import LANES, any_of, fma, load, load_one, splat, store


@kernel
def matrix_vector_back(
    arena: Any,
    constants: Any,
    team: Any,
    out: int,
    x: int,
    weights: int,
    depth: int,
    pieces: int,
    width: int,
    sums: int,
    room: int,
    outputs: int,
    initial: int,
    rectify: int,
    mark: int,
    mask: int,
    ceiling: int,
) -> None:
    """out[k] = sum over m of weights[k, m] * x[m], added up in the order of `product`.

    Parameters
    ----------
    weights
        As `matrix_vector` reads them: tiles of `width` columns m, each with all `outputs` (at least
        `LANES`) rows k; the last tile may begin among the columns of the one before.
    sums
        For two vectors of each `LANES` outputs: the sum of the piece at hand, and of those before.
    room
        For ``SMALL_ROOMS * LANES`` vectors: a square of the weights, turned.
    """
    after = initial, rectify, mark, mask, load_one(constants, ceiling)
    piece, every = -(-depth // pieces), splat_bits(ALL)
    padded = -(-depth // LANES) * LANES
    blocks = -(-outputs // LANES)
    turned = room + team[PART] * LANES * LANES
    for start in range(0, depth, width):
        end = min(start + width, depth)
        first = min(start, padded - width)  # of the tile's columns
        next_piece = start - start % piece + piece
        live = 0  # a bit for each vector of columns that meets more than zeros
        for j in range(0, width, LANES):
            live |= (1 if any_of(~(load(arena, x + first + j) == splat(0.0))) else 0) << j // LANES
        for block in range(*share_among(team, blocks, SMALL_ROOMS)):
            k = min(block * LANES, outputs - LANES)
            at = weights + (start // width * outputs + k) * width
            now = sums + block * 2 * LANES
            before = now + LANES
            total = load(arena, now) if start > 0 else splat(0.0)
            cut = next_piece
            for j in range(0, width, LANES):
                alive = live >> j // LANES & 1 != 0
                if alive:
                    for row in range(LANES, 2 * LANES):  # the next block's
                        prefetch(constants, at + row * width + j)
                    transpose(constants, at + j, width, arena, turned, LANES, every)
                m, last = max(first + j, start), min(first + j + LANES, end)
                while m < last:
                    stop = min(last, cut)
                    if alive:
                        for i in range(m, stop):
                            w = load(arena, turned + (i - first - j) * LANES)
                            total = fma(w, load_one(arena, x + i), total)
                    m = stop
                    if m in (cut, depth):
                        if m > piece:
                            total = total + load(arena, before)
                        store(arena, before, total)
                        total = splat(0.0)
                        cut += piece
            store(arena, now, total)
            if end == depth:
                total = finish(load(arena, before), arena, out + k, after)
                store(arena, out + k, total)
