"""Kernels over tensors of any shape and layout: up to five nested loops around a run of floats.

The table holds the five extents, then for each operand its five steps in floats. A *run* is a
piece that is contiguous in all operands: the samples of a tile, or more. A step of 0 repeats an
operand, or adds up in the output.
"""

from functools import cache
from typing import Any

from backlit_kernels.frame import PARTS
from backlit_kernels.kernel import Kernel, helper, kernel
from backlit_kernels.pairs import PAIRS
from backlit_kernels.team import share_among
from backlit_kernels.vector import (
    LANES,
    fma,
    load,
    load_one,
    splat,
    store,
    store_one,
)

LOOPS = 5


@helper
def shared_loops(table: Any, loops: int, team: Any, most: int) -> Any:
    """This thread's part of the outer loops, which are numbered as one, and of the innermost."""
    outer = table[loops] * table[loops + 1] * table[loops + 2] * table[loops + 3]
    inner = table[loops + 4]
    if outer >= min(team[PARTS], most):
        return share_among(team, outer, most), (0, inner)
    return (0, outer), share_among(team, inner, most)


@helper
def loop_step(table: Any, extents: int, steps: int, loops: int, number: int) -> int:
    """How far nested loops, numbered as one, have moved an operand when they come to a number."""
    distance = 0
    for axis in range(loops - 1, -1, -1):
        distance += number % table[extents + axis] * table[steps + axis]
        number //= table[extents + axis]
    return distance


@kernel
def copy(
    arena: Any, table: Any, team: Any, x: int, out: int, run: int, accumulate: int, loops: int
) -> None:
    """out = x, or out += x: then one thread does it, since several may be added to one place."""
    a, b = loops + LOOPS, loops + 2 * LOOPS
    outer, inner = shared_loops(table, loops, team, 1 if accumulate != 0 else team[PARTS])
    for number in range(*outer):
        s = x + loop_step(table, loops, a, LOOPS - 1, number)
        t = out + loop_step(table, loops, b, LOOPS - 1, number)
        if run == 1:
            copy_floats(arena, s, table[a + 4], t, table[b + 4], inner, accumulate)
            continue
        for n in range(*inner):
            copy_run(arena, s + n * table[a + 4], t + n * table[b + 4], run, accumulate)


@helper
def copy_floats(
    arena: Any, s: int, s_step: int, t: int, t_step: int, part: Any, accumulate: int
) -> None:
    """Runs of single floats."""
    first, last = part
    if accumulate == 0:
        for n in range(first, last):
            arena[t + n * t_step] = arena[s + n * s_step]
    elif t_step == 0:
        total = arena[t]
        for n in range(first, last):
            total += arena[s + n * s_step]
        arena[t] = total
    else:
        for n in range(first, last):
            arena[t + n * t_step] += arena[s + n * s_step]


@helper
def copy_run(arena: Any, s: int, t: int, run: int, accumulate: int) -> None:
    whole = run // LANES * LANES
    for i in range(0, whole, LANES):
        value = load(arena, s + i)
        if accumulate != 0:
            value = load(arena, t + i) + value
        store(arena, t + i, value)
    for i in range(whole, run):
        value = load_one(arena, s + i)
        if accumulate != 0:
            value = load_one(arena, t + i) + value
        store_one(arena, t + i, value)


@kernel
def spread(
    arena: Any, constants: Any, table: Any, values: int, out: int, run: int, lanes: int, loops: int
) -> None:
    """Each of the constants at `values` into all lanes of its entry."""
    a, b = loops + LOOPS, loops + 2 * LOOPS
    for i in range(table[loops]):
        for j in range(table[loops + 1]):
            for k in range(table[loops + 2]):
                for m in range(table[loops + 3]):
                    s = values + i * table[a] + j * table[a + 1]
                    s += k * table[a + 2] + m * table[a + 3]
                    t = out + i * table[b] + j * table[b + 1]
                    t += k * table[b + 2] + m * table[b + 3]
                    for n in range(table[loops + 4]):
                        for r in range(run):
                            value = load_one(constants, s + n * table[a + 4] + r)
                            for lane in range(lanes):
                                store_one(arena, t + n * table[b + 4] + r * lanes + lane, value)


