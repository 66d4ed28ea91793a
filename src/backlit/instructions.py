"""Instructions of a tape, and what their operands may be: places and distances in the arena."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from backlit_kernels.kernel import Kernel


@dataclass(eq=False)
class Buffer:
    """A piece of the arena; where it lies is known once the tape is linked."""

    size: int
    start: int = -1

    def at(self, offset: int) -> "Place":
        return Place(self, offset)


@dataclass(frozen=True)
class Place:
    """A position in a buffer, in floats."""

    buffer: Buffer
    offset: int = 0

    def at(self, offset: int) -> "Place":
        return Place(self.buffer, self.offset + offset)


@dataclass(frozen=True)
class Distance:
    """How far one buffer lies from another, in floats."""

    start: Buffer
    end: Buffer


@dataclass(frozen=True)
class Marks:
    """Where a buffer's marks lie, a byte for each float: the distance from the number of a float.

    Marks are written only if some instruction reads them (`read`).
    """

    of: Buffer
    marks: Buffer
    read: bool = True
    shift: int = 0  # of the first mark, in bytes


Spot = Buffer | Place | Distance
Operand = int | Spot | Marks | np.ndarray | tuple[Spot, ...]


@dataclass(frozen=True)
class ByChannel:
    """How some of an instruction's channels are computed alone.

    `steps` says how far the operands are moved from a channel to the next, and `count` which one
    grows with their number. A kernel that `mixes` reads all channels of its input for each of its
    output; others read the same channel alone.
    """

    channels: int
    count: str
    steps: dict[str, int]
    unit: int = 1  # channels are computed so many at a time
    mixes: bool = False


@dataclass(frozen=True)
class Instruction:
    """A kernel and its operands, in the order of its parameters."""

    kernel: Kernel
    operands: tuple[Operand, ...]
    by_channel: ByChannel | None = None

    def buffers(self) -> list[Buffer]:
        found = []
        for given in self.operands:
            for operand in given if isinstance(given, tuple) else (given,):
                if isinstance(operand, Buffer):
                    found.append(operand)
                elif isinstance(operand, Place):
                    found.append(operand.buffer)
                elif isinstance(operand, Distance):
                    found += [operand.start, operand.end]
                elif isinstance(operand, Marks):
                    found += [operand.of, operand.marks]
        return found

    @property
    def written(self) -> Place:
        """Where it begins to write."""
        names = self.kernel.operands
        operand = self.operands[names.index("out" if "out" in names else "x")]
        assert isinstance(operand, Place | Buffer)
        return operand.at(0)

    def some(
        self, first: int, channels: int, pieces: Mapping[Buffer, Buffer], begin: int
    ) -> "Instruction":
        """Some channels alone.

        Of the buffers that have `pieces`, these hold the channels from `begin` on.
        """
        assert self.by_channel is not None
        by, moved = self.by_channel, list[Operand]()
        for name, operand in zip(self.kernel.operands, self.operands, strict=True):
            step = by.steps.get(name, 0)
            place = operand.at(0) if isinstance(operand, Buffer) else operand
            if isinstance(place, Place):
                piece, before = pieces.get(place.buffer), 0
                if piece is not None:
                    place, before = Place(piece, place.offset), begin
                moved.append(place.at((first - before) * step))
            elif isinstance(operand, Marks) and operand.of in pieces:
                shift = begin * by.steps["out"]
                moved.append(replace(operand, of=pieces[operand.of], shift=shift))
            elif name == by.count and isinstance(operand, int):
                moved.append(operand * channels // by.channels)
            else:
                moved.append(operand + first * step if isinstance(operand, int) else operand)
        return replace(self, operands=tuple(moved), by_channel=None)
