"""What the threads of a team write at one instruction: none overwrites or reads another's.

Threads run an instruction at any time relative to one another. So each part of it is run alone,
from the same memory: places that two parts change must change to the same bits, and what a part
writes must not depend on whether another was run before.
"""

from itertools import combinations

import numpy as np
import pytest
from backlit_kernels import frame, team
from backlit_kernels.machine import run_machine
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.attribution.gradients import InputGradient
from backlit.engine import address, aligned
from backlit.tape import SECTIONS
from tests.engine.test_uncompiled import rows, wide
from tests.every_layer import NETWORKS
from tests.lowering.test_long_sums import long_sums

PARTS = 3


def long(rng):
    """Sums in pieces, over runs of which the last is shorter."""
    return long_sums(rng, channels=(50, 25), kernel=5, size=(9, 33))


MODELS = NETWORKS | {f.__name__: f(np.random.default_rng(3)) for f in (wide, rows, long)}


class Instructions:
    """A model's gradient, one instruction and part at a time."""

    def __init__(self, model: bl.Model, lanes: int) -> None:
        rng = np.random.default_rng(5)
        tape = InputGradient(0, False).lower(model._programs.graph, lanes).tape
        self.program = tape.link(lanes)
        self.names = [
            instruction.kernel.name
            for section in SECTIONS
            for instruction in tape.instructions[section]
        ]
        self.ports = [
            rng.normal(size=(lanes, *model.input_shape)).astype(np.float32),
            np.zeros((lanes, *model.input_shape), np.float32),
            np.zeros(lanes, np.int64),
        ]
        self.frame = np.zeros(frame.SIZE, np.int64)
        self.frame[frame.PORTS : frame.PORTS + 3] = [address(port) for port in self.ports]
        self.nobody_halts = np.zeros(1, np.int64)
        self.frame[frame.PARTS] = PARTS
        self.frame[frame.SHARE] = 1
        self.frame[frame.HALT] = address(self.nobody_halts)
        self.arena = aligned(self.program.arena_size)
        self.arena[:] = rng.normal(size=self.arena.size)

    def __iter__(self):
        place = 0
        for name in self.names:
            length = int(self.program.code[place + 1])
            yield name, np.array([place, place, place, place + length, place + length])
            place += length

    def run(self, arena, sections, part):
        """The memory after one part of an instruction."""
        after, own = aligned(arena.size), self.frame.copy()
        after[:] = arena
        others_do_theirs = np.full(team.team_size(PARTS), 2**60)
        others_do_theirs[team.INVALID_SAMPLE] = 0
        others_do_theirs[team.MARKS + part * team.APART] = 0
        own[frame.TEAM], own[frame.MEMBER] = address(others_do_theirs), part
        program, lanes = self.program, self.program.lanes
        steps = 0, 1, 1
        run_machine(
            after, program.constants.memory, program.code, own, sections, *steps, 0, lanes, lanes
        )
        return after


@pytest.mark.parametrize("lanes", [1, LANES])
@pytest.mark.parametrize("name", MODELS)
def test_parts_are_apart(name, lanes):
    steps = Instructions(MODELS[name], lanes)
    for kernel, sections in steps:
        before = steps.arena.view(np.uint8)
        alone = [steps.run(steps.arena, sections, part).view(np.uint8) for part in range(PARTS)]
        changed = [after != before for after in alone]
        for one, other in combinations(range(PARTS), 2):
            both = changed[one] & changed[other]
            same = alone[one][both] == alone[other][both]
            assert same.all(), f"{kernel} writes over what another thread writes"
        for part in range(PARTS):
            arena = steps.arena
            for other in range(PARTS):
                if other != part:
                    arena = steps.run(arena, sections, other)
            last = steps.run(arena, sections, part).view(np.uint8)
            same = last[changed[part]] == alone[part][changed[part]]
            assert same.all(), f"{kernel} reads what another thread writes"
        steps.arena = steps.run(arena, sections, part)
