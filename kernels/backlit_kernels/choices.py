"""The way back through a convolution and the 2x2 max-pooling behind it, in one.

Each window of the pooling sends its gradient through one entry of the convolution's output, its
*choice*: three of four gradients of that output are zero, and here they are neither stored nor
multiplied. A window reaches a patch of the input larger than the kernel by a row and a column. To
each pixel there it sends its gradient times a weight that follows from its choice: with a 3x3
kernel, 16 products take the place of 36.

The sums of a 2x2 block of pixels are made at a time. Blocks lie so that the patches of windows
begin with them: those of an even kernel end in the middle of some.
"""

from functools import cache
from typing import Any

from backlit_kernels.choice_tile import (
    interleave_columns,
    lookup_update,
    lower_row,
    upper_row,
)
from backlit_kernels.entries import ENTRIES, UPPER_LEFT
from backlit_kernels.finish import After, finish_tile
from backlit_kernels.frame import PART
from backlit_kernels.kernel import Kernel, helper, pasted
from backlit_kernels.lanes import for_lanes
from backlit_kernels.team import ROOMS, share, share_among
from backlit_kernels.tile import store_tile, zero_tile
from backlit_kernels.vector import LANES, evens, load, load_one, odds, splat, store
from backlit_kernels.windows import Rule, first_equal, gradient_of_windows

TABLES = ENTRIES * ENTRIES  # floats: for each entry of a block, a weight by each choice


@for_lanes
def find_choices(_load: Any, _store: Any, pixel: int) -> Any:
    single = pixel == 1
    together = LANES if single else 1  # windows in a vector

    def find_choices(
        arena: Any,
        team: Any,
        x: int,
        y: int,
        choice: int,
        channels: int,
        height: int,
        width: int,
        x_plane: int,
        x_row: int,
        y_plane: int,
        y_row: int,
    ) -> None:
        """What `pooled_product` chooses, `choice` floats from `y`, of a picture that is stored."""
        for channel in range(*share(team, channels)):
            for i in range(height):
                for j in range(0, width, together):
                    place = y + channel * y_plane + i * y_row + j * pixel
                    at = x + channel * x_plane + 2 * (i * x_row + j * pixel)
                    a, b = load(arena, at), load(arena, at + LANES)
                    c = load(arena, at + x_row)
                    if single:
                        a, b = evens(a, b), odds(a, b)
                        c = evens(c, load(arena, at + x_row + LANES))
                    store(arena, place + choice, first_equal(load(arena, place), a, b, c))

    return find_choices


@helper
def take_windows(
    arena: Any, to: int, line: int, run: int, at: int, g: int, choice: int, rule: Rule
) -> None:
    """The gradients of `run` floats of windows and, `line` floats on, their choices."""
    for i in range(0, run, LANES):
        store(arena, to + i, gradient_of_windows(arena, g + i, at + i, rule))
        store(arena, to + line + i, load(arena, at + choice + i))
    if run % LANES != 0:  # of a single sample: what lies behind the last window is none
        store(arena, to + run, splat(0.0))
        store(arena, to + line + run, splat(UPPER_LEFT))


@cache
def convolve_choices_back(across: int, single: bool) -> Kernel:
    """With a register tile of the entries of `across` blocks."""
    columns, chunk = across * ENTRIES, across * LANES  # floats of a line of windows

    @pasted
    def put_row(pixels: Any, arena: Any, at: int, after: After) -> None:
        if single:
            pixels = interleave_columns(pixels)
        pixels = finish_tile(pixels, arena, at, 0, LANES, after)
        store_tile(pixels, arena, at, 0, LANES)

    def convolve_choices_back(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        out: int,
        y: int,
        g: int,
        choice: int,
        room: int,
        weights: int,
        offsets: int,
        channels: int,
        windows: int,
        windows_height: int,
        run: int,
        y_plane: int,
        y_row: int,
        tall: int,
        wide: int,
        line: int,
        pixel: int,
        top: int,
        left: int,
        height: int,
        width: int,
        out_plane: int,
        out_row: int,
        masked: int,
        rectified: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """The gradient of a picture of `channels`, `height` and `width`.

        Parameters
        ----------
        y, g, choice
            The pooled output, its gradient (of the same layout), and the distance from `y` to the
            choices: `windows` channels, `windows_height` rows of `run` floats.
        room
            For lines of `line` floats: ``ROOMS * tall * windows * 2`` of them.
        weights
            By choice: ``(channels, tall, wide, windows, entries of a block, 4)``.
        offsets
            Distances in the room from a block to the windows' gradients, ``(tall, tall, wide,
            windows)``: when the newest row of windows lies first, second, ...
        tall, wide
            In how many rows and columns of blocks a window's patch lies.
        pixel
            From a pixel to the next: the number of lanes.
        top, left
            The convolution's padding: how far before the first pixel the first block lies.
        masked, rectified
            The rule of a ReLU before the pooling, see `relu_rule`.

        Columns of blocks are taken from the last to the first, so that what is written past a row's
        end is overwritten. The last operands are as in `backlit_kernels.product`.
        """
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        first_channel, last_channel = share_among(team, channels, ROOMS)
        if first_channel == last_channel:
            return
        rule = masked, rectified
        size, terms = windows * 2 * line, wide * windows
        own = room + team[PART] * tall * size
        before = (wide - 1) * pixel
        for to in range(own, own + tall * size, 2 * line):  # what is no window stays zero
            for i in range(to, to + line, LANES):
                store(arena, i, splat(0.0))
                store(arena, i + line, splat(UPPER_LEFT))
        first_row, first = top // 2, left // 2 * pixel
        blocks = (width + left + 1) // 2 * pixel - first
        for row in range(first_row, (height + top + 1) // 2):
            for i in range(row - tall + 1 if row == first_row else row, row + 1):
                if 0 <= i < windows_height:
                    to, at = own + i % tall * size + before, i * y_row
                    for _ in range(windows):
                        take_windows(arena, to, line, run, y + at, g + at, choice, rule)
                        to += 2 * line
                        at += y_plane
            lines = offsets + row % tall * tall * terms
            begin = max(row - windows_height + 1, 0) * terms
            end = (min(tall - 1, row) + 1) * terms
            for c in range(first_channel, last_channel):
                plane, w = out + c * out_plane, weights + c * tall * terms * TABLES
                for n in range((blocks + chunk - 1) // chunk - 1, -1, -1):
                    column = first + max(min(n * chunk, blocks - chunk), 0)
                    tile, place = zero_tile(1, columns), own + column
                    for term in range(begin, end):
                        t, at = w + term * TABLES, place + table[lines + term]
                        tile = lookup_update(tile, constants, t, arena, at, line)
                    at = plane + (2 * row - top) * out_row + 2 * column - left * pixel
                    if 2 * row >= top:
                        put_row(upper_row(tile), arena, at, after)
                    if 2 * row + 1 - top < height:
                        put_row(lower_row(tile), arena, at + out_row, after)

    name = f"convolve_choices_back_{across}"
    return Kernel(convolve_choices_back, name + "_single" if single else name)
