"""The engine: runs a program over a data set, on threads of its own."""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from backlit_kernels import frame
from backlit_kernels.machine import run_machine

from backlit.layout import CACHE_LINE
from backlit.tape import Program

# From this many multiply-adds a tile on, threads work on one tile together if there are few.
TEAM_WORK = 10_000_000
# Under this many multiply-adds in all, starting a thread costs more than it saves.
SERIAL_WORK = 10_000_000
PIECES_PER_THREAD = 8


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def address(array: np.ndarray) -> int:
    """Where an array's data lies (quicker than through ctypes)."""
    where: int = array.__array_interface__["data"][0]
    return where


def aligned(size: int) -> np.ndarray:
    """Uninitialised float32 memory that begins at a cache line."""
    memory = np.empty(size + CACHE_LINE, np.float32)
    start = (-address(memory) % 64) // 4
    return memory[start : start + size]


@dataclass(frozen=True, eq=False)
class Job:
    """A program, the arrays it reads and writes by port number, and how often its body runs."""

    program: Program
    ports: Sequence[np.ndarray | None]
    repeats: int = 1


class Worker:
    """What one thread needs to run a job: an arena and a frame."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.arena = aligned(job.program.arena_size)
        self.frame = np.zeros(frame.SIZE, np.int64)
        self.frame[frame.PARTS] = 1
        self.meeting = np.zeros(2 * CACHE_LINE, np.int64)
        for number, array in enumerate(job.ports):
            if array is not None:
                self.frame[frame.PORTS + number] = address(array)

    def run(self, first: int, stop: int) -> bool:
        """Run over a range of samples; False if one of them is not finite."""
        program = self.job.program
        run_machine(
            self.arena,
            program.constants,
            program.code,
            self.frame,
            program.sections,
            self.job.repeats,
            first,
            stop,
            program.lanes,
        )
        return not self.frame[frame.INVALID]

    def team(self, threads: int) -> "list[Worker]":
        """This worker and others that run in step with it, on its arena."""
        workers = [self, *(copy(self) for _ in range(threads - 1))]
        for part, worker in enumerate(workers):
            worker.frame = self.frame.copy()
            worker.frame[[frame.PART, frame.PARTS]] = part, threads
            worker.frame[frame.MEETING] = address(self.meeting)
        return workers


def run_team(job: Job, first: int, stop: int, threads: int) -> bool:
    """Run a range of samples one tile after another, all threads on each.

    Returns False if a sample is not finite; the rest is then not run.
    """
    workers = Worker(job).team(threads)
    helpers = [
        threading.Thread(target=worker.run, args=(first, stop), daemon=True)
        for worker in workers[1:]
    ]
    for thread in helpers:
        thread.start()
    valid = workers[0].run(first, stop)
    for thread in helpers:
        thread.join()
    return valid


def run_parts(
    parts: Sequence[tuple[Job, int, int]],
    threads: int,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Run parts of jobs (ranges of samples) on so many threads.

    `progress` is called with the number of samples done, from any thread. Returns False if a
    sample is not finite; the rest is then not run.
    """
    if threads == 1:
        for job, first, stop in parts:
            if not Worker(job).run(first, stop):
                return False
            if progress is not None:
                progress(stop - first)
        return True
    todo: queue.SimpleQueue[tuple[Job, int, int]] = queue.SimpleQueue()
    for part in parts:
        todo.put(part)
    invalid = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        workers: dict[int, Worker] = {}
        try:
            while not invalid.is_set() and not failures:
                job, first, stop = todo.get_nowait()
                worker = workers.get(id(job))
                if worker is None:
                    worker = workers[id(job)] = Worker(job)
                if not worker.run(first, stop):
                    invalid.set()
                if progress is not None:
                    progress(stop - first)
        except queue.Empty:
            return
        except BaseException as error:  # raised again in the calling thread
            failures.append(error)

    helpers = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for thread in helpers:
        thread.start()
    work()
    for thread in helpers:
        thread.join()
    if failures:
        raise failures[0]
    return not invalid.is_set()


def split(job: Job, first: int, stop: int, pieces: int) -> list[tuple[Job, int, int]]:
    """Cut a range of samples into about so many parts of whole tiles."""
    lanes = job.program.lanes
    tiles = -(-(stop - first) // lanes)
    pieces = min(tiles, pieces)
    bounds = [first + lanes * (tiles * i // pieces) for i in range(pieces)]
    return [
        (job, a, min(b, stop)) for a, b in zip(bounds, [*bounds[1:], stop], strict=True) if a < b
    ]
