"""Winograd's method by strips of patches: see `backlit_kernels.winograd`.

As many patches as the cache holds are transformed, multiplied, and transformed back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from backlit_kernels import winograd, winograd_single
from backlit_kernels.finish import CLIP
from backlit_kernels.target import CACHE_LINE
from backlit_kernels.vector import LANES

from backlit.instructions import Buffer
from backlit.layers import Conv2D
from backlit.layout import Layout, round_up
from backlit.lowering.context import Lowering
from backlit.lowering.fusing import Finish, plain_finish
from backlit.lowering.products import Positions, emit_product
from backlit.lowering.winograd_filters import Convolution, Filters

# Transformed patches of the input at hand: beyond as many bytes as the weights take, within these
# bounds, a strip is cut in pieces. Small pieces stay in the cache, but each reads all weights anew,
# the more often the fewer lanes there are.
LEAST_BYTES, MOST_BYTES = 3 * 1024 * 1024 // LANES, 8 * 1024 * 1024

Follow = Callable[[int], None]


@dataclass(frozen=True)
class Piece:
    """Patches that are transformed at a time: `vectors` of them of each of some strips."""

    row: int  # of the first output
    column: int
    strips: int
    vectors: int
    count: int  # vectors in all
    strip: int  # floats from a strip's patches to the next strip's
    channel: int  # from a channel's to the next one's
    ends_strips: bool

    def entry(self, channels: int) -> int:
        """From an entry of the patches of so many channels to the next."""
        return odd_lines(channels * self.channel)


def strip_layout(lowering: Lowering, layer: Conv2D, m: int, whole: Layout) -> Layout:
    """The layout of what `emit_strips` makes of an output at a time."""
    channels, height, width = whole.image
    together, _ = cut_patches(lowering.lanes, m, layer.weights, (height, width))
    return Layout((channels, m * together, width), lowering.lanes)


def cut_patches(lanes: int, m: int, filters: np.ndarray, size: tuple[int, ...]) -> tuple[int, int]:
    """How many strips are transformed at a time, and how many vectors of each one's patches."""
    rows, across = (-(-pixels // m) for pixels in size)
    entries, inputs = (m + 2) ** 2, filters.shape[1]
    patches = -(-across * lanes // LANES)
    piece_bytes = int(np.clip(4 * entries * filters[:, :, 0, 0].size, LEAST_BYTES, MOST_BYTES))
    room = max(piece_bytes // (entries * inputs * LANES * 4), 1)
    pieces = -(-patches // room)
    together = max(1, min(rows, room // patches)) if pieces == 1 else 1
    return together, -(-patches // pieces)


def cut_pieces(lanes: int, m: int, convolution: Convolution) -> Iterator[Piece]:
    """All patches, piece by piece."""
    rows, across = (-(-pixels // m) for pixels in convolution.size)
    strip = across * lanes
    patches = -(-strip // LANES)  # vectors of a strip
    together, length = cut_patches(lanes, m, convolution.filters, convolution.size)
    for first_row, first in product(range(0, rows, together), range(0, patches, length)):
        strips = min(together, rows - first_row)
        vectors = min(length, patches - first)
        before_last = (strips - 1) * strip
        yield Piece(
            row=m * first_row,
            column=LANES // lanes * m * first,
            strips=strips,
            vectors=vectors,
            count=-(-(before_last + min(vectors * LANES, strip - first * LANES)) // LANES),
            strip=strip,
            channel=round_up(before_last + vectors * LANES, LANES),
            ends_strips=first + vectors == patches,
        )


def emit_strips(
    lowering: Lowering,
    convolution: Convolution,
    m: int,
    finish: Finish,
    follow: Follow | None = None,
) -> None:
    """A convolution by patches with m x m outputs.

    When some rows are done, `follow` is told how many there are by now. The target may have room
    for what is made at a time only (`strip_layout`): what is made next then takes the place.
    """
    outputs, inputs = convolution.filters.shape[:2]
    entries, weights = (m + 2) ** 2, Filters(lowering, convolution.filters, m)
    spare = lowering.tape.buffer(outputs * LANES) if lowering.lanes == 1 else None
    for piece in cut_pieces(lowering.lanes, m, convolution):
        before = lowering.tape.buffer(entries * piece.entry(inputs))
        behind = lowering.tape.buffer(entries * piece.entry(outputs))
        transform_in(lowering, convolution, m, piece, before)
        multiply(lowering, weights, piece, before, behind)
        transform_out(lowering, convolution, m, piece, behind, spare, finish)
        if follow is not None and piece.ends_strips:
            follow(min(piece.row + m * piece.strips, convolution.size[0]))


def transform_in(
    lowering: Lowering, convolution: Convolution, m: int, piece: Piece, out: Buffer
) -> None:
    """A piece's patches of the input, entry by entry."""
    inputs, layout = convolution.filters.shape[1], convolution.x.layout
    kernel, more = winograd.transform_input(m), dict[str, Any]()
    if lowering.lanes == 1:
        pixels = m * -(-convolution.size[1] // m) + 2 - piece.column
        kernel, more = winograd_single.transform_input(m), {"pixels": pixels, "count": piece.count}
    lowering.tape.emit(
        kernel,
        x=convolution.corner(piece.row, piece.column),
        out=out,
        channels=inputs,
        plane=layout.plane,
        pitch=layout.pitch,
        out_strip=piece.strip,
        out_channel=piece.channel,
        out_entry=piece.entry(inputs),
        strips=piece.strips,
        vectors=piece.vectors,
        **more,
    )


def multiply(lowering: Lowering, weights: Filters, piece: Piece, x: Buffer, out: Buffer) -> None:
    """A product for each entry."""
    _, outputs, inputs = weights.shape
    emit_product(
        lowering,
        x.at(0),
        out.at(0),
        weights,
        np.arange(inputs) * piece.channel,
        Positions.in_one_run(
            piece.count,
            out_channel=piece.channel,
            x_group=piece.entry(inputs),
            out_group=piece.entry(outputs),
        ),
        plain_finish(lowering),
        aligned=True,
    )


def transform_out(
    lowering: Lowering,
    convolution: Convolution,
    m: int,
    piece: Piece,
    x: Buffer,
    spare: Buffer | None,
    finish: Finish,
) -> None:
    """A piece's outputs, from the entries of their patches."""
    outputs, layout = len(convolution.filters), convolution.out.layout
    height, width = convolution.size
    kernel, more = winograd.transform_output(m, finish.rectify == CLIP), dict[str, Any]()
    if spare is not None:
        kernel, more = winograd_single.transform_output(m), {"spare": spare, "count": piece.count}
    lowering.tape.emit(
        kernel,
        x=x,
        out=convolution.out.at(piece.row % layout.image[1], piece.column),
        bias=lowering.tape.constants.place(convolution.bias),
        channels=outputs,
        plane=layout.plane,
        pitch=layout.pitch,
        height=height - piece.row,
        width=width - piece.column,
        x_strip=piece.strip,
        x_channel=piece.channel,
        x_entry=piece.entry(outputs),
        strips=piece.strips,
        vectors=piece.vectors,
        **more,
        **vars(finish),
    )


def odd_lines(size: int) -> int:
    """A size rounded up to an odd number of cache lines.

    The entries of a patch would otherwise often fall into one set of the cache.
    """
    lines = -(-size // CACHE_LINE)
    return (lines | 1) * CACHE_LINE
