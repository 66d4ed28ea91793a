"""Samples in and out: images in rows outside, a tile's samples side by side in the arena."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from backlit_kernels.frame import COUNT, INVALID, PORTS, SAMPLE, SHARE, STEP, floats_at
from backlit_kernels.groups import sample_of, step_of
from backlit_kernels.kernel import helper, kernel
from backlit_kernels.vector import (
    _INTS,
    LANES,
    absolute,
    address,
    any_of,
    fma,
    load,
    load_one,
    splat,
    store,
)


def transpose(source: Any, s: int, s_step: int, target: Any, t: int, t_step: int) -> None:
    """Copy `LANES` vectors, `s_step` floats apart, transposed to ones `t_step` floats apart."""
    block = np.stack([source[s + i * s_step : s + i * s_step + LANES] for i in range(LANES)])
    for i in range(LANES):
        target[t + i * t_step : t + i * t_step + LANES] = block[:, i]


@type_callable(transpose)
def _type_transpose(context: Any) -> Any:
    return lambda source, s, s_step, target, t, t_step: types.none


_HALVES = [d for d in (8, 4, 2, 1) if d < LANES]
_PLACE = (types.CPointer, types.Integer, types.Integer)


@lower_builtin(transpose, *_PLACE, *_PLACE)
def _lower_transpose(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    source, s, s_step, target, t, t_step = args

    def place(memory: Any, start: Any, step: Any, i: int) -> Any:
        return address(builder, memory, builder.add(start, builder.mul(step, ir.IntType(64)(i))))

    rows = [builder.load(place(source, s, s_step, i), align=4) for i in range(LANES)]
    for distance in _HALVES:  # swap ever smaller off-diagonal blocks
        low = [i if not i & distance else LANES + i - distance for i in range(LANES)]
        high = [i + distance if not i & distance else LANES + i for i in range(LANES)]
        for i in range(LANES):
            if not i & distance:
                pair = rows[i], rows[i + distance]
                rows[i] = builder.shuffle_vector(*pair, ir.Constant(_INTS, low))
                rows[i + distance] = builder.shuffle_vector(*pair, ir.Constant(_INTS, high))
    for i in range(LANES):
        builder.store(rows[i], place(target, t, t_step, i), align=4)
    return context.get_dummy_value()


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
                transpose(source, s + lane * size + first, size, arena, place, lanes)
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
def row_out(
    arena: Any, s: int, target: Any, t: int, size: int, count: int, width: int, lanes: int
) -> None:
    """One row of a tile, to `count` samples `size` floats apart."""
    for lane in range(0, lanes, LANES):
        if count >= lane + LANES and width >= LANES:
            for x in range(0, width, LANES):
                first = min(x, width - LANES)
                place = s + first * lanes + lane
                transpose(arena, place, lanes, target, t + lane * size + first, size)
        else:
            for i in range(lane, min(lane + LANES, count)):
                for x in range(width):
                    target[t + i * size + x] = arena[s + x * lanes + i]


@helper
def is_finite(arena: Any, x: int, size: int) -> bool:
    """Whether all of a run of floats are finite: 0 times them is 0."""
    zero = splat(0.0)
    check, other = zero, zero  # two sums, so that neither waits for itself
    whole = x + size // (2 * LANES) * (2 * LANES)
    for i in range(x, whole, 2 * LANES):
        check = fma(load(arena, i), zero, check)
        other = fma(load(arena, i + LANES), zero, other)
    check = check + other
    for i in range(whole, x + size):
        check = fma(load_one(arena, i), zero, check)
    return not any_of(~(check == zero))


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
            if not is_finite(arena, target, width * lanes):
                frame[INVALID] = 1


@kernel
def spread_lane(
    arena: Any, frame: Any, x: int, out: int, size: int, first: int, lanes: int
) -> None:
    """In every lane what the current step's lane of `x` holds; the first belongs to step `first`.

    Other steps than those of the `lanes` change nothing.
    """
    lane = frame[STEP] - first
    if lane < 0 or lane >= lanes:
        return
    for i in range(0, size, lanes):
        value = load_one(arena, x + i + lane)
        for j in range(i, i + lanes, LANES):
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

    `magnitude` is 1 to write absolute values, in the arena too.
    """
    size = channels * height * width
    entry = frame[SAMPLE] * per_sample + frame[STEP] * per_step
    target = floats_at(frame[PORTS + port] + entry * size * 4)
    size *= per_sample
    share = frame[SHARE]
    for c in range(channels):
        for y in range(height):
            source = x + c * plane + y * row
            if magnitude != 0:
                for i in range(source, source + width * lanes, LANES):
                    store(arena, i, absolute(load(arena, i)))
            start = (c * height + y) * width
            if share == 1:
                row_out(arena, source, target, start, size, frame[COUNT], width, lanes)
            else:
                for n in range(frame[COUNT]):
                    for i in range(width):
                        target[start + n * size + i] = arena[source + i * lanes + n * share]
