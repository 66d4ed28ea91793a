"""LLVM's types of a vector and of its parts, and what emits code with them.

A vector has `LANES` lanes: sixteen where AVX-512 is, else eight (one AVX2 register, two of NEON).
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from backlit_kernels.target import target

LANES = target().lanes

FLOAT = ir.FloatType()
INT = ir.IntType(32)
INT64 = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
INTS = ir.VectorType(INT, LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)
BYTES = ir.VectorType(ir.IntType(8), LANES)


def address(builder: Any, pointer: Any, index: Any, kind: ir.Type = VECTOR) -> Any:
    """The address of ``pointer[index]``, seen as a pointer to `kind`."""
    return builder.bitcast(builder.gep(pointer, [index]), kind.as_pointer())


def spaced(builder: Any, start: Any, step: Any, count: int) -> list[Any]:
    """``start``, ``start + step``, ...: so many of them."""
    return [builder.add(start, builder.mul(step, INT64(i))) for i in range(count)]


def _byte_address(builder: Any, pointer: Any, index: Any) -> Any:
    first = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(first, [index]), BYTES.as_pointer())


def marks_at(builder: Any, pointer: Any, index: Any) -> Any:
    """Which of `LANES` bytes are not zero."""
    found = builder.load(_byte_address(builder, pointer, index), align=1)
    return builder.icmp_unsigned("!=", found, ir.Constant(BYTES, [0] * LANES))


def put_marks(builder: Any, pointer: Any, index: Any, mask: Any) -> None:
    """A byte for each lane: all bits where the mask holds."""
    builder.store(builder.sext(mask, BYTES), _byte_address(builder, pointer, index), align=1)


def broadcast(builder: Any, scalar: Any) -> Any:
    """A scalar in every lane."""
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, INT(0))
    return builder.shuffle_vector(single, single, ir.Constant(INTS, [0] * LANES))


def rectify(builder: Any, value: Any, ceiling: Any) -> Any:
    """Lanes below zero, or above a ceiling, become these; what is no vector is no ceiling."""
    zero = ir.Constant(VECTOR, [0.0] * LANES)
    value = builder.select(builder.fcmp_ordered("<", value, zero), zero, value)
    if ceiling.type != VECTOR:
        return value
    return builder.select(builder.fcmp_ordered(">", value, ceiling), ceiling, value)


def is_inside(builder: Any, value: Any, ceiling: Any) -> Any:
    """Which lanes are positive and below a ceiling; what is no vector is no ceiling."""
    positive = builder.fcmp_ordered(">", value, ir.Constant(VECTOR, [0.0] * LANES))
    if ceiling.type != VECTOR:
        return positive
    return builder.and_(positive, builder.fcmp_ordered("<", value, ceiling))


def call_llvm(builder: Any, name: str, result: ir.Type, values: list[Any]) -> Any:
    """Call the LLVM intrinsic of this (mangled) name."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)
