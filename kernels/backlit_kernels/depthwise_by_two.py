"""Depthwise convolutions of single samples with a stride of two, forward and backward.

Every other pixel of a row is a shuffle of two vectors: no phases of the image are written. How many
weights there are is known to the compiler, which writes the sums out.
"""

from functools import cache
from typing import Any

from backlit_kernels.finish import finish
from backlit_kernels.kernel import Kernel, helper
from backlit_kernels.team import share
from backlit_kernels.vector import (
    LANES,
    evens,
    fma,
    interleave_high,
    interleave_low,
    load,
    load_one,
    odds,
    splat,
    store,
)


@cache
def depthwise_by_two(rows: int, columns: int) -> Kernel:
    """Windows of `rows` x `columns`."""

    def depthwise_by_two(
        arena: Any,
        constants: Any,
        team: Any,
        out: int,
        x: int,
        weights: int,
        bias: int,
        channels: int,
        height: int,
        width: int,
        x_channel: int,
        x_row: int,
        out_channel: int,
        out_row: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """Compute `height` x `width` outputs of each channel.

        Parameters
        ----------
        x
            Where the first window begins.
        weights, bias
            Where they lie in the constants: ``(channels, rows, columns)`` and ``(channels,)``.
        x_channel, x_row, out_channel, out_row
            From a channel to the next, and from a row.
        initial, rectify, mark, mask, ceiling
            As in `backlit_kernels.product`. Writes whole vectors, as `backlit_kernels.phases`.
        """
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        for c in range(*share(team, channels)):
            w = weights + c * rows * columns
            for y in range(height):
                source = x + c * x_channel + 2 * y * x_row
                target = out + c * out_channel + y * out_row
                for i in range(0, width, LANES):
                    total = splat(0.0)
                    for r in range(rows):
                        for j in range(0, columns, 2):
                            at, k = source + r * x_row + 2 * i + j, w + r * columns + j
                            a, b = load(arena, at), load(arena, at + LANES)
                            total = fma(load_one(constants, k), evens(a, b), total)
                            if j + 1 < columns:
                                total = fma(load_one(constants, k + 1), odds(a, b), total)
                    total = total + load_one(constants, bias + c)
                    store(arena, target + i, finish(total, arena, target + i, after))

    return Kernel(depthwise_by_two, f"depthwise_by_two_{rows}x{columns}")


@cache
def depthwise_by_two_back(counts: tuple[int, int, int, int]) -> Kernel:
    """With so many weights in each phase: even rows and columns, even and odd ones, and so on."""
    ee, eo, oe, oo = counts

    @helper
    def row(
        arena: Any, constants: Any, table: Any, g: int, out: int, width: int, w: int, offsets: int,
        even: int, odd: int, bias: Any, after: Any,
    ) -> None:  # fmt: skip
        """A row of the input's gradient, of so many weights for its even and odd columns."""
        for i in range(0, width, 2 * LANES):
            left, right = splat(0.0), splat(0.0)
            for k in range(even):
                value = load(arena, g + i // 2 + table[offsets + k])
                left = fma(load_one(constants, w + k), value, left)
            for k in range(even, even + odd):
                value = load(arena, g + i // 2 + table[offsets + k])
                right = fma(load_one(constants, w + k), value, right)
            left, right = left + bias, right + bias
            low, high = interleave_low(left, right), interleave_high(left, right)
            store(arena, out + i, finish(low, arena, out + i, after))
            at = out + i + LANES
            store(arena, at, finish(high, arena, at, after))

    def depthwise_by_two_back(
        arena: Any,
        constants: Any,
        table: Any,
        team: Any,
        out: int,
        g: int,
        weights: int,
        bias: int,
        offsets: int,
        channels: int,
        height: int,
        width: int,
        g_channel: int,
        g_row: int,
        out_channel: int,
        out_row: int,
        initial: int,
        rectify: int,
        mark: int,
        mask: int,
        ceiling: int,
    ) -> None:
        """The gradient of the input, `height` x `width`, from that of the output, `g`.

        Parameters
        ----------
        weights, bias
            Where they lie in the constants: ``(channels, depth)``, phase by phase, and
            ``(channels,)``.
        offsets
            Where in the table lies, for each weight, how far its entry of `g` is.
        g_channel, g_row, out_channel, out_row
            From a channel to the next, and from a row.
        initial, rectify, mark, mask, ceiling
            As in `backlit_kernels.product`. Writes whole vectors, as `backlit_kernels.phases`.
        """
        after = initial, rectify, mark, mask, load_one(constants, ceiling)
        for c in range(*share(team, channels)):
            w, b = weights + c * (ee + eo + oe + oo), load_one(constants, bias + c)
            for y in range(0, height, 2):
                source = g + c * g_channel + y // 2 * g_row
                target = out + c * out_channel + y * out_row
                row(arena, constants, table, source, target, width, w, offsets, ee, eo, b, after)
                if y + 1 < height:
                    w_odd, target = w + ee + eo, target + out_row
                    row(
                        arena, constants, table, source, target, width, w_odd, offsets + ee + eo,
                        oe, oo, b, after,
                    )  # fmt: skip

    name = "depthwise_by_two_back_" + "_".join(map(str, counts))
    return Kernel(depthwise_by_two_back, name)
