"""Emitting the dense product: one instruction for each tile shape that covers the channels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels.product import PARTIALS, product, tiling
from backlit_kernels.vector import LANES

from backlit.lowering.context import Lowering
from backlit.tape import Buffer

# Terms of a sum added at a time. Pieces of twice the length round off more, and where few channels
# are written from many read far apart, a processor no longer fetches so many rows ahead.
PIECE = 48
# Fewer positions, or one at a time, use each weight so seldom that taking pieces in turn does not
# pay.
LEAST_POSITIONS = 12


@dataclass(frozen=True)
class Packed:
    """The weights of some of a product's channels, as a register tile of this shape reads them."""

    rows: int
    columns: int
    blocks: int
    weights: int
    bias: int

    @property
    def channels(self) -> int:
        return self.rows * self.blocks


class Weights:
    """Weights (groups, channels, depth) and a bias of a product, packed when first used."""

    def __init__(self, lowering: Lowering, weights: np.ndarray, bias: np.ndarray) -> None:
        self.tape = lowering.tape
        self.weights = weights
        self.bias = bias.reshape(weights.shape[:2])
        self._packed: dict[tuple[tuple[int, int, int], ...], list[Packed]] = {}

    def packed(self, shapes: tuple[tuple[int, int, int], ...]) -> list[Packed]:
        """Parts for tile shapes (rows, columns, blocks) that cover the channels together."""
        groups, _, depth = self.weights.shape
        if shapes not in self._packed:
            parts, first = [], 0
            for rows, columns, blocks in shapes:
                part = slice(first, first + rows * blocks)
                tiles = self.weights[:, part].reshape(groups, blocks, rows, depth)
                tiles = tiles.transpose(0, 1, 3, 2)
                places = self.tape.constant(tiles), self.tape.constant(self.bias[:, part])
                parts.append(Packed(rows, columns, blocks, *places))
                first += rows * blocks
            self._packed[shapes] = parts
        return self._packed[shapes]


def emit_product(
    lowering: Lowering,
    x: Any,
    out: Buffer,
    out_offset: int,
    weights: Weights,
    offsets: np.ndarray,
    shortest: int,
    steps: dict[str, int],
    after: dict[str, Any],
    *,
    aligned: bool,
) -> None:
    """Products: one instruction for each tile shape.

    `shortest` is the number of positions that a tile may rely on, `aligned` whether they begin at
    whole vectors.
    """
    groups, channels, depth = weights.weights.shape
    pieces = count_pieces(depth)
    adjacent = steps["x_step"] == steps["out_step"] == LANES
    positions = (steps["runs"] - 1) * steps["length"] + steps["last"]
    first = 0
    for part in weights.packed(tiling(channels, shortest, aligned)):
        some = part.columns > 1 and positions >= LEAST_POSITIONS
        in_turn = pieces > 1 and groups == 1 and some
        tiles = -(-steps["length"] // part.columns)  # no run is longer
        partial = PARTIALS * part.channels * tiles * part.columns * LANES if in_turn else 0
        lowering.tape.emit(
            product(part.rows, part.columns, adjacent, in_turn),
            out=out.at(out_offset + first * steps["out_channel"]),
            x=x,
            weights=part.weights,
            bias=part.bias,
            offsets=offsets,
            depth=depth,
            pieces=pieces,
            partial=lowering.tape.buffer(partial),
            blocks=part.blocks,
            groups=groups,
            **{"x_group": 0, "out_group": 0, **steps},
            **after,
        )
        first += part.channels


def count_pieces(depth: int) -> int:
    """In how many pieces to add up so many terms, whatever the number of lanes."""
    return max(1, round(depth / PIECE))
