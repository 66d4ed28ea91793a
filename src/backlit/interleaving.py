"""Separable convolutions take what is made for them while it is still in the cache.

A network of separable convolutions widens an image sixfold, takes a window of each channel, and
narrows it again. The wide image is larger than the cache: written and read as a whole it goes to
memory and back. Each channel of a window needs its own only. So some channels are made, and all is
done to them that needs no others, before the next are: what lies between stays in the cache, and
takes no more of the arena than those few.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

from backlit.instructions import Buffer, ByChannel, Distance, Instruction, Place

NEAR_CACHE = 512 * 1024  # bytes that it holds
MOST_AT_HAND = NEAR_CACHE // 2  # of the image that is made


@dataclass(frozen=True)
class Chain:
    """Instructions that make an image, and those that then do something to each channel alone."""

    makers: list[Instruction]
    users: list[Instruction]

    @property
    def instructions(self) -> list[Instruction]:
        return [*self.makers, *self.users]

    @property
    def plane(self) -> int:
        return by_channel(self.makers[0]).steps["out"]

    def blocks(self) -> list[tuple[int, int]]:
        """Channels to be at hand together: the first of them, and how many."""
        found, first, count = list[tuple[int, int]](), 0, 0
        for maker in self.makers:
            by = by_channel(maker)
            for _ in range(by.channels // by.unit):
                if count > 0 and 4 * (count + by.unit) * self.plane > MOST_AT_HAND:
                    found.append((first, count))
                    first, count = first + count, 0
                count += by.unit
        return [*found, (first, count)]


def interleave(
    instructions: list[Instruction],
    uses: Mapping[Buffer, int],
    new_buffer: Callable[[int], Buffer],
) -> list[Instruction]:
    """A section's instructions, those of large images in turns for some channels after others.

    `uses` says how many instructions of all sections use a buffer.
    """
    result, at = list[Instruction](), 0
    while at < len(instructions):
        chain = find_chain(instructions, at)
        if chain is None:
            result.append(instructions[at])
            at += 1
        else:
            result += in_turns(chain, uses, new_buffer)
            at += len(chain.instructions)
    return result


def find_chain(instructions: list[Instruction], at: int) -> Chain | None:
    """The chain that begins with the instruction there, if that makes a large image."""
    makers: list[Instruction] = []
    channels, end = 0, None
    for instruction in islice(instructions, at, None):
        by = instruction.by_channel
        if by is None or not by.mixes or end not in (None, instruction.written):
            break
        end = instruction.written.at(by.channels * by.steps["out"])
        channels += by.channels
        makers.append(instruction)
    if not makers or 4 * channels * by_channel(makers[0]).steps["out"] <= NEAR_CACHE:
        return None
    planes = {makers[0].written.buffer: by_channel(makers[0]).steps["out"]}  # of what is made
    taken = {buffer for maker in makers for buffer in maker.buffers()}
    users: list[Instruction] = []
    for instruction in islice(instructions, at + len(makers), None):
        by = instruction.by_channel
        if by is None or by.mixes or by.channels != channels or not in_step(instruction, planes):
            break
        out = instruction.written.buffer
        if out not in planes:
            if out in taken:
                break
            planes[out] = by.steps["out"]
        users.append(instruction)
    return Chain(makers, users) if users else None


def in_step(instruction: Instruction, planes: Mapping[Buffer, int]) -> bool:
    """Whether something of what is made is used, channel by channel."""
    steps, found = by_channel(instruction).steps, False
    for name, operand in zip(instruction.kernel.operands, instruction.operands, strict=True):
        buffer = operand.buffer if isinstance(operand, Place) else operand
        if isinstance(buffer, Buffer) and buffer in planes:
            if steps.get(name) != planes[buffer]:
                return False
            found = True
    return found


def in_turns(
    chain: Chain, uses: Mapping[Buffer, int], new_buffer: Callable[[int], Buffer]
) -> list[Instruction]:
    """A chain's instructions for some channels, then for the next, and so on."""
    blocks = chain.blocks()
    if len(blocks) == 1:
        return chain.instructions
    most = max(count for _, count in blocks)
    pieces = {b: new_buffer(most * plane) for b, plane in passing(chain, uses).items()}
    result: list[Instruction] = []
    for first, count in blocks:
        begin = 0
        for maker in chain.makers:
            channels = by_channel(maker).channels
            low, high = max(first, begin), min(first + count, begin + channels)
            if low < high:
                result.append(maker.some(low - begin, high - low, pieces, first))
            begin += channels
        result += [user.some(first, count, pieces, first) for user in chain.users]
    return result


def passing(chain: Chain, uses: Mapping[Buffer, int]) -> dict[Buffer, int]:
    """What nothing else uses, and its planes: some channels may take the place of others there."""
    made = {
        i.written.buffer: by_channel(i).steps["out"]
        for i in chain.instructions
        if "out" in by_channel(i).steps
    }
    operands = [operand for i in chain.instructions for operand in i.operands]
    apart = {b for o in operands if isinstance(o, Distance) for b in (o.start, o.end)}
    here = Counter(buffer for i in chain.instructions for buffer in set(i.buffers()))
    return {b: plane for b, plane in made.items() if b not in apart and here[b] == uses[b]}


def by_channel(instruction: Instruction) -> ByChannel:
    assert instruction.by_channel is not None
    return instruction.by_channel
