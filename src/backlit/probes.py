"""Probes: what a method evaluates and what it keeps, and running one over a data set.

A probe writes a tape through `Lowering`: which points to evaluate (fill), which score to
differentiate (seed), the rules of the way back, and what becomes of the result (fold). Probes
are frozen dataclasses: a model keeps the program of each probe it has run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from backlit_kernels.vector import LANES

from backlit.engine import (
    PIECES_PER_THREAD,
    SERIAL_WORK,
    TEAM_WORK,
    Job,
    run_parts,
    run_team,
    split,
)
from backlit.graph import Graph, multiply_adds
from backlit.lowering import Lowering
from backlit.lowering.context import GRADIENT, ReluRule
from backlit.tape import Program

# Features are multiplied by matrices that are read anew for each tile: wider tiles read less.
FEATURE_LANES = 32
# Bytes that the tensors of a tile may take where each thread works on its own, where a few threads
# share one, and where they do so with much work (multiply-adds) for each float of the tensors.
# Larger samples run one at a time. (Measured on 19 architectures, at 32, 128 and 224 pixels.)
TILE_BYTES, SHARED_TILE_BYTES, LARGE_TILE_BYTES = (n * 1024 * 1024 for n in (32, 192, 1024))
MUCH_WORK, FEW_THREADS = 100, 4
# A remainder of up to this share of a tile runs one by one rather than with idle lanes.
FEW = 0.4


class Probe(Protocol):
    """A method's part of the tape."""

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        """Write the tape for tiles of `lanes` samples."""
        ...


@dataclass(frozen=True)
class Logits:
    """The model's outputs."""

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        lowering = Lowering(graph, lanes)
        lowering.load()
        lowering.forward()
        lowering.store(lowering.activations[graph.output], graph.output)
        return lowering


@dataclass(frozen=True)
class InputGradient:
    """The gradient of the target's score by the input, or its magnitude."""

    score: int
    magnitude: bool
    relu_rule: ReluRule = GRADIENT

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        lowering = Lowering(graph, lanes, self.relu_rule)
        lowering.load()
        lowering.forward()
        lowering.seed(self.score)
        lowering.backward()
        lowering.store(lowering.gradients[0], 0, magnitude=self.magnitude)
        return lowering


def tile_bytes(graph: Graph) -> int:
    """What the tensors of `LANES` samples take."""
    return 4 * LANES * sum(map(prod, graph.shapes))


def choose_lanes(graph: Graph) -> int:
    """How many samples of a model for images run side by side, if there are so many."""
    much = 4 * LANES * multiply_adds(graph) >= MUCH_WORK * tile_bytes(graph)
    return LANES if tile_bytes(graph) <= (LARGE_TILE_BYTES if much else SHARED_TILE_BYTES) else 1


class ProgramStore:
    """The programs of a model, linked when first needed."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.work = multiply_adds(graph)
        images = any(len(shape) > 1 for shape in graph.shapes)
        self.tile_lanes = choose_lanes(graph) if images else FEATURE_LANES
        self.large = images and tile_bytes(graph) > TILE_BYTES
        self._programs: dict[tuple[Probe, int], Program] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the programs: they hold addresses of this process."""
        return {**vars(self), "_programs": {}}

    def program(self, probe: Probe, lanes: int) -> Program:
        key = probe, lanes
        if key not in self._programs:
            self._programs[key] = probe.lower(self.graph, lanes).tape.link(lanes)
        return self._programs[key]

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

        `memory` bounds the arenas of all threads together, in bytes, as far as threads can be
        spared.

        Raises
        ------
        ValueError
            If a sample of the first port holds NaN or infinite values.
        """
        tile = 1 if self.large and threads > FEW_THREADS else self.tile_lanes
        if memory is not None and 4 * self.program(probe, tile).arena_size > memory:
            tile = 1
        shared = self.large and tile > 1  # all threads work on one tile
        rest = samples % tile
        if rest > FEW * tile:
            rest = 0
        whole = samples - rest
        if 3 * samples * self.work * repeats < SERIAL_WORK:
            threads = 1
        parts = []
        for lanes, first, stop in ((tile, 0, whole), (1, whole, samples)):
            if first < stop:
                program = self.program(probe, lanes)
                if memory is not None and not shared:
                    threads = max(1, min(threads, memory // (4 * program.arena_size)))
                job = Job(program, ports, repeats)
                serial = progress is None and (threads == 1 or shared)
                pieces = 1 if serial else threads * PIECES_PER_THREAD
                parts += split(job, first, stop, pieces)
        together = shared or len(parts) < threads
        if threads > 1 and together and self.work >= TEAM_WORK:
            valid = True
            for job, first, stop in parts:
                valid = valid and run_team(job, first, stop, threads)
                if progress is not None:
                    progress(stop - first)
        else:
            valid = run_parts(parts, min(threads, len(parts)), progress)
        if not valid:
            given = np.asarray(ports[0])
            finite = np.isfinite(given).reshape(len(given), -1).all(axis=1)
            raise ValueError(
                f"X must be finite, but sample {finite.argmin()} holds NaN or infinity"
            )
