"""The tape: a model's lowered form, a list of instructions over buffers.

Linking a tape plans the arena (buffers whose lives do not overlap share memory) and writes the
program that the machine runs.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from threading import Lock

import numpy as np
from backlit_kernels.compiling import compile_together
from backlit_kernels.kernel import HEADER, Kernel
from backlit_kernels.machine import kernel_address
from backlit_kernels.target import CACHE_LINE
from backlit_kernels.vector import NOWHERE

from backlit.constants import Constants, ConstantsInUse
from backlit.instructions import (
    Buffer,
    ByChannel,
    Distance,
    Instruction,
    Marks,
    Operand,
    Place,
    Spot,
)
from backlit.interleaving import interleave
from backlit.layout import round_up
from backlit.placement import available_cores

SECTIONS = ("setup", "prologue", "body", "epilogue")
# One thread at a time: copies of the process that compile inherit what another one has locked.
_linking = Lock()


def _unlock() -> None:
    """In a copy of the process, whoever held the lock is no more."""
    global _linking
    _linking = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class Steps(Enum):
    """What the repetitions of the body have to do with one another."""

    FOLLOW = "each goes on from the one before"
    APART = "each writes results of its own: threads may share them"
    ADDED = "they add up, every LANES-th one first: see backlit_kernels.fold"
    DEALT = "the same sums, several lanes taking turns with a sample's steps"


@dataclass(frozen=True)
class Program:
    """What the machine runs."""

    code: np.ndarray  # int64
    sections: np.ndarray  # int64: where each section begins, and the end
    constants: ConstantsInUse
    arena_size: int  # floats
    lanes: int
    steps: Steps


@dataclass
class Tape:
    """Instructions as they are emitted, and where they keep their constants."""

    constants: ConstantsInUse = field(default_factory=lambda: ConstantsInUse(Constants()))
    section: str = "body"
    steps: Steps = Steps.FOLLOW
    instructions: dict[str, list[Instruction]] = field(
        default_factory=lambda: {name: [] for name in SECTIONS}
    )

    @contextmanager
    def in_section(self, section: str) -> Iterator[None]:
        """Write to another section for a while."""
        before, self.section = self.section, section
        yield
        self.section = before

    def buffer(self, size: int) -> Buffer:
        """A piece of the arena, of so many floats."""
        # slack: the last vector of a run of single floats may reach past the end
        return Buffer(round_up(size, CACHE_LINE) + CACHE_LINE)

    def emit(
        self, kernel: Kernel, by_channel: ByChannel | None = None, /, **operands: Operand
    ) -> None:
        """Append an instruction; an int64 array or a tuple travels with it, as a table."""
        if set(operands) != set(kernel.operands):
            wrong = set(operands) ^ set(kernel.operands)
            raise TypeError(f"{kernel} takes {kernel.operands}; check {sorted(wrong)}")
        values = tuple(operands[name] for name in kernel.operands)
        self.instructions[self.section].append(Instruction(kernel, values, by_channel))

    def link(self, lanes: int) -> Program:
        """The program: buffers have their places, kernels are compiled and have addresses."""
        self._drop_unread_marks()
        self._interleave()
        arena_size = self._plan_arena()
        sections, code = [], []
        position = 0
        with _linking:
            compile_together(self.kernels(), available_cores())
            for name in SECTIONS:
                sections.append(position)
                for instruction in self.instructions[name]:
                    words = _encode(instruction)
                    code.append(words)
                    position += len(words)
        sections.append(position)
        return Program(
            np.concatenate([*code, np.zeros(1, np.int64)]),
            np.array(sections, np.int64),
            self.constants,
            arena_size,
            lanes,
            self.steps,
        )

    def kernels(self) -> list[Kernel]:
        """Those that the instructions call."""
        return [i.kernel for name in SECTIONS for i in self.instructions[name]]

    def _drop_unread_marks(self) -> None:
        sections = self.instructions.values()
        operands = [o for section in sections for i in section for o in i.operands]
        read = {o.marks for o in operands if isinstance(o, Marks) and o.read}

        def kept(operand: Operand) -> Operand:
            unread = isinstance(operand, Marks) and operand.marks not in read
            return NOWHERE if unread else operand

        for section in sections:
            section[:] = [replace(i, operands=tuple(map(kept, i.operands))) for i in section]

    def _interleave(self) -> None:
        sections = self.instructions.values()
        uses = Counter(b for section in sections for i in section for b in set(i.buffers()))
        for section in sections:
            section[:] = interleave(section, uses, self.buffer)

    def _plan_arena(self) -> int:
        """Give each buffer the lowest place that is free while it lives, largest first."""
        lives = self._lives()
        firsts, lasts, starts, ends = np.zeros((4, len(lives)), np.int64)  # of those placed
        by_size = sorted(lives.items(), key=lambda item: -item[0].size)
        for n, (buffer, (first, last)) in enumerate(by_size):
            rivals = np.flatnonzero((firsts[:n] <= last) & (lasts[:n] >= first))
            rivals = rivals[starts[rivals].argsort()]
            behind = np.maximum.accumulate(ends[rivals])
            free = np.concatenate([[0], behind])  # before each rival, and behind all of them
            gaps = np.flatnonzero(starts[rivals] - free[:-1] >= buffer.size)
            buffer.start = int(free[gaps[0] if gaps.size else -1])
            firsts[n], lasts[n] = first, last
            starts[n], ends[n] = buffer.start, buffer.start + buffer.size
        return int(ends.max(initial=0)) + CACHE_LINE

    def _lives(self) -> dict[Buffer, tuple[int, int]]:
        """First and last use of each buffer.

        Those that sections share live through the body; those kept from the setup to the end.
        """
        lives: dict[Buffer, tuple[int, int]] = {}
        homes: dict[Buffer, set[str]] = {}
        bounds = {}
        number = 0
        for name in SECTIONS:
            begin = number
            for instruction in self.instructions[name]:
                for buffer in instruction.buffers():
                    lives[buffer] = (lives.get(buffer, (number, 0))[0], number)
                    homes.setdefault(buffer, set()).add(name)
                number += 1
            bounds[name] = (begin, number)
        begin, end = bounds["body"]
        for buffer, sections in homes.items():
            if len(sections) > 1 and "setup" in sections:
                lives[buffer] = (lives[buffer][0], number)
            elif len(sections) > 1:
                first, last = lives[buffer]
                lives[buffer] = (min(first, begin), max(last, end))
        return lives


def _encode(instruction: Instruction) -> np.ndarray:
    words = [kernel_address(instruction.kernel), 0, int(instruction.kernel.shared)]
    tables: list[np.ndarray] = []
    length = HEADER + len(instruction.operands)
    for operand in instruction.operands:
        if isinstance(operand, tuple):
            operand = np.array([_word(spot) for spot in operand])
        if isinstance(operand, np.ndarray):
            words.append(length)
            tables.append(operand.astype(np.int64).reshape(-1))
            length += operand.size
        else:
            words.append(_word(operand))
    words[1] = length
    return np.concatenate([np.array(words, np.int64), *tables])


def _word(operand: int | Spot | Marks) -> int:
    if isinstance(operand, Place):
        return operand.buffer.start + operand.offset
    if isinstance(operand, Buffer):
        return operand.start
    if isinstance(operand, Distance):
        return operand.end.start - operand.start.start
    if isinstance(operand, Marks):
        return 4 * operand.marks.start + operand.shift - operand.of.start
    return int(operand)
