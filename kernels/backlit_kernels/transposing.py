"""Transposing: squares of vectors in registers, and whole matrices by such squares."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from backlit_kernels.bits import bits_of, floats_of, splat_bits
from backlit_kernels.frame import PART
from backlit_kernels.kernel import helper, kernel
from backlit_kernels.llvm import INTS, address
from backlit_kernels.strided import loop_step
from backlit_kernels.team import SMALL_ROOMS, share, share_among
from backlit_kernels.vector import LANES, load, store

ALL, ALL_BUT_SIGN = 0xFFFFFFFF, 0x7FFFFFFF  # bits


def transpose(
    source: Any, s: int, s_step: int, target: Any, t: int, t_step: int, kept: Any
) -> None:
    """Copy `LANES` vectors, `s_step` floats apart, transposed to ones `t_step` floats apart.

    Of each float, the bits of `kept` are copied.
    """
    block = np.stack([source[s + i * s_step : s + i * s_step + LANES] for i in range(LANES)])
    block = floats_of(bits_of(block) & kept)
    for i in range(LANES):
        target[t + i * t_step : t + i * t_step + LANES] = block[:, i]


@type_callable(transpose)
def _type_transpose(context: Any) -> Any:
    return lambda source, s, s_step, target, t, t_step, kept: types.none


_HALVES = [d for d in (8, 4, 2, 1) if d < LANES]
_PLACE = (types.CPointer, types.Integer, types.Integer)


@lower_builtin(transpose, *_PLACE, *_PLACE, types.Type)
def _lower_transpose(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    source, s, s_step, target, t, t_step, kept = args

    def place(memory: Any, start: Any, step: Any, i: int) -> Any:
        at = builder.add(start, builder.mul(step, ir.IntType(64)(i)))
        return address(builder, memory, at, INTS)

    rows = [builder.load(place(source, s, s_step, i), align=4) for i in range(LANES)]
    rows = [builder.and_(row, kept) for row in rows]
    for distance in _HALVES:  # swap ever smaller off-diagonal blocks
        low = [i if not i & distance else LANES + i - distance for i in range(LANES)]
        high = [i + distance if not i & distance else LANES + i for i in range(LANES)]
        for i in range(LANES):
            if not i & distance:
                pair = rows[i], rows[i + distance]
                rows[i] = builder.shuffle_vector(*pair, ir.Constant(INTS, low))
                rows[i + distance] = builder.shuffle_vector(*pair, ir.Constant(INTS, high))
    for i in range(LANES):
        builder.store(rows[i], place(target, t, t_step, i), align=4)
    return context.get_dummy_value()


OUTER = 3  # loops around a matrix


@kernel
def transpose_matrices(
    arena: Any,
    table: Any,
    team: Any,
    x: int,
    out: int,
    rows: int,
    columns: int,
    x_row: int,
    out_row: int,
    loops: int,
) -> None:
    """out[c, r] = x[r, c], of matrices with at least `LANES` rows and columns.

    Rows are `x_row` floats apart in `x`, `out_row` in `out`, and their entries neighbours. The
    table holds the extents of `OUTER` loops over matrices, then their steps in `x` and in `out`.
    """
    strips = -(-columns // LANES)
    count = table[loops] * table[loops + 1] * table[loops + 2]
    first, last = share(team, count * strips)
    for number in range(first, last):
        matrix, strip = number // strips, number % strips
        column = min(strip * LANES, columns - LANES)  # the last one overlaps that before
        s = x + loop_step(table, loops, loops + OUTER, OUTER, matrix) + column
        t = out + loop_step(table, loops, loops + 2 * OUTER, OUTER, matrix) + column * out_row
        for strip_row in range(0, rows, LANES):
            row = min(strip_row, rows - LANES)
            square = s + row * x_row
            transpose(arena, square, x_row, arena, t + row, out_row, splat_bits(ALL))


@helper
def share_strips(table: Any, team: Any, rows: int, loops: int) -> tuple[int, int]:
    """This thread's strips of `LANES` rows, if each needs a room."""
    matrices = table[loops] * table[loops + 1] * table[loops + 2]
    return share_among(team, matrices * -(-rows // LANES), SMALL_ROOMS)


@helper
def strip_of_rows(number: int, rows: int) -> tuple[int, int, int]:
    """A strip's matrix, its first row, and how many of its rows are the strip's before."""
    strips = -(-rows // LANES)
    matrix, strip = number // strips, number % strips
    first = min(strip * LANES, rows - LANES)
    return matrix, first, strip * LANES - first


@kernel
def add_columns(
    arena: Any,
    table: Any,
    team: Any,
    x: int,
    out: int,
    rows: int,
    columns: int,
    x_row: int,
    room: int,
    loops: int,
) -> None:
    """out[r] += x[r, 0], then x[r, 1], and so on: operands as in `transpose_matrices`.

    There may be fewer columns: what follows a row is then read, but not added. `room` has a square
    of vectors for each of `SMALL_ROOMS`.
    """
    square = room + team[PART] * LANES * LANES
    for number in range(*share_strips(table, team, rows, loops)):
        matrix, row, done = strip_of_rows(number, rows)
        s = x + loop_step(table, loops, loops + OUTER, OUTER, matrix) + row * x_row
        t = out + loop_step(table, loops, loops + 2 * OUTER, OUTER, matrix)
        total = load(arena, t + row)
        for strip_column in range(0, columns, LANES):
            column = max(min(strip_column, columns - LANES), 0)
            transpose(arena, s + column, x_row, arena, square, LANES, splat_bits(ALL))
            for c in range(strip_column - column, min(columns - column, LANES)):
                total = total + load(arena, square + c * LANES)
        if done == 0:
            store(arena, t + row, total)
        else:
            store(arena, square, total)
            for r in range(done, LANES):
                arena[t + row + r] = arena[square + r]
