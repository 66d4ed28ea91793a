"""Filling and folding: points on a path, weighted sums of what comes back.

A *lane value* is one float for each lane of a tile, in a small buffer of its own: a step's
position on the path, its weight, a score. Elsewhere vectors are taken over whole buffers.

Sums over steps are made of partial sums, each of every LANES-th step, which are added in order. So
they are the same bits where the steps of a sample are *dealt* out to several lanes of a tile, and
each of these makes some of the partial sums (`backlit_kernels.groups`).
"""

from typing import Any

from backlit_kernels.frame import CLOSES, COUNT, OPENS, PORTS, SAMPLE, SHARE, STEP, floats_at
from backlit_kernels.groups import add_groups, sample_of, step_of
from backlit_kernels.kernel import helper, kernel
from backlit_kernels.vector import (
    LANES,
    NOWHERE,
    fma,
    load,
    load_one,
    maximum,
    splat,
    store,
    store_marks,
)

Phase = tuple[bool, bool, int]


@helper
def lane_value(arena: Any, values: int, i: int, lanes: int) -> Any:
    """The lane values that belong to the vector at distance `i` from a buffer's beginning.

    The remainder takes longer than the arithmetic: kernels ask once for each vector of lanes.
    """
    if lanes == 1:
        return load_one(arena, values)
    return load(arena, values + i % lanes)


@kernel
def fill_lane_values(arena: Any, constants: Any, value: int, out: int, lanes: int) -> None:
    """The constant at `value` in every lane."""
    for lane in range(lanes):
        arena[out + lane] = constants[value]


@kernel
def load_lane_values(
    arena: Any,
    frame: Any,
    port: int,
    per_sample: int,
    per_step: int,
    first: int,
    out: int,
    lanes: int,
) -> None:
    """Lane values from an array: entry ``first + sample * per_sample + step * per_step``."""
    source = floats_at(frame[PORTS + port])
    for lane in range(lanes):
        entry = sample_of(frame, lane) * per_sample + step_of(frame, lane) * per_step
        arena[out + lane] = source[first + entry]


@kernel
def store_lane_values(
    arena: Any, frame: Any, port: int, x: int, per_sample: int, per_step: int, lanes: int
) -> None:
    """Lane values to the array at a port: entry ``sample * per_sample + step * per_step``."""
    target = floats_at(frame[PORTS + port])
    for n in range(min(lanes, frame[COUNT])):
        entry = (frame[SAMPLE] + n) * per_sample + frame[STEP] * per_step
        target[entry] = arena[x + n * frame[SHARE]]


@kernel
def interpolate(
    arena: Any,
    a: int,
    b: int,
    position: int,
    out: int,
    size: int,
    rectify: int,
    mark: int,
    lanes: int,
) -> None:
    """out = a + position * (b - a), `position` being lane values; with `rectify`, its ReLU.

    `mark` as in `product`.
    """
    zero = splat(0.0)
    for lane in range(0, lanes, LANES):
        t = lane_value(arena, position, lane, lanes)
        for i in range(lane, size, max(lanes, LANES)):
            start = load(arena, a + i)
            value = fma(t, load(arena, b + i) - start, start)
            if rectify != 0:
                value = maximum(zero, value)
            if mark != NOWHERE:
                store_marks(arena, out + i + mark, value > zero)
            store(arena, out + i, value)


@kernel
def accumulate(arena: Any, x: int, weight: int, total: int, size: int, lanes: int) -> None:
    """total += weight * x, `weight` being lane values."""
    for lane in range(0, lanes, LANES):
        w = lane_value(arena, weight, lane, lanes)
        for i in range(lane, size, max(lanes, LANES)):
            store(arena, total + i, fma(w, load(arena, x + i), load(arena, total + i)))


@helper
def phase_of(frame: Any) -> Phase:
    """Whether a partial sum opens and closes with this step, and how many lanes share a sample.

    To be asked once: what a kernel stores might be the frame, as far as the compiler knows.
    """
    return frame[OPENS] != 0, frame[CLOSES] != 0, frame[SHARE]


@helper
def add_step(arena: Any, phase: Phase, i: int, value: Any, partial: int, total: int) -> None:
    """Take a step's value, with what the partial sum holds already, on to it or to the total."""
    _, closes, share = phase
    if closes:
        store(arena, total + i, add_groups(load(arena, total + i), value, share))
    else:
        store(arena, partial + i, value)


@kernel
def accumulate_step(
    arena: Any, frame: Any, x: int, weight: int, partial: int, total: int, size: int, lanes: int
) -> None:
    """Add ``weight * x`` to a sum over steps, `weight` being lane values."""
    phase = phase_of(frame)
    for lane in range(0, lanes, LANES):
        w = lane_value(arena, weight, lane, lanes)
        for i in range(lane, size, max(lanes, LANES)):
            value = w * load(arena, x + i)
            if not phase[0]:
                value = fma(w, load(arena, x + i), load(arena, partial + i))
            add_step(arena, phase, i, value, partial, total)


@kernel
def accumulate_contribution(
    arena: Any,
    frame: Any,
    x: int,
    x0: int,
    g: int,
    weight: int,
    partial: int,
    total: int,
    size: int,
    lanes: int,
) -> None:
    """Add ``weight * (x - x0) * g`` to a sum over steps, `weight` being lane values."""
    phase = phase_of(frame)
    for lane in range(0, lanes, LANES):
        w = lane_value(arena, weight, lane, lanes)
        for i in range(lane, size, max(lanes, LANES)):
            value = w * ((load(arena, x + i) - load(arena, x0 + i)) * load(arena, g + i))
            if not phase[0]:
                value = value + load(arena, partial + i)
            add_step(arena, phase, i, value, partial, total)
