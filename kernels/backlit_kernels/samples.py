"""Samples in and out: images in rows outside, a tile's samples side by side in the arena."""

from typing import Any

from backlit_kernels.bits import splat_bits
from backlit_kernels.frame import COUNT, INVALID, PORTS, SAMPLE, SHARE, STEP, floats_at
from backlit_kernels.groups import sample_of, step_of
from backlit_kernels.kernel import helper, kernel
from backlit_kernels.prefetch import prefetch, prefetch_to_write
from backlit_kernels.target import CACHE_LINE
from backlit_kernels.transposing import ALL, ALL_BUT_SIGN, transpose
from backlit_kernels.vector import LANES, any_of, fma, load, load_one, splat, store

# Floats of each sample, asked for so long before: samples are more streams than are foreseen (on
# Sapphire Rapids, MNIST's images are then written in half the time)
AHEAD = 2 * CACHE_LINE


@helper
def row_in(
    source: Any, s: int, size: int, count: int, arena: Any, t: int, width: int, lanes: int
) -> None:
    """One row of `count` samples, `size` floats apart, into a tile; the last fills idle lanes."""
    for lane in range(0, lanes, LANES):
        if count >= lane + LANES and width >= LANES:
            for x in range(0, width, LANES):
                first = min(x, width - LANES)
                place = t + first * lanes + lane
                at = s + lane * size + first
                for i in range(LANES):
                    prefetch(source, at + i * size + AHEAD)
                transpose(source, at, size, arena, place, lanes, splat_bits(ALL))
        else:
            if count == 1 and lanes > 1:
                for x in range(width):
                    store(arena, t + x * lanes + lane, load_one(source, s + x))
                continue
            for i in range(lane, min(lane + LANES, lanes)):
                sample = s + min(i, count - 1) * size
                for x in range(width):
                    arena[t + x * lanes + i] = source[sample + x]


@helper
def value_out(value: float, magnitude: int) -> float:
    return abs(value) if magnitude != 0 else value


@helper
def row_out(
    arena: Any,
    s: int,
    target: Any,
    t: int,
    size: int,
    count: int,
    width: int,
    lanes: int,
    magnitude: int,
) -> None:
    """One row of a tile, to `count` samples `size` floats apart."""
    kept = splat_bits(ALL_BUT_SIGN if magnitude != 0 else ALL)
    for lane in range(0, lanes, LANES):
        if count >= lane + LANES and width >= LANES:
            for x in range(0, width, LANES):
                first = min(x, width - LANES)
                place = s + first * lanes + lane
                at = t + lane * size + first
                for i in range(LANES):
                    prefetch_to_write(target, at + i * size + AHEAD)
                transpose(arena, place, lanes, target, at, size, kept)
        else:
            for i in range(lane, min(lane + LANES, count)):
                for x in range(width):
                    target[t + i * size + x] = value_out(arena[s + x * lanes + i], magnitude)


@helper
def add_zeros(arena: Any, x: int, size: int, sums: Any) -> Any:
    """Add 0 times each of a run of floats, which is 0 if they are finite, to sums of that."""
    zero = splat(0.0)
    a, b, c, d = sums  # several, so that none waits for itself
    whole = x + size // (4 * LANES) * (4 * LANES)
    for i in range(x, whole, 4 * LANES):
        a = fma(load(arena, i), zero, a)
        b = fma(load(arena, i + LANES), zero, b)
        c = fma(load(arena, i + 2 * LANES), zero, c)
        d = fma(load(arena, i + 3 * LANES), zero, d)
    last = x + size // LANES * LANES
    for i in range(whole, last, LANES):
        b = fma(load(arena, i), zero, b)
    for i in range(last, x + size):
        a = fma(load_one(arena, i), zero, a)
    return a, b, c, d


@kernel
def load_samples(
    arena: Any,
    frame: Any,
    port: int,
    out: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    lanes: int,
    per_sample: int,
    per_step: int,
    first: int,
    entries: int,
) -> None:
    """Fill a tile with entries of an array; lanes without a sample repeat the last.

    Parameters
    ----------
    port
        Number of the array ``(entries, channels, height, width)``.
    out
        Where the tile's first pixel goes; planes and rows are `plane` and `row` floats apart.
    lanes
        1 or a multiple of LANES.
    per_sample, per_step
        Which entry a lane takes: ``sample * per_sample + step * per_step``.
    first, entries
        If `entries` is not 0, the lanes take so many entries from `first` on instead.
    """
    size = channels * height * width
    count, apart = frame[COUNT], per_sample
    entry = frame[SAMPLE] * per_sample + frame[STEP] * per_step
    if entries != 0:
        entry, count, apart = first, entries, 1
    shared = entries == 0 and frame[SHARE] > 1
    source = floats_at(frame[PORTS + port] + (0 if shared else entry * size * 4))
    zero = splat(0.0)
    sums = zero, zero, zero, zero
    for c in range(channels):
        for y in range(height):
            target = out + c * plane + y * row
            start = (c * height + y) * width
            if not shared:
                row_in(source, start, size * apart, count, arena, target, width, lanes)
            else:
                for lane in range(lanes):
                    own = sample_of(frame, lane) * per_sample + step_of(frame, lane) * per_step
                    for x in range(width):
                        arena[target + x * lanes + lane] = source[start + own * size + x]
            sums = add_zeros(arena, target, width * lanes, sums)
    total = sums[0] + sums[1] + sums[2] + sums[3]
    if any_of(~(total == zero)):
        frame[INVALID] = 1


@kernel
def spread_step(arena: Any, frame: Any, x: int, size: int, out: int, lanes: int) -> None:
    """In every lane the values of the current step: `size` floats of `x` for each step."""
    start = x + frame[STEP] * size
    for i in range(size):
        value = load_one(arena, start + i)
        for j in range(i * lanes, (i + 1) * lanes, LANES):
            store(arena, out + j, value)


@kernel
def store_samples(
    arena: Any,
    frame: Any,
    port: int,
    x: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    lanes: int,
    per_sample: int,
    per_step: int,
    magnitude: int,
) -> None:
    """Write a tile to entries of an array. Operands as in `load_samples`.

    `magnitude` is 1 to write absolute values.
    """
    size = channels * height * width
    entry = frame[SAMPLE] * per_sample + frame[STEP] * per_step
    target = floats_at(frame[PORTS + port] + entry * size * 4)
    size *= per_sample
    share = frame[SHARE]
    for c in range(channels):
        for y in range(height):
            source = x + c * plane + y * row
            start = (c * height + y) * width
            if share == 1:
                row_out(arena, source, target, start, size, frame[COUNT], width, lanes, magnitude)
            else:
                for n in range(frame[COUNT]):
                    for i in range(width):
                        value = arena[source + i * lanes + n * share]
                        target[start + n * size + i] = value_out(value, magnitude)
