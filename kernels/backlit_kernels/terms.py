"""Which terms of a sum there are: inputs that are zero in every lane add nothing.

Behind a ReLU, and in pictures with an empty border, many are (of MNIST's pixels, 44 % in tiles of
32 digits). A product that goes through a list of the others gives the same bits, weights being
finite.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from backlit_kernels.bits import bits_of, floats_of
from backlit_kernels.kernel import pasted
from backlit_kernels.lanes import for_lanes
from backlit_kernels.llvm import INT
from backlit_kernels.prefetch import AHEAD, prefetch
from backlit_kernels.vector import LANES, any_of, splat
from backlit_kernels.vector_type import compiles_to


@for_lanes
def list_terms(load: Any, store: Any, width: int) -> Any:
    def list_terms(arena: Any, x: int, terms: int, depth: int, pieces: int, lanes: int) -> None:
        """List the rows of `lanes` floats that are not all zero.

        A list at `terms` begins with where its entries for each of the `pieces` of the sum end
        (cut as in `product`). The entries follow, and the `AHEAD` first rows of the block of
        weights that comes next.
        """
        zero = splat(0.0)
        piece = -(-depth // pieces)
        first = at = terms + pieces
        for p in range(pieces):
            for k in range(p * piece, min(p * piece + piece, depth)):
                row = x + k * lanes
                bits = bits_of(load(arena, row))
                for i in range(row + LANES, row + lanes, LANES):
                    bits = bits | bits_of(load(arena, i))
                store_index(arena, at, k)
                at += 1 if any_of(~(floats_of(bits) == zero)) else 0
            store_index(arena, terms + p, at - terms)
        for i in range(AHEAD):
            ahead = load_index(arena, first + i) if first + i < at else 0
            store_index(arena, at + i, depth + ahead)

    return list_terms


@pasted
def entries(arena: Any, terms: int, pieces: int, p: int) -> Any:
    """Where the entries for a piece of the sum begin and end."""
    begin = load_index(arena, terms + p - 1) if p > 0 else pieces
    return terms + begin, terms + load_index(arena, terms + p)


@pasted
def term_at(arena: Any, entry: int, constants: Any, weights: int, rows: int) -> Any:
    """The row that an entry names; the weights of one further on are asked for.

    No processor guesses which these are.
    """
    prefetch(constants, weights + load_index(arena, entry + AHEAD) * rows)
    return load_index(arena, entry)


# --- whole numbers in place of floats ---------------------------------------------------------


def load_index(memory: Any, index: int) -> int:
    """A whole number that `store_index` wrote in place of a float."""
    return int(memory.view(np.int32)[index])


def store_index(memory: Any, index: int, value: int) -> None:
    """Write a whole number below 2**31 in place of a float."""
    memory.view(np.int32)[index] = value


def _index_address(b: Any, v: list[Any]) -> Any:
    return b.bitcast(b.gep(v[0], [v[1]]), INT.as_pointer())


def _emit_store_index(b: Any, v: list[Any]) -> Any:
    b.store(b.trunc(v[2], INT), _index_address(b, v))
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
