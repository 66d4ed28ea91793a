"""Emitting the dense product: one instruction for each tile shape that covers the channels."""

from typing import Any

import numpy as np
from backlit_kernels.product import product, tiling
from backlit_kernels.vector import LANES

from backlit.lowering.context import Lowering
from backlit.tape import Buffer

# Terms of a sum added at a time, so that weights and patches stay in the first-level cache.
PIECE = 64
# Of few channels, each term is read few times; when it comes from far away, a processor fetches it
# ahead only if it reads few rows at a time.
THIN_PIECE, FEW_CHANNELS, FAR = 24, 24, 64 * 1024  # far: floats from pixel to last term
# Fewer positions, or one at a time, use each weight so seldom that pieces do not pay.
LEAST_POSITIONS = 12


def emit_product(
    lowering: Lowering,
    x: Any,
    out: Buffer,
    out_offset: int,
    weights: np.ndarray,
    bias: np.ndarray,
    offsets: np.ndarray,
    shortest: int,
    steps: dict[str, int],
    after: dict[str, Any],
    *,
    aligned: bool,
) -> None:
    """Products of ``weights`` (groups, channels, depth): one instruction for each tile shape.

    `shortest` is the number of positions that a tile may rely on, `aligned` whether they begin at
    whole vectors.
    """
    groups, channels, depth = weights.shape
    bias = bias.reshape(groups, channels)
    adjacent = steps["x_step"] == steps["out_step"] == LANES
    positions = (steps["runs"] - 1) * steps["length"] + steps["last"]
    first = 0
    for rows, columns, blocks in tiling(channels, shortest, aligned):
        part = slice(first, first + rows * blocks)
        cut = groups == 1 and columns > 1 and positions >= LEAST_POSITIONS
        pieces = count_pieces(offsets, rows * blocks) if cut else 1
        tiles = -(-steps["length"] // columns)  # no run is longer
        partial = blocks * tiles * rows * columns * LANES if pieces > 1 else 0
        packed = weights[:, part].reshape(groups, blocks, rows, depth).transpose(0, 1, 3, 2)
        lowering.tape.emit(
            product(rows, columns, adjacent, pieces > 1),
            out=out.at(out_offset + first * steps["out_channel"]),
            x=x,
            weights=lowering.tape.constant(packed),
            bias=lowering.tape.constant(bias[:, part]),
            offsets=offsets,
            depth=depth,
            pieces=pieces,
            partial=lowering.tape.buffer(partial),
            blocks=blocks,
            groups=groups,
            initial=0,
            **{"x_group": 0, "out_group": 0, **steps},
            **after,
        )
        first += rows * blocks


def count_pieces(offsets: np.ndarray, channels: int) -> int:
    """In how many pieces to add up the terms at these offsets, for so many channels."""
    far = offsets.max(initial=0) >= FAR
    thin = far and channels <= FEW_CHANNELS
    return max(1, round(len(offsets) / (THIN_PIECE if thin else PIECE)))