@cache
def reduce(name: str) -> Kernel:
    """out = f(out, x), entry by entry: several entries of x may meet in one of out."""
    f = PAIRS[name]

    def reduce(arena: Any, table: Any, x: int, out: int, run: int, loops: int) -> None:
        a, b = loops + LOOPS, loops + 2 * LOOPS
        for i in range(table[loops]):
            for j in range(table[loops + 1]):
                for k in range(table[loops + 2]):
                    for m in range(table[loops + 3]):
                        s = x + i * table[a] + j * table[a + 1]
                        s += k * table[a + 2] + m * table[a + 3]
                        t = out + i * table[b] + j * table[b + 1]
                        t += k * table[b + 2] + m * table[b + 3]
                        for _ in range(table[loops + 4]):
                            whole = run // LANES * LANES
                            for n in range(0, whole, LANES):
                                store(arena, t + n, f(load(arena, t + n), load(arena, s + n)))
                            for n in range(whole, run):
                                value = f(load_one(arena, t + n), load_one(arena, s + n))
                                store_one(arena, t + n, value)
                            s += table[a + 4]
                            t += table[b + 4]

    return Kernel(reduce, f"reduce_{name}")


@cache
def binary(name: str) -> Kernel:
    """out = f(a, b), entry by entry.

    `a_fixed` and `b_fixed` are 1 where one float of an operand serves a whole run.
    """
    f = PAIRS[name]

    def binary(
        arena: Any,
        table: Any,
        team: Any,
        a: int,
        b: int,
        out: int,
        run: int,
        a_fixed: int,
        b_fixed: int,
        loops: int,
    ) -> None:
        p, q, r = loops + LOOPS, loops + 2 * LOOPS, loops + 3 * LOOPS
        whole = run // LANES * LANES
        outer, inner = shared_loops(table, loops, team, team[PARTS])
        for number in range(*outer):
            first = a + loop_step(table, loops, p, LOOPS - 1, number)
            second = b + loop_step(table, loops, q, LOOPS - 1, number)
            target = out + loop_step(table, loops, r, LOOPS - 1, number)
            for m in range(*inner):
                u = first + m * table[p + 4]
                v = second + m * table[q + 4]
                t = target + m * table[r + 4]
                for n in range(0, whole, LANES):
                    x = load_one(arena, u) if a_fixed != 0 else load(arena, u + n)
                    y = load_one(arena, v) if b_fixed != 0 else load(arena, v + n)
                    store(arena, t + n, f(x, y))
                for n in range(whole, run):
                    x = load_one(arena, u if a_fixed != 0 else u + n)
                    y = load_one(arena, v if b_fixed != 0 else v + n)
                    store_one(arena, t + n, f(x, y))

    return Kernel(binary, f"binary_{name}")


# --- linear maps --------------------------------------------------------------------------------


@kernel
def axis_map(
    arena: Any,
    constants: Any,
    table: Any,
    x: int,
    out: int,
    run: int,
    rows: int,
    starts: int,
    columns: int,
    weights: int,
    x_step: int,
    out_step: int,
    loops: int,
) -> None:
    """A sparse matrix along one axis: out[r] = sum over its entries of weight x[column].

    The table holds where each of the `rows` begins (and the end) and the entries' columns; the
    entries' weights lie in the constants. The other axes are looped over.
    """
    a, b = loops + LOOPS, loops + 2 * LOOPS
    whole = run // LANES * LANES
    for i in range(table[loops]):
        for j in range(table[loops + 1]):
            for k in range(table[loops + 2]):
                for r in range(rows):
                    begin, end = table[starts + r], table[starts + r + 1]
                    s = x + i * table[a] + j * table[a + 1] + k * table[a + 2]
                    t = out + i * table[b] + j * table[b + 1] + k * table[b + 2] + r * out_step
                    for _ in range(table[loops + 3]):
                        for n in range(0, whole, LANES):
                            total = splat(0.0)
                            for e in range(begin, end):
                                at = s + table[columns + e] * x_step + n
                                total = fma(
                                    load_one(constants, weights + e), load(arena, at), total
                                )
                            store(arena, t + n, total)
                        for n in range(whole, run):
                            total = splat(0.0)
                            for e in range(begin, end):
                                at = s + table[columns + e] * x_step + n
                                w = load_one(constants, weights + e)
                                total = fma(w, load_one(arena, at), total)
                            store_one(arena, t + n, total)
                        s += table[a + 3]
                        t += table[b + 3]
