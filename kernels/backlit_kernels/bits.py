"""Vectors of `LANES` 32-bit unsigned integers, for hashing: their arithmetic wraps around.

As with `backlit_kernels.vector`, each operation is a NumPy function with its LLVM instruction
attached; in Python such a vector is a uint32 array. Shifts are by constants.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from backlit_kernels.llvm import INT, INTS, VECTOR
from backlit_kernels.vector import LANES
from backlit_kernels.vector_type import VectorType, compiles_to, vector


class _BitsType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"uint32x{LANES}")


bits = _BitsType()


@register_model(_BitsType)
class _BitsModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, INTS)


def splat_bits(value: int) -> Any:
    """The lowest 32 bits of a whole number, in every lane."""
    return np.full(LANES, value & 0xFFFFFFFF, np.uint32)


def lane_numbers() -> Any:
    """0, 1, 2, ..."""
    return np.arange(LANES, dtype=np.uint32)


def bits_of(floats: Any) -> Any:
    """The bits of floats."""
    return floats.view(np.uint32)


def floats_of(value: Any) -> Any:
    """The floats of these bits."""
    return value.view(np.float32)


def signed(value: Any) -> Any:
    """The nearest floats of these bits, read as whole numbers in [-2**31, 2**31)."""
    return value.view(np.int32).astype(np.float32)


def _emit_splat(b: Any, v: list[Any]) -> Any:
    single = b.insert_element(ir.Constant(INTS, ir.Undefined), b.trunc(v[0], INT), INT(0))
    return b.shuffle_vector(single, single, ir.Constant(INTS, [0] * LANES))


def _emit_shift(shift: str) -> Any:
    return lambda b, v: getattr(b, shift)(v[0], _emit_splat(b, v[1:]))


_pair = (_BitsType, _BitsType)
compiles_to(splat_bits, _emit_splat, bits, types.Integer)
compiles_to(lane_numbers, lambda b, v: ir.Constant(INTS, list(range(LANES))), bits)
compiles_to(bits_of, lambda b, v: b.bitcast(v[0], INTS), bits, VectorType)
compiles_to(floats_of, lambda b, v: b.bitcast(v[0], VECTOR), vector, _BitsType)
compiles_to(signed, lambda b, v: b.sitofp(v[0], VECTOR), vector, _BitsType)
compiles_to(operator.add, lambda b, v: b.add(v[0], v[1]), bits, *_pair)
compiles_to(operator.mul, lambda b, v: b.mul(v[0], v[1]), bits, *_pair)
compiles_to(operator.xor, lambda b, v: b.xor(v[0], v[1]), bits, *_pair)
compiles_to(operator.and_, lambda b, v: b.and_(v[0], v[1]), bits, *_pair)
compiles_to(operator.or_, lambda b, v: b.or_(v[0], v[1]), bits, *_pair)
compiles_to(operator.lshift, _emit_shift("shl"), bits, _BitsType, types.Integer)
compiles_to(operator.rshift, _emit_shift("lshr"), bits, _BitsType, types.Integer)
