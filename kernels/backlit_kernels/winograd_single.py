"""Winograd's transforms for single samples, whose patches lie in lanes: see `winograd`.

A vector holds the same entry of neighbouring patches, which rows are sorted into as they are read.
Patches are transformed along rows, and then, where they lie, along columns.

# i, j = row and column of an entry, c = channel, t = vector of a strip's patches, n = of all
"""

from functools import cache
from typing import Any

from backlit_kernels.finish import After, finish, finish_unmarked, store_finished
from backlit_kernels.kernel import Kernel, helper
from backlit_kernels.team import share
from backlit_kernels.vector import LANES, load_one, store
from backlit_kernels.winograd import MATRICES, ask_for_rows


@cache
def transform_input(m: int) -> Kernel:
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
        `vectors` is how many vectors of patches a strip has: m LANES pixels from one to the next.
        Strips follow one another `out_strip` floats apart, each overwriting what the one before
        wrote too much, `count` vectors in all; what the last one writes too much lies before the
        next channel.
        """
        step = m * LANES
        for c in range(*share(team, channels)):
            to = out + c * out_channel
            for strip in range(strips):
                for t in range(vectors):
                    at = x + c * plane + m * strip * pitch + t * step
                    place = to + strip * out_strip + t * LANES
                    for i in range(side):
                        row = load_lines(arena, at + i * pitch, pixels - t * step)
                        store_entries(arena, place + i * side * out_entry, out_entry, row)
            for n in range(count):
                for j in range(side):
                    at = to + n * LANES + j * out_entry
                    column = load_line(arena, at, side * out_entry)
                    store_entries(arena, at, side * out_entry, column)

    return Kernel(transform_input, f"winograd_transform_input_{m}_single")


@cache
def transform_output(m: int) -> Kernel:
    load_line, outputs = MATRICES[m].load_line, MATRICES[m].outputs
    store_outputs, side_by_side = MATRICES[m].store_outputs, MATRICES[m].side_by_side
    side = m + 2

    @helper
    def put(arena: Any, at: int, left: int, spare: int, value: Any, after: After) -> None:
        """Write a vector of pixels, of which `left` are in the row."""
        if left >= LANES:
            store(arena, at, finish(value, arena, at, after))
        elif left > 0:
            store(arena, spare, finish_unmarked(value, arena, at, after))
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
        rows, length = min(m * strips, height), min(m * LANES * vectors, width)
        for c in range(*share(team, channels)):
            start = x + c * x_channel
            shift = load_one(constants, bias + c)
            room = spare + c * LANES
            ask_for_rows(arena, out + (c + 1) * plane, rows, pitch, length, after)
            for n in range(count):
                for j in range(side):
                    at = start + n * LANES + j * x_entry
                    column = outputs(load_line(arena, at, side * x_entry))
                    store_outputs(arena, at, side * x_entry, column)
            for strip in range(strips):
                for t in range(vectors):
                    for i in range(min(m, height - m * strip)):
                        at = start + strip * x_strip + t * LANES + i * side * x_entry
                        row = side_by_side(outputs(load_line(arena, at, x_entry)))
                        at = out + c * plane + (m * strip + i) * pitch + t * m * LANES
                        left = width - t * m * LANES
                        put(arena, at, left, room, row[0] + shift, after)
                        at, left = at + LANES, left - LANES
                        put(arena, at, left, room, row[1] + shift, after)
                        if m == 4:
                            at, left = at + LANES, left - LANES
                            put(arena, at, left, room, row[2] + shift, after)
                            at, left = at + LANES, left - LANES
                            put(arena, at, left, room, row[3] + shift, after)

    return Kernel(transform_output, f"winograd_transform_output_{m}_single")
