"""The engine: runs a program over a data set, on threads of its own."""

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from backlit_kernels import frame
from backlit_kernels.machine import run_machine
from backlit_kernels.team import team_size
from backlit_kernels.vector import LANES

from backlit.crew import crew
from backlit.memory import address, aligned
from backlit.tape import Program, Steps

WATCH = 0.1  # seconds between looks for a signal


@dataclass(frozen=True, eq=False)
class Job:
    """A program, the arrays it reads and writes by port number, and how often its body runs.

    If a program's steps are dealt out, so many lanes `share` a sample. Once `halt`, which the jobs
    of a run share, is not 0, all of them end before their next step.
    """

    program: Program
    ports: Sequence[np.ndarray | None]
    repeats: int = 1
    share: int = 1
    halt: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))

    @property
    def samples(self) -> int:
        """How many are run at a time."""
        return self.program.lanes // self.share

    @property
    def stride(self) -> int:
        """From a step to the one that comes next: see `backlit_kernels.fold`."""
        adds_up = self.program.steps in (Steps.ADDED, Steps.DEALT)
        return LANES // self.share if adds_up else 1


class Part(NamedTuple):
    """A range of a job's samples, and of the steps that its body takes for each tile of them."""

    job: Job
    first: int
    stop: int
    steps: tuple[int, int]


class Worker:
    """What one thread needs to run a job: an arena and a frame; in a team, what they share."""

    shared: np.ndarray

    def __init__(self, job: Job) -> None:
        self.job = job
        self.arena = aligned(job.program.arena_size)
        self.frame = np.zeros(frame.SIZE, np.int64)
        self.frame[frame.PARTS] = 1
        self.frame[frame.SHARE] = job.share
        self.frame[frame.HALT] = address(job.halt)
        self.sections = job.program.sections.copy()
        for number, array in enumerate(job.ports):
            if array is not None:
                self.frame[frame.PORTS + number] = address(array)

    def run(self, part: Part) -> bool:
        """Run over a range of samples; False if one of them is not finite."""
        program = self.job.program
        run_machine(
            self.arena,
            program.constants.memory,
            program.code,
            self.frame,
            self.sections,
            *part.steps,
            self.job.stride,
            part.first,
            part.stop,
            self.job.samples,
        )
        self.sections[0] = self.sections[1]  # what the setup made stays in the arena
        return not self.frame[frame.INVALID]

    def team(self, threads: int) -> "list[Worker]":
        """This worker and others that run in step with it, on its arena."""
        shared = np.zeros(team_size(threads), np.int64)
        workers = [self, *(copy(self) for _ in range(threads - 1))]
        for number, worker in enumerate(workers):
            worker.frame, worker.sections = self.frame.copy(), self.sections.copy()
            worker.frame[[frame.MEMBER, frame.PARTS]] = number, threads
            worker.shared = shared
            worker.frame[frame.TEAM] = address(shared)
        return workers


def run_teams(
    parts: Sequence[Part],
    threads: int,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Run parts of jobs in turn, one tile after another, all threads on each.

    `progress` is called with the number of samples done. Returns False if a sample is not finite;
    the rest is then not run.
    """

    def run(worker: Worker, part: Part) -> bool:
        try:
            return worker.run(part)
        except BaseException:
            part.job.halt[0] = 1  # the others would wait for this one
            raise

    for part in parts:
        workers = Worker(part.job).team(threads)
        helpers: list[Future] = []
        try:
            helpers = crew().submit([partial(run, worker, part) for worker in workers[1:]])
            valid = workers[0].run(part)
        except BaseException:
            part.job.halt[0] = 1
            raise
        finally:
            wait_for(helpers)
        for helper in helpers:
            helper.result()  # or raises what went wrong
        if part.job.halt[0]:
            break
        if not valid:
            return False
        if progress is not None:
            progress(part.stop - part.first)
    return True


def run_parts(
    parts: Sequence[Part],
    threads: int,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Run parts of jobs on so many threads.

    `progress` is called with the number of samples done, from any thread. Returns False if a
    sample is not finite; the rest is then not run.
    """
    todo: queue.SimpleQueue[Part] = queue.SimpleQueue()
    for part in parts:
        todo.put(part)

    def work() -> bool:
        worker: Worker | None = None
        valid = True
        try:
            while not (part := todo.get_nowait()).job.halt[0]:
                if worker is None or worker.job is not part.job:
                    worker = None  # before there is another arena
                    worker = Worker(part.job)
                valid = worker.run(part)
                if not valid:
                    part.job.halt[0] = 1
                if progress is not None and part.steps[1] == part.job.repeats:
                    progress(part.stop - part.first)
        except queue.Empty:
            return valid
        except BaseException:
            for part in parts:
                part.job.halt[0] = 1
            raise
        return valid

    helpers = crew().submit([work] * (threads - 1)) if threads > 1 else []
    try:
        valid = work()
    finally:
        wait_for(helpers)
    return all([valid, *(helper.result() for helper in helpers)])  # or raises what went wrong


def wait_for(helpers: list[Future]) -> None:
    """Until all have ended, well or not; `concurrent.futures.wait` takes longer than small jobs."""
    for helper in helpers:
        helper.exception()


def watched(run: Callable[[], bool], halt: np.ndarray) -> bool:
    """Let a thread of the crew run, so that this one can take signals such as Ctrl-C.

    What they raise here comes once the run has halted: it writes to arrays of ours.
    """
    [runner] = crew().submit([run])
    try:
        while not wait([runner], WATCH).done:
            pass
    finally:
        halt[0] = 1
        runner.exception()
    return bool(runner.result())


def split(job: Job, first: int, stop: int, shares: int, least: int) -> list[Part]:
    """Cut a range of samples into parts: each one of `shares` of what is left, in whole tiles.

    They shrink, so that threads end at almost the same time, though one may be slower than another:
    to `least` tiles, and at the very end, where these were more than four shares, to one.
    """
    parts = []
    while first < stop:
        tiles = -(-(stop - first) // job.samples)
        size = max(tiles // shares, min(least, 4 * tiles // shares), 1)
        end = min(first + size * job.samples, stop)
        parts.append(Part(job, first, end, (0, job.repeats)))
        first = end
    return parts


def split_steps(part: Part, pieces: int) -> list[Part]:
    """Cut a part into so many with fewer steps each."""
    begin, end = part.steps
    bounds = [begin + (end - begin) * i // pieces for i in range(pieces + 1)]
    return [part._replace(steps=(a, b)) for a, b in pairwise(bounds)]
