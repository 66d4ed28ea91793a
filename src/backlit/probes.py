"""Probes: what a method evaluates and what it keeps, and running one over a data set.

A probe writes a tape through `Lowering`: which points to evaluate (fill), which score to
differentiate (seed), the rules of the way back, and what becomes of the result (fold). Probes
are frozen dataclasses: a model keeps the program of each probe it has run.
"""

from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import blake2b
from math import prod, sqrt
from typing import Any, NamedTuple, Protocol

import numpy as np
from backlit_kernels.kernel import Kernel
from backlit_kernels.vector import LANES

from backlit.arguments import not_finite
from backlit.engine import (
    LONG_WORK,
    PART_WORK,
    SERIAL_WORK,
    SHARES_PER_THREAD,
    TEAM_WORK,
    Job,
    Part,
    run_parts,
    run_teams,
    split,
    split_steps,
    watched,
)
from backlit.graph import Graph
from backlit.layers import Conv2D, Dense
from backlit.lowering import Lowering
from backlit.lowering.context import GRADIENT, TARGETS, ReluRule
from backlit.rewriting import relu_first
from backlit.tape import Program, Steps

# Features are multiplied by matrices that are read anew for each tile: wider tiles read less.
FEATURE_LANES = 32
# Bytes that the tensors of a tile may take where each thread works on its own, where a few threads
# share one, and where they do so with much work (multiply-adds) for each float of the tensors.
# Larger samples run one at a time. (Measured on 19 architectures, at 32, 128 and 224 pixels.)
TILE_BYTES, SHARED_TILE_BYTES, LARGE_TILE_BYTES = (n * 1024 * 1024 for n in (32, 192, 1024))
MUCH_WORK, FEW_THREADS = 100, 4
# A sample alone takes about this share of a tile's time, and a large one, whose rows fill vectors
# by themselves, this share, over the square root of the tile's lanes (seen of 8, 16 and 32).
ALONE, ALONE_LARGE = 0.8, 0.34
# Idle lanes cost less than compiling kernels for single samples does (some seconds), unless a tile
# has so many multiply-adds (a tenth of a second's).
WORTH_COMPILING = 5_000_000_000
MOST_REMEMBERED = 1 << 20  # bytes of arrays whose consequences are kept
MOST_PROGRAMS = 32  # of a model; those made first are forgotten, and weights they alone use
# Into how many stages the way back may cut a network to stay within a budget: see `Graph.stages`.
STAGES = 1, 2, 3, 4, 6, 8, 12, 16
SHARES = tuple(n for n in (2, 4, 8, 16) if n <= LANES)  # how many lanes may share a sample
# A tile's prologue and epilogue take about so many steps' time.
AROUND_STEPS = 2


class Probe(Protocol):
    """A method's part of the tape."""

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        """Write the tape for tiles of `lanes` samples."""
        ...


@dataclass(frozen=True)
class Logits:
    """The model's outputs."""

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        lowering = Lowering(relu_first(graph), lanes)
        lowering.load()
        lowering.forward()
        lowering.store(lowering.logits(), lowering.graph.output)
        return lowering


@dataclass(frozen=True)
class InputGradient:
    """The gradient of the target's score by the input, or its magnitude."""

    score: int
    magnitude: bool
    relu_rule: ReluRule = GRADIENT

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        # other rules than the gradient's tell how a ReLU lies to a pooling
        plain = relu_first(graph) if self.relu_rule == GRADIENT else graph
        lowering = Lowering(plain, lanes, self.relu_rule)
        lowering.load()
        lowering.forward()
        lowering.seed(self.score)
        lowering.backward()
        lowering.store(lowering.gradients[0], 0, magnitude=self.magnitude)
        return lowering


@dataclass(frozen=True)
class SumOfSteps(Probe):
    """A probe whose steps add up: those of a sample can be dealt out to several lanes."""

    dealt: bool = field(default=False, kw_only=True)

    @property
    def adds_up(self) -> bool:
        """Whether this one's do."""
        return True

    def lowering(self, graph: Graph, lanes: int) -> Lowering:
        """A lowering whose tape repeats its body so."""
        lowering = Lowering(graph, lanes)
        if self.adds_up:
            lowering.tape.steps = Steps.DEALT if self.dealt else Steps.ADDED
        return lowering


def multiply_adds(graph: Graph) -> int:
    """Multiply-adds of one forward pass of one sample, in dense and convolution layers."""
    total = 0
    for node in graph.nodes:
        if isinstance(node.layer, Dense):
            total += node.layer.weights.size
        elif isinstance(node.layer, Conv2D):
            positions = np.prod(graph.shapes[node.output][1:], dtype=np.int64)
            total += int(node.layer.weights.size * positions)
    return total


