"""Programs: those of a model, one for each probe it has run, and running them over a data set."""

from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from hashlib import blake2b
from math import inf
from typing import Any

import numpy as np
from backlit_kernels.kernel import Kernel
from backlit_kernels.vector import LANES

from backlit.arguments import not_finite
from backlit.engine import Job, Part, run_parts, run_teams, split, watched
from backlit.graph import Graph
from backlit.lowering.ports import TARGETS
from backlit.portions import (
    FEATURE_LANES,
    FEW_THREADS,
    Pace,
    Portion,
    choose_lanes,
    dealt_out,
    is_large,
    multiply_adds,
    share_steps,
    tiles_then_singles,
    time_alone,
)
from backlit.probes import Probe, SumOfSteps
from backlit.tape import Program

# From this many multiply-adds a tile on, threads work on one tile together if there are few.
TEAM_WORK = 10_000_000
# Under this many multiply-adds in all, starting a thread costs more than it saves.
SERIAL_WORK = 10_000_000
# From this many on, the calling thread waits for signals rather than work.
LONG_WORK = 10_000_000_000
# A part is so small a share of what each thread has left, but has so many multiply-adds (a tenth of
# a millisecond's): threads take parts one after the other.
SHARES_PER_THREAD = 8
PART_WORK = 5_000_000
# Idle lanes cost less than compiling kernels for single samples does (some seconds), unless a tile
# has so many multiply-adds (a tenth of a second's).
WORTH_COMPILING = 5_000_000_000
MOST_REMEMBERED = 1 << 20  # bytes of arrays whose consequences are kept
MOST_PROGRAMS = 32  # of a model; those made first are forgotten, and weights they alone use
# Into how many stages the way back may cut a network to stay within a budget: see `Graph.stages`.
STAGES = 1, 2, 3, 4, 6, 8, 12, 16


