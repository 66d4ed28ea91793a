"""Emitting the dense product: one instruction for each tile shape that covers the channels."""

from typing import Any

import numpy as np
from backlit_kernels.product import product, tiling
from backlit_kernels.vector import LANES

from backlit.lowering.context import Lowering
from backlit.tape import Buffer


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
    first = 0
    for rows, columns, blocks in tiling(channels, shortest, aligned):
        part = slice(first, first + rows * blocks)
        packed = weights[:, part].reshape(groups, blocks, rows, depth).transpose(0, 1, 3, 2)
        lowering.tape.emit(
            product(rows, columns, steps["x_step"] == steps["out_step"] == LANES),
            out=out.at(out_offset + first * steps["out_channel"]),
            x=x,
            weights=lowering.tape.constant(packed),
            bias=lowering.tape.constant(bias[:, part]),
            offsets=offsets,
            depth=depth,
            blocks=blocks,
            groups=groups,
            initial=0,
            **{"x_group": 0, "out_group": 0, **steps},
            **after,
        )
        first += rows * blocks
