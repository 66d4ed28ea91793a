"""The register tile of `backlit_kernels.choices`: a row of the entries of 2x2 blocks.

Operations of its own, beside those of `backlit_kernels.tile`: weights that differ from lane to
lane, each lane picking one of four, and taking blocks apart into rows of pixels.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from backlit_kernels.entries import ENTRIES
from backlit_kernels.llvm import (
    FLOAT,
    INT,
    INT64,
    INTS,
    VECTOR,
    address,
    broadcast,
    call_llvm,
    spaced,
)
from backlit_kernels.target import target
from backlit_kernels.tile import TileType
from backlit_kernels.vector import LANES


def lookup_update(tile: Any, tables: Any, t: int, memory: Any, g: int, which: int) -> Any:
    """``tile[0, b * 4 + e] += tables[t + 4 * e + number[b]] * gradient[b]``

    Gradients lie at `g`, a vector for each block b, and their numbers (see
    `backlit_kernels.entries`) `which` floats on.
    """
    weights = tables[t : t + ENTRIES * ENTRIES].astype(np.float64).reshape(ENTRIES, ENTRIES)
    blocks = tile.shape[1] // ENTRIES
    end = g + blocks * LANES
    numbers = memory[g + which : end + which].view(np.uint8)[::4].reshape(-1, LANES) // 4
    products = weights[:, numbers].swapaxes(0, 1) * memory[g:end].reshape(-1, 1, LANES)
    return (tile + products.reshape(tile.shape)).astype(np.float32)


def upper_row(tile: Any) -> Any:
    """The entries of the blocks' upper rows of pixels, from left to right."""
    return tile.reshape(1, -1, 2, 2, LANES)[:, :, 0].reshape(1, -1, LANES)


def lower_row(tile: Any) -> Any:
    """Those of their lower rows."""
    return tile.reshape(1, -1, 2, 2, LANES)[:, :, 1].reshape(1, -1, LANES)


def interleave_columns(tile: Any) -> Any:
    """Each two columns, a and b, as floats in a row: a[0], b[0], a[1], b[1], ..."""
    return tile.reshape(-1, 2, LANES).swapaxes(1, 2).reshape(tile.shape)


# --- how they compile ------------------------------------------------------------------------


@type_callable(lookup_update)
def _type_lookup_update(context: Any) -> Any:
    return lambda tile, tables, t, memory, g, which: tile


@lower_builtin(
    lookup_update, TileType, types.CPointer, types.Integer, types.CPointer, *[types.Integer] * 2
)
def _lower_lookup_update(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    tile, tables, t, memory, g, which = args
    first = builder.gep(tables, [t])
    blocks = []
    for at in spaced(builder, g, INT64(LANES), sig.args[0].columns // ENTRIES):
        gradient = builder.load(address(builder, memory, at), align=4)
        place = address(builder, memory, builder.add(at, which), INTS)
        blocks.append((gradient, _chooser(builder, builder.load(place, align=4))))
    for e in range(ENTRIES):
        table = _table(builder, builder.gep(first, [INT64(e * ENTRIES)]))
        for b, (gradient, choose) in enumerate(blocks):
            n = b * ENTRIES + e
            total = [choose(table), gradient, builder.extract_value(tile, n)]
            total = call_llvm(builder, f"llvm.fmuladd.v{LANES}f32", VECTOR, total)
            tile = builder.insert_value(tile, total, n)
    return tile


_FOUR = ir.VectorType(FLOAT, ENTRIES)
_BYTES = ir.VectorType(ir.IntType(8), 4 * LANES)


def _table(builder: Any, pointer: Any) -> Any:
    """Four floats, in each four lanes of a vector."""
    four = builder.load(builder.bitcast(pointer, _FOUR.as_pointer()), align=4)
    lanes = ir.Constant(INTS, [lane % ENTRIES for lane in range(LANES)])
    return builder.shuffle_vector(four, four, lanes)


def _chooser(builder: Any, number: Any) -> Any:
    """How each lane takes the entry of a table that it wants."""
    if target().looks_up:
        # shuffles of bytes run beside multiplications on AMD's processors, those of floats do not
        name = {8: "avx2.pshuf.b", 16: "avx512.pshuf.b.512"}[LANES]
        places = builder.bitcast(number, _BYTES)

        def look_up(table: Any) -> Any:
            values = [builder.bitcast(table, _BYTES), places]
            return builder.bitcast(call_llvm(builder, f"llvm.x86.{name}", _BYTES, values), VECTOR)

        return look_up

    def bit(value: int) -> Any:
        masked = builder.and_(number, ir.Constant(INTS, [4 * value] * LANES))
        return builder.icmp_unsigned("!=", masked, ir.Constant(INTS, [0] * LANES))

    odd, high = bit(1), bit(2)

    def choose(table: Any) -> Any:
        a, b, c, d = (
            broadcast(builder, builder.extract_element(table, INT(i))) for i in range(ENTRIES)
        )
        return builder.select(high, builder.select(odd, d, c), builder.select(odd, b, a))

    return choose


def _rows_compile_to(function: Any, first: int) -> None:
    @type_callable(function)
    def _typing(context: Any) -> Any:
        return lambda tile: TileType(1, tile.columns // 2)

    @lower_builtin(function, TileType)
    def _lowering(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        result = ir.Constant(context.get_value_type(sig.return_type), ir.Undefined)
        for n in range(sig.return_type.columns):
            value = builder.extract_value(args[0], n // 2 * ENTRIES + first + n % 2)
            result = builder.insert_value(result, value, n)
        return result


_rows_compile_to(upper_row, 0)
_rows_compile_to(lower_row, 2)


@type_callable(interleave_columns)
def _type_interleave(context: Any) -> Any:
    return lambda tile: tile


@lower_builtin(interleave_columns, TileType)
def _lower_interleave(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (tile,) = args
    for n in range(0, sig.args[0].columns, 2):
        a, b = builder.extract_value(tile, n), builder.extract_value(tile, n + 1)
        for half in range(2):
            first = half * LANES // 2
            places = [first + lane // 2 + LANES * (lane % 2) for lane in range(LANES)]
            value = builder.shuffle_vector(a, b, ir.Constant(INTS, places))
            tile = builder.insert_value(tile, value, n + half)
    return tile
