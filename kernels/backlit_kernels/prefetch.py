"""Asking for memory before it is needed.

Weights that no near cache holds come in a stream. Processors see it coming, but some ask too late:
on Intel's Sapphire Rapids, a product that uses each weight for one vector of positions took 1.45
times as long without this, and writing what Winograd's method makes, a few lines of each channel,
1.4 times.
"""

from typing import Any

from llvmlite import ir
from numba.core import types

from backlit_kernels.llvm import INT, call_llvm
from backlit_kernels.vector_type import Emit, compiles_to

AHEAD = 64  # rows of a register tile's weights


def prefetch(memory: Any, index: int) -> None:
    """Ask for the cache line of a float that will be read soon; any index will do."""


def prefetch_to_write(memory: Any, index: int) -> None:
    """Ask for one that will be written."""


def _emit_prefetch(writes: int) -> Emit:
    def emit(builder: Any, values: list[Any]) -> Any:
        memory, index = values
        place = builder.bitcast(builder.gep(memory, [index]), ir.IntType(8).as_pointer())
        call_llvm(builder, "llvm.prefetch", ir.VoidType(), [place, *map(INT, (writes, 3, 1))])
        return ir.Constant(ir.IntType(8).as_pointer(), None)

    return emit


_place = types.CPointer, types.Integer
compiles_to(prefetch, _emit_prefetch(0), types.none, *_place)
compiles_to(prefetch_to_write, _emit_prefetch(1), types.none, *_place)
