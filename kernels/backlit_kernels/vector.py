"""The operations on vectors, `LANES` float32s side by side, that kernels are written with.

Each is a plain NumPy function with its LLVM instructions attached, so that kernels run both
compiled and, under ``NUMBA_DISABLE_JIT=1``, as ordinary Python. Lanes never mix in arithmetic, so
results do not depend on their number.

Memory is a pointer to float32 in compiled code and a one-dimensional float32 array in Python.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from backlit_kernels.llvm import (
    INT,
    INTS,
    LANES,
    VECTOR,
    address,
    broadcast,
    call_llvm,
    is_inside,
    marks_at,
    put_marks,
    rectify,
)
from backlit_kernels.vector_type import Emit, MaskType, VectorType, compiles_to, mask, vector

NOWHERE = -1  # in place of a distance to marks, for none


# --- memory ---------------------------------------------------------------------------------


def load(memory: Any, index: int) -> Any:
    """`LANES` adjacent floats."""
    return memory[index : index + LANES].copy()


def store(memory: Any, index: int, value: Any) -> None:
    """Write `LANES` adjacent floats."""
    memory[index : index + LANES] = value


def load_one(memory: Any, index: int) -> Any:
    """One float in every lane."""
    return np.full(LANES, memory[index], np.float32)


def store_one(memory: Any, index: int, value: Any) -> None:
    """Write the first lane alone."""
    memory[index] = value[0]


def load_marks(memory: Any, index: int) -> Any:
    """A mask of `LANES` adjacent bytes; `index` counts bytes."""
    return memory.view(np.uint8)[index : index + LANES] != 0


def store_marks(memory: Any, index: int, mask: Any) -> None:
    """Write a mask as `LANES` adjacent bytes."""
    memory.view(np.uint8)[index : index + LANES] = np.where(mask, 255, 0)


def splat(scalar: float) -> Any:
    """A scalar in every lane."""
    return np.full(LANES, scalar, np.float32)


def store_mark(memory: Any, index: int, mask: Any) -> None:
    """Write the first lane's byte alone."""
    memory.view(np.uint8)[index] = 255 if mask[0] else 0


def _emit_load(b: Any, v: list[Any]) -> Any:
    return b.load(address(b, v[0], v[1]), align=4)


def _emit_store(b: Any, v: list[Any]) -> Any:
    b.store(v[2], address(b, v[0], v[1]), align=4)
    return ir.Constant(ir.IntType(8).as_pointer(), None)


def _emit_store_one(b: Any, v: list[Any]) -> Any:
    b.store(b.extract_element(v[2], INT(0)), b.gep(v[0], [v[1]]))
    return ir.Constant(ir.IntType(8).as_pointer(), None)


def _emit_load_marks(b: Any, v: list[Any]) -> Any:
    return marks_at(b, v[0], v[1])


def _emit_store_marks(b: Any, v: list[Any]) -> Any:
    put_marks(b, v[0], v[1], v[2])
    return ir.Constant(ir.IntType(8).as_pointer(), None)


def _emit_store_mark(b: Any, v: list[Any]) -> Any:
    byte = b.sext(b.extract_element(v[2], INT(0)), ir.IntType(8))
    b.store(byte, b.gep(b.bitcast(v[0], ir.IntType(8).as_pointer()), [v[1]]))
    return ir.Constant(ir.IntType(8).as_pointer(), None)


compiles_to(load, _emit_load, vector, types.CPointer, types.Integer)
compiles_to(store, _emit_store, types.none, types.CPointer, types.Integer, VectorType)
compiles_to(
    load_one,
    lambda b, v: broadcast(b, b.load(b.gep(v[0], [v[1]]))),
    vector,
    types.CPointer,
    types.Integer,
)
compiles_to(store_one, _emit_store_one, types.none, types.CPointer, types.Integer, VectorType)
compiles_to(load_marks, _emit_load_marks, mask, types.CPointer, types.Integer)
compiles_to(store_marks, _emit_store_marks, types.none, types.CPointer, types.Integer, MaskType)
compiles_to(store_mark, _emit_store_mark, types.none, types.CPointer, types.Integer, MaskType)
compiles_to(splat, lambda b, v: broadcast(b, v[0]), vector, types.Float)


