"""Timing the single instructions of a model's program, on one core.

    python benchmarks/instructions.py MODEL [LANES]

prints where the time of one tile goes.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from backlit_kernels.machine import run_machine
from interleave import time_of

import backlit as bl
from backlit.arguments import SCORES
from backlit.attribution.gradients import InputGradient
from backlit.engine import Job, Part, Worker
from backlit.tape import SECTIONS

TURN, PAUSE = 0.0005, 0.0005  # seconds: an instruction's repeats in a round, and between rounds


@dataclass(frozen=True)
class Timing:
    """One instruction: its kernel, whether it is on the way back, floats it can reach, seconds.

    `beside` is what was measured in turns with it.
    """

    kernel: str
    backward: bool
    floats: int
    seconds: list[float]
    beside: list[float]

    @property
    def quickest(self) -> float:
        """Of rounds in which a neighbour on the same core took none of its units, if any."""
        return min(self.seconds)


def time_instructions(
    model: bl.Model,
    lanes: int = 16,
    rounds: int = 300,
    score: str = "logit",
    beside: Callable[[float], float] = lambda seconds: 0.0,
) -> list[Timing]:
    """Time each instruction of the saliency of one tile, its data in cache, in order.

    The machine is given that instruction alone as its program, many times over. Before each round
    `beside` is called, for what the instruction is to be compared to, with the seconds of a round.
    """
    lowering = InputGradient(score=SCORES[score], magnitude=True).lower(
        model._programs.graph, lanes
    )
    worker = _worker(model, lowering.tape.link(lanes))
    worker.run(Part(worker.job, 0, lanes, (0, 1)))  # fills the arena
    listed = [i for section in lowering.tape.instructions.values() for i in section]
    timings, backward = [], False
    for instruction, (first, end) in zip(listed, _bounds(worker.job.program), strict=True):
        backward |= instruction.kernel.name == "scores_choose_targets"
        buffers = {id(buffer): buffer.size for buffer in instruction.buffers()}
        measured = _repeat(worker, first, end, rounds, beside)
        floats = sum(buffers.values())
        timings.append(Timing(instruction.kernel.name, backward, floats, *measured))
    return timings


def time_tile(model: bl.Model, lanes: int = 16) -> float:
    """Seconds for one tile, all instructions in turn."""
    program = InputGradient(score=0, magnitude=True).lower(model._programs.graph, lanes).tape
    worker = _worker(model, program.link(lanes))
    worker.run(Part(worker.job, 0, lanes, (0, 1)))
    return float(
        np.median(
            [time_of(lambda: worker.run(Part(worker.job, 0, lanes, (0, 1))), 50) for _ in range(9)]
        )
    )


def _worker(model: bl.Model, program) -> Worker:
    x = np.random.default_rng(0).random((program.lanes, *model.input_shape), np.float32)
    targets = np.zeros(program.lanes, np.int64)
    return Worker(Job(program, [x, np.empty_like(x), targets]))


def _bounds(program) -> Iterator[tuple[int, int]]:
    first = 0
    while first < program.sections[-1]:
        end = first + int(program.code[first + 1])
        yield first, end
        first = end


def _repeat(
    worker: Worker, first: int, end: int, rounds: int, beside: Callable[[float], float]
) -> tuple[list[float], list[float]]:
    program = worker.job.program
    before = SECTIONS.index("body") + 1
    sections = np.array([first] * before + [end] * (len(SECTIONS) + 1 - before))  # a body alone

    def run(repeats: int) -> None:
        run_machine(
            worker.arena,
            program.constants.memory,
            program.code,
            worker.frame,
            sections,
            0,
            repeats,
            1,
            0,
            program.lanes,
            program.lanes,
        )

    run(10)
    once = time_of(lambda: run(10)) / 10
    repeats = max(1, int(TURN / once))
    seconds, others = [], []
    for _ in range(rounds):
        others.append(beside(repeats * once))
        seconds.append(time_of(lambda: run(repeats)) / repeats)
        time.sleep(PAUSE)
    return seconds, others


def main(name: str, lanes: str = "16") -> None:
    model = bl.models.carried(name)
    timings = time_instructions(model, int(lanes))
    total, tile = sum(t.quickest for t in timings), time_tile(model, int(lanes))
    for t in timings:
        share = t.quickest / total
        print(f"{t.kernel:36} {t.quickest * 1e6:9.2f} µs {share:6.1%} {t.floats * 4 / 1e3:9.1f} kB")
    print(f"{'sum':36} {total * 1e6:9.2f} µs\n{'in turn':36} {tile * 1e6:9.2f} µs")


if __name__ == "__main__":
    main(*sys.argv[1:])
