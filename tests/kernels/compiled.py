"""Functions of vectors, compiled and run over whole arrays."""

import numba
import numpy as np
from backlit_kernels.vector import LANES, load, store
from numba import types

_FLOATS = types.CPointer(types.float32)


def run(function, *arrays):
    """``function(*arrays)``, compiled, a vector at a time; the arrays' length is whole vectors."""
    size = len(arrays[0])
    memory = np.concatenate([*arrays, np.zeros(size)]).astype(np.float32)
    out = len(arrays) * size
    at = {
        1: lambda memory, i: function(load(memory, i)),
        2: lambda memory, i: function(load(memory, i), load(memory, size + i)),
        3: lambda memory, i: function(
            load(memory, i), load(memory, size + i), load(memory, 2 * size + i)
        ),
    }
    apply = numba.njit(error_model="numpy")(at[len(arrays)])

    @numba.cfunc(types.void(_FLOATS))
    def loop(memory):
        for i in range(0, size, LANES):
            store(memory, out + i, apply(memory, i))

    loop.ctypes(memory.ctypes.data_as(loop.ctypes.argtypes[0]))
    return memory[out:]


def in_python(function, *arrays):
    """The same without compiling."""
    pieces = [a.astype(np.float32).reshape(-1, LANES) for a in arrays]
    with np.errstate(all="ignore"):
        return np.concatenate([function(*vectors) for vectors in zip(*pieces, strict=True)])
