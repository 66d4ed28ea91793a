"""The maximum of each 2x2 window of a picture that is never stored: made by a convolution, or
interpolated.

Max-pooling keeps a quarter of a picture, and its way back needs to know only which entry of each
window that was: its *choice*, one of the numbers in `backlit_kernels.entries`. To write the picture
and read it again takes as long as the arithmetic of a convolution of few channels.
"""

from functools import cache
from typing import Any

import numpy as np

from backlit_kernels.entries import (
    ENTRIES,
    LOWER_LEFT,
    LOWER_RIGHT,
    NUMBERS,
    UPPER_LEFT,
    UPPER_RIGHT,
)
from backlit_kernels.finish import relu_rule
from backlit_kernels.fold import add_step, phase_of
from backlit_kernels.kernel import Kernel, helper, kernel
from backlit_kernels.lanes import for_lanes
from backlit_kernels.target import target
from backlit_kernels.team import share
from backlit_kernels.tile import (
    add_rows,
    add_tile,
    store_largest,
    store_tile,
    window_update,
    zero_tile,
)
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


@cache
def pooled_product(rows: int, cut: bool, unrolled: int = 0) -> Kernel:
    """The product with a register tile of `rows` channels by the entries of a window.

    `cut` says that the sums are made of more than one piece. If `unrolled` is not 0, they have so
    many terms.
    """

    def pooled_product(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        out: int,
        choice: int,
        x: int,
        weights: int,
        bias: int,
        offsets: int,
        depth: int,
        pieces: int,
        partial: int,
        blocks: int,
        height: int,
        width: int,
        x_row: int,
        x_step: int,
        out_row: int,
        out_plane: int,
        floor: int,
    ) -> None:
        """The largest of each window's sums, to `height` rows of `width` vectors.

        Parameters
        ----------
        choice
            Distance from `out` to a buffer of its layout for the windows' choices.
        x, x_row, x_step
            The convolution's input, and how far its rows and positions are apart.
        weights, bias, offsets, depth, pieces, blocks
            As in `backlit_kernels.product`.
        partial
            Where the sums so far of a tile lie, for each block.
        out_plane, out_row
            How far the output's channels and rows are apart.
        floor
            Where what sums are at least lies in the constants: 0 for a ReLU before the pooling.
        """
        least = load_one(constants, floor)
        piece = -(-depth // pieces)
        row = ENTRIES * LANES
        for y in range(height):
            for block in range(*share(team, blocks)):
                w = weights + block * depth * rows
                so_far = partial + block * rows * row
                for column in range(width):
                    start = x + 2 * (y * x_row + column * x_step)
                    for p in range(pieces if cut else 1):
                        tile = zero_tile(rows, ENTRIES)
                        low, high = 0, unrolled or depth
                        if cut:
                            low, high = p * piece, min(p * piece + piece, depth)
                        for k in range(low, high):
                            term = start + table[offsets + k]
                            tile = window_update(
                                tile, constants, w + k * rows, arena, term, x_row, x_step
                            )
                        if cut and p > 0:
                            tile = add_tile(tile, arena, so_far, row, LANES)
                        if cut and p < pieces - 1:
                            store_tile(tile, arena, so_far, row, LANES)
                            continue
                        tile = add_rows(tile, constants, bias + block * rows)
                        at = out + block * rows * out_plane + y * out_row + column * LANES
                        store_largest(tile, arena, at, choice, out_plane, least)

    name = f"pooled_product_{rows}" + (f"_of_{unrolled}" if unrolled else "")
    return Kernel(pooled_product, name + ("_cut" if cut else ""))


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


@cache
def channel_blocks(channels: int) -> tuple[tuple[int, int], ...]:
    """How to cover channels: (rows of a tile, blocks), all alike or as even as can be."""
    most = max(target().accumulators // ENTRIES, 1)
    for rows in range(most, most // 2, -1):
        if channels % rows == 0:
            return ((rows, channels // rows),)
    blocks = -(-channels // most)
    rows, more = divmod(channels, blocks)
    return tuple((r, n) for r, n in ((rows + 1, more), (rows, blocks - more)) if n)


@helper
def between(arena: Any, a: int, b: int, t: Any, least: Any) -> Any:
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
    """The largest of each window of ``a + position * (b - a)``; see `pooled_product`.

    `plane` and `row` are how far channels and rows of `a` and `b` are apart.
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
