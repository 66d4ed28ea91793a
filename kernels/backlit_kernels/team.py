"""Several threads on one sample: a team shares an arena and runs the same program in step.

The work of kernels that take ``team`` (the frame) is divided into as many parts as there are
threads; the others are one part. Each thread takes the part with its own number, and then those
that nobody has taken yet: one that came late, or that the system let wait, holds nobody up. An
instruction begins when all parts of the one before are done.
"""

import sys
from threading import Lock
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from backlit_kernels.frame import DONE, HALT, INVALID, PART, PARTS, TEAM, integers_at
from backlit_kernels.kernel import helper
from backlit_kernels.vector import LANES
from backlit_kernels.vector_type import compiles_to

# Threads that may work at a time where each needs a room of its own, and where a register tile is
# all that one has to hold.
ROOMS, SMALL_ROOMS = 4, 16
PATIENCE = 2000  # looks at what the others have done before the processor is given away

# What a team shares, int64s: how many parts are done, whether a sample is invalid; then for each
# part, so far apart that none lies in the cache line of another, the mark of who took it last.
INVALID_SAMPLE, MARKS, APART = 1, 16, 16

_one_at_a_time = Lock()  # in Python


def team_size(threads: int) -> int:
    """How many int64s a team shares."""
    return MARKS + threads * APART


def add_one(address: int) -> int:
    """Add one to the int64 at an address, as one operation; returns what it was."""
    memory = integers_at(address)
    with _one_at_a_time:
        memory[0] += 1
        return int(memory[0]) - 1


def raise_to(address: int, mark: int) -> int:
    """Raise the int64 at an address to a mark if it is lower, as one; returns what it was."""
    memory = integers_at(address)
    with _one_at_a_time:
        before = int(memory[0])
        memory[0] = max(before, mark)
        return before


def seen(address: int) -> int:
    """The int64 at an address, as the other threads have left it."""
    return int(integers_at(address)[0])


def give_way() -> None:
    """Let another thread have the processor."""


def _emit_give_way(builder: Any, values: list[Any]) -> Any:
    if sys.platform != "win32":
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
    return ir.Constant(ir.IntType(64), 0)


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, ir.IntType(64).as_pointer())


compiles_to(
    add_one,
    lambda b, v: b.atomic_rmw("add", _pointer(b, v[0]), ir.IntType(64)(1), "seq_cst"),
    types.int64,
    types.Integer,
)
compiles_to(
    raise_to,
    lambda b, v: b.atomic_rmw("max", _pointer(b, v[0]), v[1], "seq_cst"),
    types.int64,
    types.Integer,
    types.Integer,
)
compiles_to(
    seen,
    lambda b, v: b.load_atomic(_pointer(b, v[0]), "seq_cst", 8),
    types.int64,
    types.Integer,
)
compiles_to(give_way, _emit_give_way, types.int64)


@helper
def share_among(team: Any, count: int, most: int) -> tuple[int, int]:
    """This thread's part of a range, from where up to where, if so many threads take part."""
    parts = min(team[PARTS], most)
    first, last = min(team[PART], parts), min(team[PART] + 1, parts)
    return count * first // parts, count * last // parts


@helper
def share(team: Any, count: int) -> tuple[int, int]:
    """The same if all of them do."""
    return share_among(team, count, team[PARTS])


@helper
def vectors(team: Any, size: int) -> Any:
    """Where this thread's vectors of a buffer of so many floats begin."""
    first, last = share(team, -(-size // LANES))
    return range(first * LANES, last * LANES, LANES)


@helper
def strips(team: Any, step: int, width: int) -> tuple[int, int]:
    """This thread's vectors of a class; the last of all overlaps that before, which is its too."""
    whole = step // width
    first, last = share(team, whole)
    return first, last + (1 if last == whole and step > whole * width else 0)


@helper
def others_are_done(frame: Any) -> bool:
    """Wait until all is done that was before this instruction, or the run was told to halt.

    Then it is False, and to be left at once: some part may never be done.
    """
    looks = 0
    while seen(frame[TEAM]) < frame[DONE]:
        looks += 1
        if looks == PATIENCE:
            if seen(frame[HALT]) != 0:
                return False
            give_way()
            looks = 0
    return True


@helper
def take(frame: Any, part: int) -> bool:
    """Whether a part of this instruction is this thread's: nobody else has taken it.

    Marks only rise, so that to a thread that is behind all parts are taken.
    """
    place, mark = frame[TEAM] + 8 * (MARKS + part * APART), frame[DONE] + 1
    return seen(place) < mark and raise_to(place, mark) < mark


@helper
def put_down(frame: Any, parts: int) -> bool:
    """Let the others know that a part of this instruction is done; whether it was the last."""
    if frame[INVALID] != 0:
        integers_at(frame[TEAM])[INVALID_SAMPLE] = 1
    return bool(add_one(frame[TEAM]) + 1 == frame[DONE] + parts)


@helper
def ends(frame: Any) -> bool:
    """Whether to end here: a sample was not finite, or the run was told to halt."""
    if frame[PARTS] > 1:
        if not others_are_done(frame):
            return True
        frame[INVALID] = integers_at(frame[TEAM])[INVALID_SAMPLE]
    return bool((frame[INVALID] | seen(frame[HALT])) != 0)
