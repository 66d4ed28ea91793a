"""The 2x2 windows of a max-pooling whose picture is never stored: their maxima, and the way back.

Max-pooling keeps a quarter of a picture, and its way back needs to know only which entry of each
window that was: its *choice*, one of the numbers in `backlit_kernels.entries`. To write the picture
and read it again takes as long as the arithmetic of a convolution of few channels.
"""

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
from backlit_kernels.kernel import helper, kernel
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
def between(arena: Any, a: int, b: int, t: Any, least: Any) -> Any:
    """``a + t * (b - a)``, but at least `least`."""
    start = load(arena, a)
    return maximum(least, fma(t, load(arena, b) - start, start))


@kernel
def interpolate_windows(
    arena: Any,
    constants: Any,
    team: Any,
    a: int,
    b: int,
    position: int,
    out: int,
    choice: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    out_plane: int,
    out_row: int,
    floor: int,
) -> None:
    """The largest of each window of ``a + position * (b - a)``.

    Operands that are not named here are as in `backlit_kernels.pooled_product`; `plane` and
    `row` are how far channels and rows of `a` and `b` are apart.
    """
    t, least = load(arena, position), load_one(constants, floor)
    for c in range(*share(team, channels)):
        for y in range(height):
            for column in range(width):
                at = c * plane + 2 * (y * row + column * LANES)
                p, q = a + at, b + at
                best, chosen = largest_entry(
                    (
                        between(arena, p, q, t, least),
                        between(arena, p + LANES, q + LANES, t, least),
                        between(arena, p + row, q + row, t, least),
                        between(arena, p + row + LANES, q + row + LANES, t, least),
                    )
                )
                to = out + c * out_plane + y * out_row + column * LANES
                store(arena, to, best)
                store(arena, to + choice, chosen)


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
