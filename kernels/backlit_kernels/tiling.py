"""Which register tiles a product takes: the cheapest cover of its channels by a small cost rule."""

from functools import cache
from math import inf

from backlit_kernels.target import CACHE_LINE, target
from backlit_kernels.vector import LANES


@cache
def matrix_vector_columns(vectors: int) -> int:
    """How many vectors of outputs to hold in registers at once."""
    room = min(target().accumulators, vectors)
    return max(c for c in (1, 2, 3, 4, 6, 8, 12, 16, 24) if c <= room)


@cache
def tile_shapes() -> tuple[tuple[int, int], ...]:
    """Tile shapes (rows, columns) that this processor's registers hold."""
    room = target().accumulators
    rows = [r for r in (16, 12, 8, 6, 4, 3, 2) if r <= room]
    several = [(r, c) for r in rows for c in sorted({room // r, 2, 1}) if r * c <= room]
    # in a single column each entry takes a weight of its own: LLVM loads them ahead, and with
    # most registers taken already it spills (of AVX2's 12x1, to two thirds of the speed of 8x1)
    several = [(r, c) for r, c in several if c > 1 or r <= room * 2 // 3]
    # a single row leaves registers free that would hold the weights of others
    return (*several, *((1, c) for c in range(room * 7 // 6, 0, -1)))


def tile_cost(rows: int, columns: int, positions: int, aligned: bool = True) -> float:
    """Estimated cycles for one step of the sum over `positions`, by one tile of channels.

    Of positions that are not `aligned` to whole vectors, many are read across two cache lines.
    """
    split = target().registers_per_vector
    updates = rows * columns * split / 2  # two fused multiply-adds a cycle
    crossing = 0 if aligned else (LANES - 1) / CACHE_LINE
    loads = (rows + columns * split * (1 + crossing)) / 2  # two loads a cycle
    latency = 4.0  # of a fused multiply-add that waits for the one before
    return -(-positions // columns) * max(updates, loads, latency)


@cache
def tiling(channels: int, positions: int, aligned: bool = True) -> tuple[tuple[int, int, int], ...]:
    """The cheapest way to cover `channels`: pieces of (rows, columns, blocks).

    `positions` is the number of vectors in the shortest run.
    """
    costs: dict[int, tuple[float, int]] = {}  # of a tile of some rows: the least, and its columns
    for r, c in tile_shapes():
        if c <= positions and r <= channels:
            costs[r] = min(costs.get(r, (inf, 0)), (tile_cost(r, c, positions, aligned), c))
    best, rows = [0.0], [0]
    for n in range(1, channels + 1):
        # of equals, that of most channels
        cost, fewer = min((best[n - r] + costs[r][0], -r) for r in costs if r <= n)
        best.append(cost)
        rows.append(-fewer)
    counts: dict[int, int] = {}
    left = channels
    while left:
        r = rows[left]
        counts[r] = counts.get(r, 0) + 1
        left -= r
    half = channels // 2
    if len(counts) > 1 and channels % 2 == 0 and 2 * costs.get(half, (inf,))[0] <= best[channels]:
        counts = {half: 2}  # one instruction, which reads its input once
    return tuple((r, costs[r][1], n) for r, n in sorted(counts.items(), reverse=True))
