"""Polynomials of vectors, with their coefficients in a table.

In code made at run time each constant has a 64-bit address of its own: two instructions a
coefficient, beside the multiply-add. In a table of whole vectors, multiply-adds read them
themselves, all from one address. Neighbouring terms are put together in pairs, these in pairs, and
so on (Estrin, "Organization of computer systems", 1960): few wait for one another.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from backlit_kernels.llvm import VECTOR, call_llvm
from backlit_kernels.vector import LANES, fma, splat
from backlit_kernels.vector_type import VectorType, compiles_to, vector

_POINTER = ir.IntType(8).as_pointer()


@cache
def polynomial(*coefficients: float) -> Callable[[Any], Any]:
    """The function of a vector with these coefficients, the highest power's first."""
    ascending = coefficients[::-1]

    def polynomial(x: Any) -> Any:
        return _in_pairs([splat(c) for c in ascending], x, fma, np.multiply)

    def emit(b: Any, v: list[Any]) -> Any:
        def multiply_add(*values: Any) -> Any:
            return call_llvm(b, f"llvm.fmuladd.v{LANES}f32", VECTOR, list(values))

        return _in_pairs(_table(b, ascending), v[0], multiply_add, b.fmul)

    return compiles_to(polynomial, emit, vector, VectorType)


def _in_pairs(terms: list[Any], power: Any, multiply_add: Callable, multiply: Callable) -> Any:
    while len(terms) > 1:
        pairs = zip(terms[1::2], terms[::2], strict=False)
        alone = terms[len(terms) // 2 * 2 :]
        terms = [multiply_add(high, power, low) for high, low in pairs] + alone
        if len(terms) > 1:
            power = multiply(power, power)
    return terms[0]


def _table(builder: Any, values: tuple[float, ...]) -> list[Any]:
    """The values as vectors, loaded from a table that LLVM does not know to be one."""
    rows = [ir.Constant(VECTOR, [value] * LANES) for value in values]
    table = ir.Constant(ir.ArrayType(VECTOR, len(values)), rows)
    place = cgutils.global_constant(builder, "coefficients", table)
    place.align = 4 * LANES
    kind = ir.FunctionType(_POINTER, [_POINTER])
    start = builder.asm(kind, "", "=r,0", [builder.bitcast(place, _POINTER)], side_effect=False)
    start = builder.bitcast(start, VECTOR.as_pointer())
    return [builder.load(builder.gep(start, [ir.IntType(64)(i)])) for i in range(len(values))]