class ProgramStore:
    """The programs of a model, linked when first needed.

    Attributes
    ----------
    graph : Graph
    work : int
        Multiply-adds of one forward pass of one sample.
    images : bool
        Whether there are tensors of more than one axis.
    tile_lanes : int
        How many samples run side by side, if there are so many.
    large : bool
        Whether a tile of images is too large for every thread to have one of its own.
    pictured : dict
        Layers as pictures: see `attribution.as_picture`.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.work = multiply_adds(graph)
        self.images = any(len(shape) > 1 for shape in graph.shapes)
        self.tile_lanes = choose_lanes(graph) if self.images else FEATURE_LANES
        self.large = self.images and is_large(graph)
        self._programs: dict[Hashable, Program] = {}
        self._kernels: dict[Probe, list[Kernel]] = {}  # for single samples, not seen compiled
        self._last: dict[bytes, Any] = {}
        self.pictured: dict[int, tuple[ProgramStore, int]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the programs: they hold addresses of this process."""
        state = {**vars(self), "_programs": {}, "_kernels": {}, "_last": {}, "pictured": {}}
        state.pop("for_given_targets", None)
        return state

    @cached_property
    def for_given_targets(self) -> "ProgramStore":
        """The programs of calls that give their targets: none is predicted."""
        twin = copy(self)  # which has none yet: see `__getstate__`
        twin.graph = replace(self.graph, targets_given=True)
        return twin

    @property
    def worth_a_team(self) -> bool:
        """Whether a tile is so much work that threads do better to share it."""
        return self.work >= TEAM_WORK

    def remembered(self, make: Callable[[], Any], *given: np.ndarray) -> Any:
        """What `make` made for these arrays before, or makes now; the last few are kept."""
        if sum(array.nbytes for array in given) > MOST_REMEMBERED:
            return make()
        digest = blake2b(digest_size=16)
        for array in given:
            digest.update(repr((array.shape, array.dtype)).encode() + array.tobytes())
        key = digest.digest()
        last = self._last  # replaced as a whole: other threads may be here
        if key not in last:
            last = self._last = {**dict(list(last.items())[-1:]), key: make()}
        return last[key]

    def program(self, probe: Probe, lanes: int, stages: int = 1) -> Program:
        """A probe's program for so many samples side by side, the way back in so many stages."""
        key = probe, lanes, stages
        if (found := self._programs.get(key)) is not None:
            return found
        return self._keep(key, self._linked(probe, lanes, stages))

    def _linked(self, probe: Probe, lanes: int, stages: int) -> Program:
        return probe.lower(replace(self.graph, stages=stages), lanes).tape.link(lanes)

    def _keep(self, key: Hashable, program: Program) -> Program:
        """Keep a program, and only so many of those before."""
        last = list(self._programs.items())[1 - MOST_PROGRAMS :]
        self._programs = {**dict(last), key: program}  # as a whole: other threads may be here
        return program

    def is_compiled(self, probe: Probe) -> bool:
        """Whether a probe's kernels for single samples were compiled before, here or on disk."""
        if (probe, 1, 1) in self._programs:
            return True
        if probe not in self._kernels:
            self._kernels[probe] = probe.lower(self.graph, 1).tape.kernels()
        # some may have been compiled for another probe by now
        self._kernels[probe] = [k for k in self._kernels[probe] if not k.is_kept()]
        return not self._kernels[probe]

    def fits(self, probe: Probe, lanes: int, memory: int | None) -> bool:
        """Whether its arena takes no more than so many bytes."""
        return memory is None or 4 * self.program(probe, lanes).arena_size <= memory

    def small_program(self, probe: Probe, memory: int) -> Program:
        """For single samples, in so many bytes, in as few stages as it takes; or in the least."""
        key = probe, "within", memory
        if (found := self._programs.get(key)) is not None:
            return found
        programs = []
        for stages in STAGES:
            programs.append(self._linked(probe, 1, stages))
            if 4 * programs[-1].arena_size <= memory:
                break
        return self._keep(key, min(programs, key=lambda program: program.arena_size))

    def _program_of(self, portion: Portion, memory: int | None) -> Program:
        if memory is not None and portion.lanes == 1:
            return self.small_program(portion.probe, memory)
        return self.program(portion.probe, portion.lanes)

    def run(
        self,
        probe: Probe,
        ports: list[np.ndarray | None],
        samples: int,
        threads: int,
        progress: Callable[[int], None] | None = None,
        repeats: int = 1,
        memory: int | None = None,
    ) -> None:
        """Run a probe over `samples` samples.

        `memory` bounds the arenas of all threads together, in bytes, as far as samples can run one
        at a time, stages of the network be computed again, and threads be spared.

        Raises
        ------
        ValueError
            If a sample of the first port holds NaN or infinite values.
        """
        if ports[TARGETS] is not None and not self.graph.targets_given:
            more = progress, repeats, memory
            return self.for_given_targets.run(probe, ports, samples, threads, *more)
        tile = 1 if self.large and threads > FEW_THREADS else self.tile_lanes
        if not self.fits(probe, tile, memory):
            tile = 1
        shared = self.large and tile > 1  # all threads work on one tile
        work = 3 * samples * self.work * repeats
        if work < SERIAL_WORK:
            threads = 1
        parts: list[Part] = []
        halt = np.zeros(1, np.int64)
        for portion in self.portions(probe, samples, repeats, threads, tile, memory):
            program = self._program_of(portion, memory)
            if memory is not None and not shared:
                threads = max(1, min(threads, memory // (4 * program.arena_size)))
            job = Job(program, ports, portion.repeats, portion.share, halt)
            serial = progress is None and (threads == 1 or shared)
            shares = 1 if serial else threads * SHARES_PER_THREAD
            least = -(-PART_WORK // max(3 * self.work * job.repeats * job.samples, 1))
            some = split(job, portion.first, portion.stop, shares, least)
            parts += some if shared else share_steps(some, threads)
        together = shared or len(parts) < threads
        if threads > 1 and together and self.worth_a_team:
            run = partial(run_teams, parts, threads, progress)
        else:
            run = partial(run_parts, parts, min(threads, len(parts)), progress)
        if not (watched(run, halt) if work > LONG_WORK else run()):
            raise not_finite(np.asarray(ports[0]))

    def portions(
        self,
        probe: Probe,
        samples: int,
        repeats: int,
        threads: int,
        tile: int,
        memory: int | None = None,
    ) -> list[Portion]:
        """Whole tiles first; then what is left, in whichever way takes the least time."""
        alone = time_alone(tile, self.large)
        mixed = samples > tile and samples % tile
        little = 3 * self.work * tile * repeats < WORTH_COMPILING
        if mixed and little and not self.is_compiled(probe):
            alone = inf  # lanes idle rather than that kernels are compiled
        teams = threads > 1 and (self.large or self.worth_a_team)
        pace = Pace(tile, threads, teams, alone)
        portions = tiles_then_singles(probe, samples, repeats, pace)
        several = repeats > 1 and tile > 1 and not self.large
        if several and isinstance(probe, SumOfSteps) and probe.adds_up:
            first = samples - samples % (tile * threads)
            dealt = dealt_out(probe, first, samples, repeats, pace)
            if dealt is not None and self.fits(dealt.probe, LANES, memory):
                portions = [Portion(probe, tile, 0, first, repeats), dealt]
        return [portion for portion in portions if portion.first < portion.stop]
