"""Portions of a call: samples in tiles, one by one, or with their steps dealt out to lanes.

Which way takes the least time is estimated from a few measured constants.
"""

from dataclasses import dataclass, replace
from math import prod, sqrt
from typing import NamedTuple

import numpy as np
from backlit_kernels.vector import LANES

from backlit.engine import Part, split_steps
from backlit.graph import Graph
from backlit.layers import Conv2D, Dense
from backlit.probes import Probe, SumOfSteps
from backlit.tape import Steps

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
SHARES = tuple(n for n in (2, 4, 8, 16) if n <= LANES)  # how many lanes may share a sample
# A tile's prologue and epilogue take about so many steps' time.
AROUND_STEPS = 2
# What of a team's time is work, the rest being waiting for one another after each instruction.
TEAM_WORKS = 0.8


def multiply_adds(graph: Graph) -> int:
    """Multiply-adds of one forward pass of one sample, in dense and convolution layers."""
    total = 0
    for node in graph.nodes:
        if isinstance(node.layer, Dense):
            total += node.layer.weights.size * prod(graph.shapes[node.output][:-1])
        elif isinstance(node.layer, Conv2D):
            positions = np.prod(graph.shapes[node.output][1:], dtype=np.int64)
            total += int(node.layer.weights.size * positions)
    return total


def tile_bytes(graph: Graph) -> int:
    """What the tensors of `LANES` samples take."""
    return 4 * LANES * sum(map(prod, graph.shapes))


def is_large(graph: Graph) -> bool:
    """Whether a tile of images is too large for every thread to have one of its own."""
    return tile_bytes(graph) > TILE_BYTES


def choose_lanes(graph: Graph) -> int:
    """How many samples of a model for images run side by side, if there are so many."""
    much = 4 * LANES * multiply_adds(graph) >= MUCH_WORK * tile_bytes(graph)
    return LANES if tile_bytes(graph) <= (LARGE_TILE_BYTES if much else SHARED_TILE_BYTES) else 1


def time_alone(tile: int, large: bool) -> float:
    """How long a sample takes that runs alone, in the times of a tile of so many."""
    return (ALONE_LARGE if large else ALONE) / sqrt(tile)


class Portion(NamedTuple):
    """Samples that run alike: by which form of the probe, and how often its body is repeated."""

    probe: Probe
    lanes: int
    first: int
    stop: int
    repeats: int
    share: int = 1  # lanes of a sample


@dataclass(frozen=True)
class Pace:
    """How quickly samples run: in tiles, or one by one in `alone` tiles' times each.

    `teams` says that threads work on one tile together where there are fewer tiles than threads.
    """

    tile: int  # samples
    threads: int
    teams: bool
    alone: float

    @property
    def workers(self) -> int:
        """How many tiles run at a time."""
        return 1 if self.teams else self.threads

    def in_tiles(self, samples: int) -> tuple[float, int]:
        """How long samples take, in the workers' times for a tile, and how many run one by one."""
        tiles, rest = divmod(samples, self.tile)
        if not rest:
            return -(-tiles // self.workers), 0
        singly = max((tiles + rest * self.alone) / self.workers, -(-tiles // self.workers))
        idle = -(-(tiles + 1) // self.workers)  # with lanes that are idle
        return (idle, 0) if singly > idle else (singly, rest)

    def in_order(self, samples: int, repeats: int) -> float:
        """How long all their steps take, in steps of a tile of `LANES` on one thread."""
        steps = self.in_tiles(samples)[0] * self.tile / LANES * (repeats + AROUND_STEPS)
        return steps / (self.threads * TEAM_WORKS) if self.teams else steps

    def dealt_out(self, samples: int, repeats: int, share: int) -> float:
        """The same if so many lanes share a sample."""
        tiles, steps = -(-samples * share // LANES), -(-repeats // share) + AROUND_STEPS
        if self.teams and tiles < self.threads:
            return tiles * steps / (self.threads * TEAM_WORKS)
        return -(-tiles // self.threads) * steps


def tiles_then_singles(probe: Probe, samples: int, repeats: int, pace: Pace) -> list[Portion]:
    """Whole tiles first; what is left in one more, or one by one if that takes less time."""
    first = samples - pace.in_tiles(samples)[1]
    return [
        Portion(probe, pace.tile, 0, first, repeats),
        Portion(probe, 1, first, samples, repeats),
    ]


def dealt_out(probe: SumOfSteps, first: int, stop: int, repeats: int, pace: Pace) -> Portion | None:
    """Samples with their steps dealt out to the lanes of tiles, if they take less time so."""
    samples = stop - first
    share = min(SHARES, key=lambda n: pace.dealt_out(samples, repeats, n))
    if pace.dealt_out(samples, repeats, share) >= pace.in_order(samples, repeats):
        return None
    return Portion(replace(probe, dealt=True), LANES, first, stop, -(-repeats // share), share)


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
