"""The 2x2 windows of a max-pooling whose picture is never stored: their maxima, and the way back.

Max-pooling keeps a quarter of a picture, and its way back needs to know only which entry of each
window that was: its *choice*, one of the numbers in `backlit_kernels.entries`. To write the picture
and read it again takes as long as the arithmetic of a convolution of few channels.
"""

from functools import cache
from typing import Any

import numpy as np

from backlit_kernels.entries import (
    LOWER_LEFT,
    LOWER_RIGHT,
    NUMBERS,
    UPPER_LEFT,
    UPPER_RIGHT,
)
from backlit_kernels.finish import relu_rule
from backlit_kernels.fold import add_step, phase_of
from backlit_kernels.frame import STEP
from backlit_kernels.kernel import Kernel, helper, kernel
from backlit_kernels.lanes import for_lanes
from backlit_kernels.team import share
from backlit_kernels.vector import (
    LANES,
    fma,
    interleave_high,
    interleave_low,
    load,
    load_one,
    maximum,
    select,
    splat,
    store,
    unordered,
)

Rule = tuple[int, int]  # whether a ReLU is masked, and rectified: see `relu_rule`


@helper
def largest_entry(v: Any) -> Any:
    """The largest of a window's entries, and its number: of equal ones the first; a NaN wins."""
    a, b, c, d = v
    best = maximum(maximum(a, b), maximum(c, d))
    number = first_equal(best, a, b, c)
    return select(unordered(a, b) | unordered(c, d), splat(np.nan), best), number


@helper
def first_equal(best: Any, a: Any, b: Any, c: Any) -> Any:
    """The number of the first entry that equals the largest; the last one's without comparing."""
    number = select(best == c, splat(LOWER_LEFT), splat(LOWER_RIGHT))
    number = select(best == b, splat(UPPER_RIGHT), number)
    return select(best == a, splat(UPPER_LEFT), number)


@helper
def load_pair(arena: Any, at: int) -> Any:
    return load(arena, at), load(arena, at + LANES)


@helper
def load_two(arena: Any, at: int) -> Any:
    """Two floats, each in every lane."""
    return load_one(arena, at), load_one(arena, at + 1)


@cache
def interpolate_windows(shared: bool) -> Kernel:
    """With `shared`, samples share one beginning, of a float for each pixel."""
    pixel = 1 if shared else LANES
    load_start = load_two if shared else load_pair

    def interpolate_windows(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        a: int,
        a_step: int,
        b: int,
        points: int,
        positions: int,
        outs: int,
        choices: int,
        channels: int,
        height: int,
        width: int,
        plane: int,
        row: int,
        out_plane: int,
        out_row: int,
        floor: int,
    ) -> None:
        """The largest of each window of ``a + position * (b - a)``, at `points` of a path.

        Parameters
        ----------
        a_step
            How far the beginning moves from a step to the next.
        positions, outs, choices
            Tables, of a place for each point: of its lane values, its output, its choices.
        plane, row
            How far channels and rows of `b` are apart.
        out_plane, out_row, floor
            As in `backlit_kernels.pooled_product`.
        """
        least = load_one(constants, floor)
        begin = a + team[STEP] * a_step
        for c in range(*share(team, channels)):
            for y in range(height):
                start, to = c * plane + 2 * y * row, c * out_plane + y * out_row
                at, below = begin + start // LANES * pixel, row // LANES * pixel
                for _ in range(width):
                    upper, lower = load_start(arena, at), load_start(arena, at + below)
                    p, q = load_pair(arena, b + start), load_pair(arena, b + start + row)
                    p, q = (p[0] - upper[0], p[1] - upper[1]), (q[0] - lower[0], q[1] - lower[1])
                    for n in range(points):
                        t = load(arena, table[positions + n])
                        best, chosen = largest_entry(
                            (
                                maximum(least, fma(t, p[0], upper[0])),
                                maximum(least, fma(t, p[1], upper[1])),
                                maximum(least, fma(t, q[0], lower[0])),
                                maximum(least, fma(t, q[1], lower[1])),
                            )
                        )
                        store(arena, table[outs + n] + to, best)
                        store(arena, table[choices + n] + to, chosen)
                    start += 2 * LANES
                    at += 2 * pixel
                    to += LANES

    name = "interpolate_windows"
    return Kernel(interpolate_windows, name + "_shared" if shared else name)


@helper
def gradient_of_windows(arena: Any, g: int, y: int, rule: Rule) -> Any:
    """Gradients of a pooling's outputs y, sent through a ReLU before it by its rule."""
    masked, rectified = rule
    return relu_rule(load(arena, g), load(arena, y) > splat(0.0), masked, rectified)


