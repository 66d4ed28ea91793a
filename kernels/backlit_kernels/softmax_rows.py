"""Softmax along the rows of single samples' matrices, which are read as they lie.

Sums along rows add up as in a tile, one class after the other, of squares of vectors that are
transposed: the same bits. Operands are as in `transposing`, for matrices that lie alike; `room` has
`ROOM` floats for each of `SMALL_ROOMS`.
"""

from typing import Any

from backlit_kernels.bits import splat_bits
from backlit_kernels.frame import PART
from backlit_kernels.functions import exp
from backlit_kernels.kernel import helper, kernel
from backlit_kernels.strided import loop_step
from backlit_kernels.transposing import ALL, OUTER, share_strips, strip_of_rows, transpose
from backlit_kernels.vector import LANES, fma, load, load_one, maximum, splat, store

SQUARE = LANES * LANES
ROOM = 2 * SQUARE  # floats of a thread's room


@helper
def largest_of_rows(arena: Any, x: int, row: int, classes: int, own: int) -> Any:
    """Of `LANES` rows: a lane for each."""
    for r in range(LANES):
        top = load(arena, x + r * row)
        for k in range(LANES, classes, LANES):
            top = maximum(top, load(arena, x + r * row + min(k, classes - LANES)))
        store(arena, own + r * LANES, top)
    transpose(arena, own, LANES, arena, own, LANES, splat_bits(ALL))
    top = load(arena, own)
    for r in range(1, LANES):
        top = maximum(top, load(arena, own + r * LANES))
    return top


@kernel
def softmax_rows(
    arena: Any,
    table: Any,
    team: Any,
    x: int,
    out: int,
    rows: int,
    classes: int,
    row: int,
    room: int,
    loops: int,
) -> None:
    """e**(x - max) over their sum along each row: at least `LANES` rows of as many classes."""
    own = room + team[PART] * ROOM
    for number in range(*share_strips(table, team, rows, loops)):
        matrix, first, done = strip_of_rows(number, rows)
        place = loop_step(table, loops, loops + OUTER, OUTER, matrix) + first * row
        s, t = x + place, out + place
        store(arena, own, largest_of_rows(arena, s, row, classes, own))
        for r in range(done, LANES):
            top = load_one(arena, own + r)
            for k in range(0, classes, LANES):
                at = r * row + min(k, classes - LANES)
                store(arena, t + at, exp(load(arena, s + at) - top))
        total = splat(0.0)
        for k in range(0, classes, LANES):
            begin = min(k, classes - LANES)
            transpose(arena, t + begin, row, arena, own, LANES, splat_bits(ALL))
            for c in range(k - begin, LANES):
                total = total + load(arena, own + c * LANES)
        store(arena, own, total)
        for r in range(done, LANES):
            below, last = load_one(arena, own + r), t + r * row + classes - LANES
            end = load(arena, last) / below
            for at in range(t + r * row, last, LANES):
                store(arena, at, load(arena, at) / below)
            store(arena, last, end)


@kernel
def softmax_rows_backward(
    arena: Any,
    table: Any,
    team: Any,
    y: int,
    g: int,
    out: int,
    rows: int,
    classes: int,
    row: int,
    room: int,
    loops: int,
) -> None:
    """y (g - the sum of y g along the row), with y the softmax."""
    own = room + team[PART] * ROOM
    other = own + SQUARE
    for number in range(*share_strips(table, team, rows, loops)):
        matrix, first, done = strip_of_rows(number, rows)
        place = loop_step(table, loops, loops + OUTER, OUTER, matrix) + first * row
        u, v, t = y + place, g + place, out + place
        total = splat(0.0)
        for k in range(0, classes, LANES):
            begin = min(k, classes - LANES)
            transpose(arena, u + begin, row, arena, own, LANES, splat_bits(ALL))
            transpose(arena, v + begin, row, arena, other, LANES, splat_bits(ALL))
            for c in range(k - begin, LANES):
                at = c * LANES
                total = fma(load(arena, own + at), load(arena, other + at), total)
        store(arena, own, total)
        for r in range(done, LANES):
            mean = load_one(arena, own + r)
            for k in range(0, classes, LANES):
                at = r * row + min(k, classes - LANES)
                store(arena, t + at, load(arena, u + at) * (load(arena, v + at) - mean))
