"""Groups of neighbouring lanes that share a sample: each lane takes every so many-th of its steps.

How many lanes share one is the frame's ``SHARE``, a power of two; 1 where each has its own sample.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from backlit_kernels.bits import lane_numbers, splat_bits
from backlit_kernels.frame import COUNT, SAMPLE, SHARE, STEP
from backlit_kernels.kernel import helper
from backlit_kernels.llvm import INTS
from backlit_kernels.vector import LANES
from backlit_kernels.vector_type import VectorType, compiles_to, vector


@helper
def sample_of(frame: Any, lane: int) -> int:
    """The number of a lane's sample; lanes without one take the last."""
    return int(frame[SAMPLE] + min(lane // frame[SHARE], frame[COUNT] - 1))


@helper
def step_of(frame: Any, lane: int) -> int:
    """The step that a lane is at."""
    return int(frame[STEP] * frame[SHARE] + lane % frame[SHARE])


@helper
def steps_of_lanes(frame: Any) -> Any:
    """The same of a vector's lanes, as bits."""
    lanes = lane_numbers() & splat_bits(frame[SHARE] - 1)
    return splat_bits(frame[STEP] * frame[SHARE]) + lanes


def _groups_of(share: int) -> Callable[[Any, Any], Any]:
    share = min(share, LANES)
    places = [[lane // share * share + one for lane in range(LANES)] for one in range(share)]

    def add_group(total: Any, value: Any) -> Any:
        """`total` and the values of a group's lanes, in their order, in each of its lanes."""
        for one in places:
            total = total + value[one]
        return total

    def emit(b: Any, v: list[Any]) -> Any:
        total, value = v
        for one in places:
            total = b.fadd(total, b.shuffle_vector(value, value, ir.Constant(INTS, one)))
        return total

    added: Callable[[Any, Any], Any] = compiles_to(add_group, emit, vector, *[VectorType] * 2)
    return added


add_two, add_four, add_eight, add_all = map(_groups_of, (2, 4, 8, LANES))


@helper
def add_groups(total: Any, value: Any, share: int) -> Any:
    """`total` and the values of each group's lanes, in their order."""
    if share == 1:
        return total + value
    if share == LANES:
        return add_all(total, value)
    if share == 2:
        return add_two(total, value)
    return add_four(total, value) if share == 4 else add_eight(total, value)
