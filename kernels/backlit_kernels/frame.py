"""The frame: what a running job tells its kernels, as int64s.

The first fields are counters; from ``PORTS`` on lie the addresses of arrays outside the arena
(input, output, targets, ...), which kernels reach by port number.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from backlit_kernels.vector_type import compiles_to

SAMPLE = 0  # number of the tile's first sample
COUNT = 1  # how many of the tile's lanes hold samples
STEP = 2  # number of the current repetition of the body
INVALID = 3  # not 0 once a sample held NaN or infinity
PART, PARTS = 4, 5  # which part of an instruction's work is being done, and of how many
TEAM = 6  # address of what the threads of a team tell one another: see backlit_kernels.team
DONE = 7  # how many parts are done when all instructions before this one are
OPENS, CLOSES = 8, 9  # whether the current step is the first, the last one of a partial sum
HALT = 10  # address of an int64 that is not 0 once the run is to end early
SHARE = 11  # how many lanes share a sample: see backlit_kernels.groups
MEMBER = 12  # this thread's number in its team, and that of the parts which it takes first
PORTS = 13
SIZE = 29


def floats_at(address: int) -> Any:
    """The float32 memory at an address."""
    return _memory_at(address, np.float32)


def integers_at(address: int) -> Any:
    """The int64 memory at an address."""
    return _memory_at(address, np.int64)


def _memory_at(address: int, kind: Any) -> Any:
    interface = {
        "data": (int(address), False),
        "shape": (1 << 46,),
        "typestr": np.dtype(kind).str,
        "version": 3,
    }
    return np.asarray(type("Memory", (), {"__array_interface__": interface})())


compiles_to(
    floats_at,
    lambda b, v: b.inttoptr(v[0], ir.FloatType().as_pointer()),
    types.CPointer(types.float32),
    types.Integer,
)
compiles_to(
    integers_at,
    lambda b, v: b.inttoptr(v[0], ir.IntType(64).as_pointer()),
    types.CPointer(types.int64),
    types.Integer,
)
