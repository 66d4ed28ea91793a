"""Whole numbers in the arena, each in place of a float."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from backlit_kernels.vector import _INT, compiles_to


def load_index(memory: Any, index: int) -> int:
    """A whole number that `store_index` wrote in place of a float."""
    return int(memory.view(np.int32)[index])


def store_index(memory: Any, index: int, value: int) -> None:
    """Write a whole number below 2**31 in place of a float."""
    memory.view(np.int32)[index] = value


def _index_address(b: Any, v: list[Any]) -> Any:
    return b.bitcast(b.gep(v[0], [v[1]]), _INT.as_pointer())


def _emit_store_index(b: Any, v: list[Any]) -> Any:
    b.store(b.trunc(v[2], _INT), _index_address(b, v))
    return ir.Constant(ir.IntType(8).as_pointer(), None)


compiles_to(
    load_index,
    lambda b, v: b.sext(b.load(_index_address(b, v)), ir.IntType(64)),
    types.int64,
    types.CPointer,
    types.Integer,
)
compiles_to(
    store_index, _emit_store_index, types.none, types.CPointer, types.Integer, types.Integer
)