# --- arithmetic -----------------------------------------------------------------------------


def fma(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once where the processor can."""
    return (a.astype(np.float64) * b + c).astype(np.float32)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two; a NaN in `b` survives."""
    return np.where(a < b, a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two; a NaN in `b` survives."""
    return np.where(a > b, a, b)


def rectified(a: Any, ceiling: Any | None) -> Any:
    """Lanes below zero, or above a ceiling if there is one, become these; a NaN survives."""
    a = np.where(a < 0, np.float32(0), a)
    return a if ceiling is None else np.where(a > ceiling, ceiling, a)


def inside(a: Any, ceiling: Any | None) -> Any:
    """Which lanes are positive, and below a ceiling if there is one."""
    return a > 0 if ceiling is None else (a > 0) & (a < ceiling)


def larger_of(a: Any, b: Any) -> Any:
    """The larger of two; a NaN in either survives."""
    return np.where((b > a) | np.isnan(b), b, a)


def smaller_of(a: Any, b: Any) -> Any:
    """The smaller of two; a NaN in either survives."""
    return np.where((b < a) | np.isnan(b), b, a)


def absolute(a: Any) -> Any:
    return np.abs(a)


def square_root(a: Any) -> Any:
    return np.sqrt(a)


def round_even(a: Any) -> Any:
    """The nearest whole number."""
    return np.rint(a)


def times_power_of_two(a: Any, exponent: Any) -> Any:
    """``a * 2**exponent`` for whole exponents in [-252, 252]; saturates beyond."""
    return np.ldexp(a, np.clip(exponent, -252, 252).astype(np.int32)).astype(np.float32)


def select(condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`."""
    return np.where(condition, a, b)


def evens(a: Any, b: Any) -> Any:
    """Every other float of two vectors in a row, from the first on."""
    return np.concatenate([a, b])[::2]


def odds(a: Any, b: Any) -> Any:
    """Every other float of two vectors in a row, from the second on."""
    return np.concatenate([a, b])[1::2]


def interleave_low(a: Any, b: Any) -> Any:
    """The first vector of a[0], b[0], a[1], b[1], ..."""
    return np.stack([a, b], axis=1).reshape(-1)[:LANES]


def interleave_high(a: Any, b: Any) -> Any:
    """The second vector of a[0], b[0], a[1], b[1], ..."""
    return np.stack([a, b], axis=1).reshape(-1)[LANES:]


def unordered(a: Any, b: Any) -> Any:
    """Where one of two, or both, are NaN."""
    return np.isnan(a) | np.isnan(b)


def any_of(condition: Any) -> bool:
    """Whether the condition holds in some lane."""
    return bool(condition.any())


def _emit_choice(comparison: str) -> Emit:
    return lambda b, v: b.select(b.fcmp_ordered(comparison, v[0], v[1]), v[0], v[1])


def _emit_sound_choice(comparison: str) -> Emit:
    def emit(b: Any, v: list[Any]) -> Any:
        chosen = b.select(b.fcmp_ordered(comparison, v[1], v[0]), v[1], v[0])
        return b.select(b.fcmp_unordered("uno", v[1], v[1]), v[1], chosen)

    return emit


def _emit_power(b: Any, v: list[Any]) -> Any:
    # in two factors, so that both stay normal numbers
    bound = [ir.Constant(VECTOR, [x] * LANES) for x in (-252.0, 252.0)]
    exponent = b.select(b.fcmp_ordered(">", v[1], bound[0]), v[1], bound[0])
    exponent = b.select(b.fcmp_ordered("<", exponent, bound[1]), exponent, bound[1])
    whole = b.fptosi(exponent, INTS)
    half = b.ashr(whole, ir.Constant(INTS, [1] * LANES))
    bias, shift = ir.Constant(INTS, [127] * LANES), ir.Constant(INTS, [23] * LANES)
    result = v[0]
    for part in (half, b.sub(whole, half)):
        result = b.fmul(result, b.bitcast(b.shl(b.add(part, bias), shift), VECTOR))
    return result


def _emit_shuffle(places: list[int]) -> Emit:
    return lambda b, v: b.shuffle_vector(v[0], v[1], ir.Constant(INTS, places))


def _llvm(name: str) -> Emit:
    return lambda b, v: call_llvm(b, f"llvm.{name}.v{LANES}f32", VECTOR, v)


def _compare(sign: str) -> Emit:
    return lambda b, v: b.fcmp_ordered(sign, v[0], v[1])


_pair = (VectorType, VectorType)
compiles_to(fma, _llvm("fmuladd"), vector, *_pair, VectorType)
compiles_to(absolute, _llvm("fabs"), vector, VectorType)
compiles_to(square_root, _llvm("sqrt"), vector, VectorType)
compiles_to(round_even, _llvm("rint"), vector, VectorType)
compiles_to(minimum, _emit_choice("<"), vector, *_pair)
compiles_to(maximum, _emit_choice(">"), vector, *_pair)
for _ceiling in (VectorType, types.NoneType):
    compiles_to(rectified, lambda b, v: rectify(b, *v), vector, VectorType, _ceiling)
    compiles_to(inside, lambda b, v: is_inside(b, *v), mask, VectorType, _ceiling)
compiles_to(larger_of, _emit_sound_choice(">"), vector, *_pair)
compiles_to(smaller_of, _emit_sound_choice("<"), vector, *_pair)
compiles_to(times_power_of_two, _emit_power, vector, *_pair)
compiles_to(select, lambda b, v: b.select(v[0], v[1], v[2]), vector, MaskType, *_pair)
_mixed = [i // 2 + LANES * (i % 2) for i in range(2 * LANES)]
compiles_to(evens, _emit_shuffle(list(range(0, 2 * LANES, 2))), vector, *_pair)
compiles_to(odds, _emit_shuffle(list(range(1, 2 * LANES, 2))), vector, *_pair)
compiles_to(interleave_low, _emit_shuffle(_mixed[:LANES]), vector, *_pair)
compiles_to(interleave_high, _emit_shuffle(_mixed[LANES:]), vector, *_pair)
compiles_to(
    any_of,
    lambda b, v: b.icmp_unsigned("!=", b.bitcast(v[0], ir.IntType(LANES)), ir.IntType(LANES)(0)),
    types.boolean,
    MaskType,
)
compiles_to(unordered, lambda b, v: b.fcmp_unordered("uno", v[0], v[1]), mask, *_pair)
compiles_to(operator.add, lambda b, v: b.fadd(v[0], v[1]), vector, *_pair)
compiles_to(operator.sub, lambda b, v: b.fsub(v[0], v[1]), vector, *_pair)
compiles_to(operator.mul, lambda b, v: b.fmul(v[0], v[1]), vector, *_pair)
compiles_to(operator.truediv, lambda b, v: b.fdiv(v[0], v[1]), vector, *_pair)
compiles_to(operator.neg, lambda b, v: b.fneg(v[0]), vector, VectorType)
compiles_to(operator.gt, _compare(">"), mask, *_pair)
compiles_to(operator.ge, _compare(">="), mask, *_pair)
compiles_to(operator.lt, _compare("<"), mask, *_pair)
compiles_to(operator.le, _compare("<="), mask, *_pair)
compiles_to(operator.eq, _compare("=="), mask, *_pair)
compiles_to(operator.and_, lambda b, v: b.and_(v[0], v[1]), mask, MaskType, MaskType)
compiles_to(operator.or_, lambda b, v: b.or_(v[0], v[1]), mask, MaskType, MaskType)
compiles_to(operator.invert, lambda b, v: b.not_(v[0]), mask, MaskType)