def tile_bytes(graph: Graph) -> int:
    """What the tensors of `LANES` samples take."""
    return 4 * LANES * sum(map(prod, graph.shapes))


def choose_lanes(graph: Graph) -> int:
    """How many samples of a model for images run side by side, if there are so many."""
    much = 4 * LANES * multiply_adds(graph) >= MUCH_WORK * tile_bytes(graph)
    return LANES if tile_bytes(graph) <= (LARGE_TILE_BYTES if much else SHARED_TILE_BYTES) else 1


class Portion(NamedTuple):
    """Samples that run alike: by which form of the probe, and how often its body is repeated."""

    probe: Probe
    lanes: int
    first: int
    stop: int
    repeats: int
    share: int = 1  # lanes of a sample


class ProgramStore:
    """The programs of a model, linked when first needed."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.work = multiply_adds(graph)
        self.images = any(len(shape) > 1 for shape in graph.shapes)
        self.tile_lanes = choose_lanes(graph) if self.images else FEATURE_LANES
        self.large = self.images and tile_bytes(graph) > TILE_BYTES
        self._programs: dict[Hashable, Program] = {}
        self._kernels: dict[Probe, list[Kernel]] = {}  # for single samples, not seen compiled
        self._last: dict[bytes, Any] = {}
        self.pictured: dict[int, tuple[ProgramStore, int]] = {}  # see `attribution.as_picture`

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
            if memory is not None and portion.lanes == 1:
                program = self.small_program(portion.probe, memory)
            else:
                program = self.program(portion.probe, portion.lanes)
            if memory is not None and not shared:
                threads = max(1, min(threads, memory // (4 * program.arena_size)))
            job = Job(program, ports, portion.repeats, portion.share, halt)
            serial = progress is None and (threads == 1 or shared)
            shares = 1 if serial else threads * SHARES_PER_THREAD
            least = -(-PART_WORK // max(3 * self.work * job.repeats * job.samples, 1))
            some = split(job, portion.first, portion.stop, shares, least)
            parts += some if shared else share_steps(some, threads)
        together = shared or len(parts) < threads
        if threads > 1 and together and self.work >= TEAM_WORK:
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
        alone = (ALONE_LARGE if self.large else ALONE) / sqrt(tile)
        together = self.large or self.work >= TEAM_WORK  # threads share a tile
        workers = 1 if together else threads
        mixed = samples > tile and samples % tile
        little = 3 * self.work * tile * repeats < WORTH_COMPILING
        tiles_only = mixed and little and not self.is_compiled(probe)

        def best(samples: int) -> tuple[float, int]:
            """How long samples take, in tiles' times, and how many of them run one by one."""
            tiles, rest = divmod(samples, tile)
            singly = max((tiles + rest * alone) / workers, -(-tiles // workers))
            idle = -(-(tiles + 1) // workers)  # with lanes that are idle
            if rest and (tiles_only or singly > idle):
                return idle, 0
            return singly, rest

        first = samples - best(samples)[1]
        portions = [
            Portion(probe, tile, 0, first, repeats),
            Portion(probe, 1, first, samples, repeats),
        ]
        several = repeats > 1 and tile > 1 and not self.large
        if several and isinstance(probe, SumOfSteps) and probe.adds_up:
            left = samples % (tile * threads)
            usual = best(left)[0] * tile / LANES * (repeats + AROUND_STEPS)

            def taking(share: int) -> int:
                """How long they take if so many lanes share a sample, in steps of a tile."""
                tiles = -(-left * share // LANES)
                return -(-tiles // workers) * (-(-repeats // share) + AROUND_STEPS)

            share = min(SHARES, key=taking)
            by_lane = replace(probe, dealt=True)
            if taking(share) < usual and self.fits(by_lane, LANES, memory):
                first = samples - left
                portions = [
                    Portion(probe, tile, 0, first, repeats),
                    Portion(by_lane, LANES, first, samples, -(-repeats // share), share),
                ]
        return [portion for portion in portions if portion.first < portion.stop]


def share_steps(parts: list[Part], threads: int) -> list[Part]:
    """Let threads share the steps of each part, if there are too few parts to go round."""
    if len(parts) >= 4 * threads or len(parts) % threads == 0:
        return parts
    apart = all(part.job.program.steps is Steps.APART for part in parts)
    pieces = min(part.job.repeats for part in parts) // (2 * AROUND_STEPS)
    if not apart or pieces < threads:
        return parts
    # two for each thread: another program may keep one of them waiting
    return [piece for part in parts for piece in split_steps(part, min(pieces, 2 * threads))]
