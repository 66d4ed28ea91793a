"""Samples in and out: images in rows outside, sixteen samples side by side in the arena."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from backlit_kernels.frame import COUNT, INVALID, PORTS, SAMPLE, floats_at
from backlit_kernels.kernel import kernel
from backlit_kernels.vector import (
    _INTS,
    LANES,
    absolute,
    address,
    any_of,
    fma,
    load,
    splat,
    store,
)


def transpose(source: Any, s: int, s_step: int, target: Any, t: int, t_step: int) -> None:
    """Copy sixteen vectors, `s_step` floats apart, transposed to ones `t_step` floats apart."""
    block = np.stack([source[s + i * s_step : s + i * s_step + LANES] for i in range(LANES)])
    for i in range(LANES):
        target[t + i * t_step : t + i * t_step + LANES] = block[:, i]


@type_callable(transpose)
def _type_transpose(context: Any) -> Any:
    return lambda source, s, s_step, target, t, t_step: types.none


_PLACE = (types.CPointer, types.Integer, types.Integer)


@lower_builtin(transpose, *_PLACE, *_PLACE)
def _lower_transpose(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    source, s, s_step, target, t, t_step = args

    def place(memory: Any, start: Any, step: Any, i: int) -> Any:
        return address(builder, memory, builder.add(start, builder.mul(step, ir.IntType(64)(i))))

    rows = [builder.load(place(source, s, s_step, i), align=4) for i in range(LANES)]
    for distance in (8, 4, 2, 1):  # swap ever smaller off-diagonal blocks
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
) -> None:
    """Fill a tile with the samples at hand; lanes without one repeat the last.

    Parameters
    ----------
    port
        Number of the array ``(N, channels, height, width)``.
    out
        Where the tile's first pixel goes; planes and rows are `plane` and `row` floats apart.
    lanes
        1 or 16.
    """
    size = channels * height * width
    source = floats_at(frame[PORTS + port] + frame[SAMPLE] * size * 4)
    count = frame[COUNT]
    zero = splat(0.0)
    check = splat(0.0)  # stays 0 as long as all input is finite
    for c in range(channels):
        for y in range(height):
            start = (c * height + y) * width
            target = out + c * plane + y * row
            if lanes == 1:
                wrong = np.float32(0)
                for x in range(width):
                    value = source[start + x]
                    wrong += value * np.float32(0)
                    arena[target + x] = value
                check = check + splat(wrong)
                continue
            if count == LANES and width >= LANES:
                for x in range(0, width, LANES):
                    first = min(x, width - LANES)
                    transpose(source, start + first, size, arena, target + first * LANES, LANES)
            else:
                for lane in range(LANES):
                    sample = min(lane, count - 1) * size + start
                    for x in range(width):
                        arena[target + x * LANES + lane] = source[sample + x]
            for x in range(width):
                check = fma(load(arena, target + x * LANES), zero, check)
    if any_of(~(check == zero)):
        frame[INVALID] = frame[SAMPLE] + 1


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
    magnitude: int,
) -> None:
    """Write a tile to the array at a port, ``(N, channels, height, width)``.

    `magnitude` is 1 to write absolute values, in the arena too. Operands as in `load_samples`.
    """
    size = channels * height * width
    target = floats_at(frame[PORTS + port] + frame[SAMPLE] * size * 4)
    count = frame[COUNT]
    for c in range(channels):
        for y in range(height):
            start = (c * height + y) * width
            source = x + c * plane + y * row
            if lanes == 1:
                for i in range(width):
                    value = arena[source + i]
                    target[start + i] = abs(value) if magnitude != 0 else value
                continue
            if magnitude != 0:
                for i in range(source, source + width * LANES, LANES):
                    store(arena, i, absolute(load(arena, i)))
            if count == LANES and width >= LANES:
                for i in range(0, width, LANES):
                    first = min(i, width - LANES)
                    transpose(arena, source + first * LANES, LANES, target, start + first, size)
            else:
                for lane in range(count):
                    for i in range(width):
                        target[lane * size + start + i] = arena[source + i * LANES + lane]
