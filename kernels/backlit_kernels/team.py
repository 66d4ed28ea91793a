"""Several threads on one sample: a team shares an arena and runs the same program in step.

Kernels that take ``team`` (the frame) divide their work between the threads; the others are run by
the first. After each instruction the threads wait for one another.
"""

import sys
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from backlit_kernels.frame import ARRIVALS, HALT, INVALID, MEETING, PART, PARTS, integers_at
from backlit_kernels.kernel import helper
from backlit_kernels.vector import LANES
from backlit_kernels.vector_type import compiles_to

# Threads that may work at a time where each needs a room of its own, and where a register tile is
# all that one has to hold.
ROOMS, SMALL_ROOMS = 4, 16
PATIENCE = 2000  # looks at the others' arrivals before the processor is given away


def arrive(address: int) -> int:
    """Add one to the int64 at an address, as one operation; returns what it was."""
    memory = integers_at(address)
    memory[0] += 1
    return int(memory[0]) - 1


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
    arrive,
    lambda b, v: b.atomic_rmw("add", _pointer(b, v[0]), ir.IntType(64)(1), "seq_cst"),
    types.int64,
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
def meet(frame: Any) -> bool:
    """Wait until all threads of the team have come here, or the run was told to halt.

    Then it is False, and to be left at once: some thread may never come.
    """
    frame[ARRIVALS] += frame[PARTS]
    arrive(frame[MEETING])
    looks = 0
    while seen(frame[MEETING]) < frame[ARRIVALS]:
        looks += 1
        if looks == PATIENCE:
            if seen(frame[HALT]) != 0:
                return False
            give_way()
            looks = 0
    return True


@helper
def ends(frame: Any) -> bool:
    """Whether to end here: a sample was not finite, or the run was told to halt.

    In a team that is what the first thread, which loads samples, says of itself.
    """
    if frame[PARTS] == 1:
        return bool((frame[INVALID] | seen(frame[HALT])) != 0)
    meeting = integers_at(frame[MEETING])
    if frame[PART] == 0:
        meeting[1] = frame[INVALID] | seen(frame[HALT])
    if not meet(frame):
        return True
    ended = meeting[1] != 0
    return not meet(frame) or bool(ended)