@for_lanes
def spread_choices(_load: Any, _store: Any, pixel: int) -> Any:
    single = pixel == 1
    together = LANES if single else 1  # windows in a vector

    def spread_choices(
        arena: Any,
        team: Any,
        y: int,
        g: int,
        choice: int,
        out: int,
        channels: int,
        height: int,
        width: int,
        y_plane: int,
        y_row: int,
        out_plane: int,
        out_row: int,
        initial: int,
        masked: int,
        rectified: int,
    ) -> None:
        """The way back: each window's gradient to its chosen entry, zero to the others.

        `y` is the pooled output, `choice` the distance from there to the choices, and `g` its
        gradient; `masked` and `rectified` are the rule of a ReLU before the pooling (see
        `relu_rule`), and `initial` is as in `product`. Of a single sample, what is written may run
        past the end of a row.
        """
        rule, zero = (masked, rectified), splat(0.0)
        for c in range(*share(team, channels)):
            for i in range(height):
                for row in range(2):  # the upper one's overrun is then overwritten
                    numbers = NUMBERS[2 * row], NUMBERS[2 * row + 1]
                    for j in range(0, width, together):
                        at = c * y_plane + i * y_row + j * pixel
                        gradient = gradient_of_windows(arena, g + at, y + at, rule)
                        chosen = load(arena, y + choice + at)
                        left = select(chosen == splat(numbers[0]), gradient, zero)
                        right = select(chosen == splat(numbers[1]), gradient, zero)
                        if single:
                            left, right = interleave_low(left, right), interleave_high(left, right)
                        to = out + c * out_plane + (2 * i + row) * out_row + 2 * j * pixel
                        if initial != 0:
                            left = left + load(arena, to + initial)
                            right = right + load(arena, to + LANES + initial)
                        store(arena, to, left)
                        store(arena, to + LANES, right)

    return spread_choices


@helper
def add_where(total: Any, mask: Any, value: Any) -> Any:
    return select(mask, total + value, total)


@kernel
def sum_choices(
    arena: Any,
    table: Any,
    team: Any,
    points: int,
    ys: int,
    gs: int,
    choices: int,
    out: int,
    channels: int,
    height: int,
    width: int,
    y_plane: int,
    y_row: int,
    out_plane: int,
    out_row: int,
    initial: int,
    masked: int,
    rectified: int,
) -> None:
    """The sum of what `spread_choices` would write, in tiles, for so many `points` of a path.

    `ys`, `gs` and `choices` are tables, of a place for each point.
    """
    rule, zero = (masked, rectified), splat(0.0)
    for c in range(*share(team, channels)):
        for i in range(height):
            at, to = c * y_plane + i * y_row, out + c * out_plane + 2 * i * out_row
            for _ in range(width):
                upper, lower = (zero, zero), (zero, zero)
                if initial != 0:
                    upper = load_pair(arena, to + initial)
                    lower = load_pair(arena, to + out_row + initial)
                for n in range(points):
                    y, g = table[ys + n] + at, table[gs + n] + at
                    gradient = gradient_of_windows(arena, g, y, rule)
                    chosen = load(arena, table[choices + n] + at)
                    upper = (
                        add_where(upper[0], chosen == splat(UPPER_LEFT), gradient),
                        add_where(upper[1], chosen == splat(UPPER_RIGHT), gradient),
                    )
                    lower = (
                        add_where(lower[0], chosen == splat(LOWER_LEFT), gradient),
                        add_where(lower[1], chosen == splat(LOWER_RIGHT), gradient),
                    )
                store(arena, to, upper[0])
                store(arena, to + LANES, upper[1])
                store(arena, to + out_row, lower[0])
                store(arena, to + out_row + LANES, lower[1])
                at += LANES
                to += 2 * LANES


@kernel
def accumulate_choices(
    arena: Any,
    frame: Any,
    y: int,
    g: int,
    choice: int,
    partial: int,
    total: int,
    weight: int,
    channels: int,
    height: int,
    width: int,
    y_plane: int,
    y_row: int,
    out_plane: int,
    out_row: int,
    masked: int,
    rectified: int,
) -> None:
    """What `spread_choices` would write, times lane values `weight`, added to a sum over steps.

    `partial` and `total` are as in `accumulate_step`.
    """
    w, zero, rule = load(arena, weight), splat(0.0), (masked, rectified)
    distance, phase = total - partial, phase_of(frame)
    for c in range(channels):
        for i in range(height):
            at, to = c * y_plane + i * y_row, partial + c * out_plane + 2 * i * out_row
            for _ in range(width):
                gradient = gradient_of_windows(arena, g + at, y + at, rule)
                chosen = load(arena, y + choice + at)
                for row in range(2):
                    for column in range(2):
                        place = to + row * out_row + column * LANES
                        number = splat(NUMBERS[2 * row + column])
                        x = select(chosen == number, gradient, zero)
                        value = w * x
                        if not phase[0]:
                            value = fma(w, x, load(arena, place))
                        add_step(arena, phase, place, value, 0, distance)
                at += LANES
                to += 2 * LANES
