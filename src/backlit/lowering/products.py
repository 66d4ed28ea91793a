"""Emitting the dense product: one instruction for each tile shape that covers the channels."""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from backlit_kernels.product import PARTIALS, product
from backlit_kernels.tiling import tiling
from backlit_kernels.vector import LANES, NOWHERE

from backlit.instructions import Buffer, ByChannel, Place
from backlit.lowering.context import Lowering
from backlit.lowering.fusing import Finish

# Terms of a sum added at a time. Pieces of twice the length round off more, and where few channels
# are written from many read far apart, a processor no longer fetches so many rows ahead.
PIECE = 48
# Fewer positions, or one at a time, use each weight so seldom that taking pieces in turn does not
# pay. Half as many do where a tile's patches are more than the first-level cache holds.
LEAST_POSITIONS = 12
FIRST_LEVEL = 8192  # floats


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

    def __init__(
        self,
        lowering: Lowering,
        source: np.ndarray,
        bias: np.ndarray | None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.constants = lowering.tape.constants
        self.source = source
        self.shape = source.shape if shape is None else shape
        self.bias = None if bias is None else bias.reshape(self.shape[:2])

    @cached_property
    def weights(self) -> np.ndarray:
        """What is packed, made from the source only if it was not packed before."""
        return self.source

    def packed(self, shapes: tuple[tuple[int, int, int], ...]) -> list[Packed]:
        """Parts for tile shapes (rows, columns, blocks) that cover the channels together."""
        parts, first = [], 0
        for rows, columns, blocks in shapes:
            recipe = type(self), self.shape, rows, first, blocks
            make = partial(self._tiles, rows, first, blocks)
            weights = self.constants.derived(self.source, recipe, make)
            bias = NOWHERE
            if self.bias is not None:
                bias = self.constants.place(self.bias[:, first : first + rows * blocks])
            parts.append(Packed(rows, columns, blocks, weights, bias))
            first += rows * blocks
        return parts

    def _tiles(self, rows: int, first: int, blocks: int) -> np.ndarray:
        groups, _, depth = self.shape
        part = self.weights[:, first : first + rows * blocks]
        return part.reshape(groups, blocks, rows, depth).transpose(0, 1, 3, 2)


@dataclass(frozen=True)
class Positions:
    """Runs of positions; distances in floats between runs, positions, channels and groups.

    They are operands: see `backlit_kernels.product`.
    """

    runs: int
    length: int
    last: int
    x_step: int
    out_step: int
    out_channel: int
    x_run: int = 0
    out_run: int = 0
    x_group: int = 0
    out_group: int = 0

    @classmethod
    def in_one_run(
        cls, vectors: int, *, out_channel: int, x_group: int = 0, out_group: int = 0
    ) -> "Positions":
        """Neighbouring vectors."""
        return cls(1, vectors, vectors, LANES, LANES, out_channel, 0, 0, x_group, out_group)

    @property
    def count(self) -> int:
        return (self.runs - 1) * self.length + self.last

    @property
    def shortest(self) -> int:
        """As many as a tile may rely on."""
        return min(self.length, self.last)

    @property
    def longest(self) -> int:
        return max(self.length, self.last)

    @property
    def adjacent(self) -> bool:
        """Whether neighbouring positions are neighbours in memory, input and output."""
        return self.x_step == self.out_step == LANES


def emit_product(
    lowering: Lowering,
    x: Place,
    out: Place,
    weights: Weights,
    offsets: np.ndarray,
    positions: Positions,
    finish: Finish,
    *,
    aligned: bool,
    terms: Buffer | None = None,
) -> None:
    """Products: one instruction for each tile shape.

    `aligned` says whether positions begin at whole vectors; `terms` is a list of the terms to add.
    """
    groups, channels, depth = weights.shape
    pieces = count_pieces(depth)
    first = 0
    for part in weights.packed(tiling(channels, positions.shortest, aligned)):
        fits = depth * part.columns * LANES <= FIRST_LEVEL
        some = positions.count >= (LEAST_POSITIONS if fits else LEAST_POSITIONS // 2)
        in_turn = pieces > 1 and groups == 1 and part.columns > 1 and some
        tiles = -(-positions.longest // part.columns)
        steps = {"out": positions.out_channel, "weights": depth}
        if part.bias != NOWHERE:
            steps["bias"] = 1
        alone = ByChannel(part.channels, "blocks", steps, unit=part.rows, mixes=True)
        partial = PARTIALS * part.channels * tiles * part.columns * LANES if in_turn else 0
        lowering.tape.emit(
            product(part.rows, part.columns, positions.adjacent, in_turn, terms is not None),
            alone if groups == 1 else None,
            out=out.at(first * positions.out_channel),
            x=x,
            weights=part.weights,
            bias=part.bias,
            offsets=offsets,
            terms=NOWHERE if terms is None else terms,
            depth=depth,
            pieces=pieces,
            partial=lowering.tape.buffer(partial),
            blocks=part.blocks,
            groups=groups,
            **vars(positions),
            **vars(finish),
        )
        first += part.channels


def count_pieces(depth: int) -> int:
    """In how many pieces to add up so many terms, whatever the number of lanes."""
    return max(1, round(depth / PIECE))
