"""Winograd's F(mxm, 3x3): a 3x3 convolution with fewer products, for m = 2 or 4.

Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for
convolutional neural networks", 2016. For each patch d of m + 2 by m + 2 inputs and each 3x3 filter
g, the m by m outputs are

    A' ((G g G') * (B' d B)) A,    * entry by entry, added up over input channels

with the matrices of `winograd_two` and `winograd_four`. The sum over channels is the product
kernel, once for each entry. The patches of a few strips (of m rows of outputs) are transformed at a
time: along rows, and then, where they lie, along columns.

# i, j = row and column of an entry, c = channel, t = vector of a strip's patches, n = of all
"""

from typing import Any

from backlit_kernels import winograd_four, winograd_two
from backlit_kernels.finish import After, finish, finish_unmarked, store_finished
from backlit_kernels.kernel import helper
from backlit_kernels.lanes import for_lanes
from backlit_kernels.prefetch import prefetch, prefetch_to_write
from backlit_kernels.target import CACHE_LINE
from backlit_kernels.team import share
from backlit_kernels.vector import LANES, load_one
from backlit_kernels.vector import store as store_vector

MATRICES = {2: winograd_two, 4: winograd_four}


@for_lanes
def transform_input(load: Any, store: Any, width: int, m: int) -> Any:
    single = width == 1
    load_line, load_lines = MATRICES[m].load_line, MATRICES[m].load_lines
    store_entries = MATRICES[m].store_entries
    side = m + 2

    def transform_input(
        arena: Any,
        team: Any,
        x: int,
        out: int,
        channels: int,
        plane: int,
        pitch: int,
        pixel: int,
        pixels: int,
        strips: int,
        vectors: int,
        count: int,
        out_strip: int,
        out_channel: int,
        out_entry: int,
    ) -> None:
        """B' d B of the patches of some strips, to ``out[i, j, c, n]``.

        `x` is the corner of the first patch, and `pixels` how many the patches of a strip span;
        `vectors` is how many vectors of patches a strip has: m pixels (or m LANES pixels of a
        single sample) from one to the next. Strips follow one another `out_strip` floats apart,
        each overwriting what the one before wrote too much, `count` vectors in all; what the last
        one writes too much lies before the next channel.
        """
        step = m * LANES if single else m * pixel
        for c in range(*share(team, channels)):
            to = out + c * out_channel
            for strip in range(strips):
                for t in range(vectors):
                    at = x + c * plane + m * strip * pitch + t * step
                    place = to + strip * out_strip + t * LANES
                    for i in range(side):
                        if single:
                            row = load_lines(arena, at + i * pitch, pixels - t * step)
                        else:
                            row = load_line(arena, at + i * pitch, pixel)
                        store_entries(arena, place + i * side * out_entry, out_entry, row)
            for n in range(count):
                for j in range(side):
                    at = to + n * LANES + j * out_entry
                    column = load_line(arena, at, side * out_entry)
                    store_entries(arena, at, side * out_entry, column)

    return transform_input


@helper
def ask_for_rows(arena: Any, at: int, rows: int, pitch: int, length: int, initial: int) -> None:
    """Ask for rows of an output, and of what is added to it."""
    for row in range(at, at + rows * pitch, pitch):
        for i in range(row, row + length, CACHE_LINE):
            prefetch_to_write(arena, i)
            if initial != 0:
                prefetch(arena, i + initial)


@for_lanes
def transform_output(load: Any, store: Any, width: int, m: int) -> Any:
    single = width == 1
    unit = LANES if single else 1  # pixels in a vector
    load_line, outputs = MATRICES[m].load_line, MATRICES[m].outputs
    store_outputs, side_by_side = MATRICES[m].store_outputs, MATRICES[m].side_by_side
    side = m + 2

    @helper
    def put(arena: Any, at: int, left: int, spare: int, value: Any, after: After) -> None:
        """Write a vector of pixels, of which `left` are in the row."""
        if left >= unit:
            store_vector(arena, at, finish(value, arena, at, after))
        elif left > 0:
            store_vector(arena, spare, finish_unmarked(value, arena, at, after))
            for p in range(left):
                store_finished(load_one(arena, spare + p), arena, at + p, after)

    def transform_output(
        arena: Any,
        constants: Any,
        team: Any,
        x: int,
        out: int,
        spare: int,
        bias: int,
        channels: int,
        plane: int,
        pitch: int,
        pixel: int,
        height: int,
        width: int,
        strips: int,
        vectors: int,
        count: int,
        x_strip: int,
        x_channel: int,
        x_entry: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """A' y A, to the m rows of each strip, of which `height` rows and `width` pixels exist.

        `spare` is room for a vector for each channel; the last operands are as in `product`.
        """
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        step = unit * pixel
        rows, length = min(m * strips, height), min(m * unit * vectors, width) * pixel
        for c in range(*share(team, channels)):
            start = x + c * x_channel
            shift = load_one(constants, bias + c)
            room = spare + c * LANES
            ask_for_rows(arena, out + (c + 1) * plane, rows, pitch, length, initial)
            for n in range(count):
                for j in range(side):
                    at = start + n * LANES + j * x_entry
                    column = outputs(load_line(arena, at, side * x_entry))
                    store_outputs(arena, at, side * x_entry, column)
            for strip in range(strips):
                for t in range(vectors):
                    for i in range(min(m, height - m * strip)):
                        at = start + strip * x_strip + t * LANES + i * side * x_entry
                        row = outputs(load_line(arena, at, x_entry))
                        if single:
                            row = side_by_side(row)
                        at = out + c * plane + (m * strip + i) * pitch + t * m * step
                        left = width - t * m * unit
                        put(arena, at, left, room, row[0] + shift, after)
                        at, left = at + step, left - unit
                        put(arena, at, left, room, row[1] + shift, after)
                        if m == 4:
                            at, left = at + step, left - unit
                            put(arena, at, left, room, row[2] + shift, after)
                            at, left = at + step, left - unit
                            put(arena, at, left, room, row[3] + shift, after)

    return transform_output
