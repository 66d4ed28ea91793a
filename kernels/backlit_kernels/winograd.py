"""Winograd's F(mxm, 3x3): a 3x3 convolution with fewer products, for m = 2 or 4.

Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for
convolutional neural networks", 2016. For each patch d of m + 2 by m + 2 inputs and each 3x3 filter
g, the m by m outputs are

    A' ((G g G') * (B' d B)) A,    * entry by entry, added up over input channels

with the matrices of `winograd_two` and `winograd_four`. The sum over channels is the product
kernel, once for each entry. The patches of a few strips (of m rows of outputs) are transformed at a
time; here those of tiles of samples, each patch in registers. For single samples see
`winograd_single`.

# i, j = row and column of an entry, c = channel, n = vector of patches
"""

from functools import cache
from typing import Any

from backlit_kernels import winograd_four, winograd_two
from backlit_kernels.finish import After, finish, put_row
from backlit_kernels.kernel import Kernel, helper, pasted
from backlit_kernels.prefetch import prefetch, prefetch_to_write
from backlit_kernels.target import CACHE_LINE
from backlit_kernels.team import share
from backlit_kernels.vector import LANES, NOWHERE, load_one, store

LINE_BYTES = 4 * CACHE_LINE
MATRICES = {2: winograd_two, 4: winograd_four}


@cache
def transform_input(m: int) -> Kernel:
    store_patch = MATRICES[m].store_patch

    def transform_input(
        arena: Any,
        team: Any,
        x: int,
        out: int,
        channels: int,
        plane: int,
        pitch: int,
        strips: int,
        vectors: int,
        out_strip: int,
        out_channel: int,
        out_entry: int,
    ) -> None:
        """B' d B of the patches of some strips, to ``out[i, j, c, n]``.

        `x` is the corner of the first patch; `vectors` is how many patches a strip has. Strips
        follow one another `out_strip` floats apart.
        """
        for c in range(*share(team, channels)):
            for strip in range(strips):
                for t in range(vectors):
                    at = x + c * plane + m * (strip * pitch + t * LANES)
                    to = out + c * out_channel + strip * out_strip + t * LANES
                    store_patch(arena, at, pitch, to, out_entry)

    return Kernel(transform_input, f"winograd_transform_input_{m}")


@helper
def ask_for_rows(arena: Any, at: int, rows: int, pitch: int, length: int, after: After) -> None:
    """Ask for rows of an output, of what is added to it, and of marks, a byte for each float.

    Marks come first, and what is written last: only so many lines can be on their way at a time,
    and of what is read each is waited for.
    """
    initial, _, mark, mask, _ = after
    end = at + rows * pitch
    for row in range(at, end, pitch):
        if mask != NOWHERE:
            for byte in range((row + mask) & -LINE_BYTES, row + mask + length, LINE_BYTES):
                prefetch(arena, byte >> 2)
        if mark != NOWHERE:
            for byte in range((row + mark) & -LINE_BYTES, row + mark + length, LINE_BYTES):
                prefetch_to_write(arena, byte >> 2)
    if initial != 0:
        for row in range(at + initial, end + initial, pitch):
            for i in range(row, row + length, CACHE_LINE):
                prefetch(arena, i)
    for row in range(at, end, pitch):
        for i in range(row, row + length, CACHE_LINE):
            prefetch_to_write(arena, i)


@helper
def no_ceiling(constants: Any, at: int) -> None:
    """In place of the ceiling that lies in the constants."""


@cache
def transform_output(m: int, clips: bool) -> Kernel:
    """`clips` says whether outputs have a ceiling: comparing takes the units that multiply."""
    put_patch, ceiling_at = _put_patch(m), load_one if clips else no_ceiling

    def transform_output(
        arena: Any,
        constants: Any,
        team: Any,
        x: int,
        out: int,
        bias: int,
        channels: int,
        plane: int,
        pitch: int,
        height: int,
        width: int,
        strips: int,
        vectors: int,
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

        The last operands are as in `product`.
        """
        after = initial, rectify, mark, mask, ceiling_at(constants, ceiling)
        tall, length = min(m * strips, height), min(m * vectors, width) * LANES
        for c in range(*share(team, channels)):
            shift = load_one(constants, bias + c)
            ask_for_rows(arena, out + (c + 1) * plane, tall, pitch, length, after)
            for strip in range(strips):
                below = height - m * strip
                for t in range(vectors):
                    left = width - m * t
                    at = out + c * plane + m * (strip * pitch + t * LANES)
                    n = x + c * x_channel + strip * x_strip + t * LANES
                    put_patch(arena, at, pitch, below, left, n, x_entry, shift, after)

    name = f"winograd_transform_output_{m}"
    return Kernel(transform_output, f"{name}_clipped" if clips else name)


def _put_patch(m: int) -> Any:
    first_rows, last_rows = MATRICES[m].TWO_ROWS[0], MATRICES[m].TWO_ROWS[-1]
    apart = m // 2  # from one of two rows to the other

    @helper
    def put_some(arena: Any, at: int, left: int, y: Any, shift: Any, after: After) -> None:
        """Write a row of outputs of which only `left` are in the image."""
        store(arena, at, finish(y[0] + shift, arena, at, after))
        if m == 4:
            if left > 1:
                at += LANES
                store(arena, at, finish(y[1] + shift, arena, at, after))
            if left > 2:
                at += LANES
                store(arena, at, finish(y[2] + shift, arena, at, after))

    @pasted
    def put(arena: Any, at: int, left: int, y: Any, shift: Any, after: After) -> None:
        if left >= m:
            put_row(arena, at, y, shift, after)
        else:
            put_some(arena, at, left, y, shift, after)

    # A function of its own, too long to be pasted: in the loops LLVM would keep each of its
    # addresses up to date, in more registers than there are.
    @helper
    def put_patch(
        arena: Any,
        at: int,
        pitch: int,
        below: int,
        left: int,
        x: int,
        step: int,
        shift: Any,
        after: After,
    ) -> None:
        """The outputs of the patch at `x`, of which `below` rows and `left` pixels exist."""
        rows = first_rows(arena, x, step)
        put(arena, at, left, rows[0], shift, after)
        if below > apart:
            put(arena, at + apart * pitch, left, rows[1], shift, after)
        if m == 4:
            rows = last_rows(arena, x, step)
            if below > 1:
                put(arena, at + pitch, left, rows[0], shift, after)
            if below > 3:
                put(arena, at + 3 * pitch, left, rows[1], shift, after)

    return put_patch
