"""The register tile: a block of accumulators, `rows` output channels by `columns` positions.

All operations are unrolled: the loops below run while LLVM code is being written, so that every
accumulator is a value of its own and stays in a register. Those that add products are in
`backlit_kernels.tile_updates`. In Python a tile is an array of shape (rows, columns, LANES).
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, models, register_model, type_callable

from backlit_kernels.entries import NUMBERS
from backlit_kernels.llvm import (
    INT64,
    LANES,
    VECTOR,
    address,
    broadcast,
    is_inside,
    marks_at,
    put_marks,
    rectify,
    spaced,
)
from backlit_kernels.vector import inside, rectified


class TileType(types.Type):
    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        super().__init__(name=f"tile{rows}x{columns}")


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(VECTOR, fe_type.rows * fe_type.columns))


def zero_tile(rows: int, columns: int) -> Any:
    return np.zeros((rows, columns, LANES), np.float32)


def shifted_row(vectors: Any, shift: Any) -> Any:
    """A tile of one row: a tuple of vectors, each plus another one."""
    return np.stack([vectors]) + shift


def add_rows(tile: Any, memory: Any, index: int) -> Any:
    """Add ``memory[index + r]`` to row r."""
    return tile + memory[index : index + len(tile)].reshape(-1, 1, 1)


def add_tile(tile: Any, memory: Any, index: int, row: int, step: int) -> Any:
    """Add what lies in memory, rows `row` and columns `step` floats apart."""
    return _combine(tile, memory, index, row, step, np.add)


def rectify_tile(tile: Any, ceiling: Any) -> Any:
    """Entries below zero or above a vector's, or None, to these; a NaN survives."""
    return rectified(tile, ceiling)


def mask_tile(tile: Any, memory: Any, index: int, row: int, step: int) -> Any:
    """Keep what stands where bytes in memory are marked, zero elsewhere."""
    marks = memory.view(np.uint8)
    return _combine(tile, marks, index, row, step, lambda t, m: np.where(m != 0, t, 0))


def mark_tile(tile: Any, memory: Any, index: int, row: int, step: int, ceiling: Any) -> None:
    """Mark with a byte which entries are positive and below a vector, or None."""
    marks = np.where(inside(tile, ceiling), 255, 0)
    store_tile(marks, memory.view(np.uint8), index, row, step)


def store_tile(tile: Any, memory: Any, index: int, row: int, step: int) -> None:
    rows, columns, _ = tile.shape
    for r, c in np.ndindex(rows, columns):
        at = index + r * row + c * step
        memory[at : at + LANES] = tile[r, c]


def store_largest(tile: Any, memory: Any, index: int, choice: int, row: int, floor: Any) -> None:
    """Write each row's largest column, and `choice` floats on its number, rows `row` apart.

    What is below the `floor` (a vector) counts as equal to it; the first of equal ones is chosen.
    Numbers are those of `backlit_kernels.entries`.
    """
    for r, columns in enumerate(np.maximum(tile, floor)):
        at = index + r * row
        memory[at : at + LANES] = columns.max(axis=0)
        memory[at + choice : at + choice + LANES] = np.take(NUMBERS, columns.argmax(axis=0))


def _combine(tile: Any, memory: Any, index: int, row: int, step: int, function: Any) -> Any:
    result = tile.copy()
    for r, c in np.ndindex(*tile.shape[:2]):
        at = index + r * row + c * step
        result[r, c] = function(tile[r, c], memory[at : at + LANES])
    return result


# --- how they compile -----------------------------------------------------------------------


@type_callable(zero_tile)
def _type_zero_tile(context: Any) -> Any:
    def typer(rows: Any, columns: Any) -> TileType | None:
        if isinstance(rows, types.IntegerLiteral) and isinstance(columns, types.IntegerLiteral):
            return TileType(rows.literal_value, columns.literal_value)
        return None

    return typer


@lower_builtin(zero_tile, types.Integer, types.Integer)
def _lower_zero_tile(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return ir.Constant(context.get_value_type(sig.return_type), None)


@type_callable(shifted_row)
def _type_shifted_row(context: Any) -> Any:
    return lambda vectors, shift: TileType(1, len(vectors))


@lower_builtin(shifted_row, types.UniTuple, types.Type)
def _lower_shifted_row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    tile, shift = args  # a tuple, too, is an array of vectors
    for n in range(sig.return_type.columns):
        total = builder.fadd(builder.extract_value(tile, n), shift)
        tile = builder.insert_value(tile, total, n)
    return tile


@type_callable(store_largest)
def _type_store_largest(context: Any) -> Any:
    return lambda tile, memory, index, choice, row, floor: types.none


@lower_builtin(store_largest, TileType, types.CPointer, *[types.Integer] * 3, types.Type)
def _lower_store_largest(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (tile, memory, index, choice, row, floor), kind = args, sig.args[0]
    nan, first, *rest = (ir.Constant(VECTOR, [x] * LANES) for x in (float("nan"), *NUMBERS))
    for r, at in enumerate(spaced(builder, index, row, kind.rows)):
        best, *others = (
            builder.extract_value(tile, r * kind.columns + c) for c in range(kind.columns)
        )
        earlier, number = [best, *others[:-1]], first
        for value, other in zip(others, rest, strict=True):
            wins = builder.fcmp_unordered(">", value, best)  # or one of them is a NaN
            best = builder.select(wins, value, best)
            number = builder.select(wins, other, number)
        for a, b in zip(earlier[::2], (earlier[1:] + earlier[-1:])[::2], strict=True):
            best = builder.select(builder.fcmp_unordered("uno", a, b), nan, best)
        low = builder.fcmp_ordered("<=", best, floor)
        best, number = builder.select(low, floor, best), builder.select(low, first, number)
        builder.store(best, address(builder, memory, at), align=4)
        builder.store(number, address(builder, memory, builder.add(at, choice)), align=4)
    return context.get_dummy_value()


@type_callable(add_rows)
def _type_add_rows(context: Any) -> Any:
    return lambda tile, memory, index: tile


@lower_builtin(add_rows, TileType, types.CPointer, types.Integer)
def _lower_add_rows(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (tile, memory, index), kind = args, sig.args[0]
    for r, place in enumerate(spaced(builder, index, INT64(1), kind.rows)):
        value = broadcast(builder, builder.load(builder.gep(memory, [place])))
        for n in range(r * kind.columns, (r + 1) * kind.columns):
            total = builder.fadd(builder.extract_value(tile, n), value)
            tile = builder.insert_value(tile, total, n)
    return tile


@type_callable(rectify_tile)
def _type_rectify(context: Any) -> Any:
    return lambda tile, ceiling: tile


@lower_builtin(rectify_tile, TileType, types.Type)
def _lower_rectify(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    tile, ceiling = args
    for n in range(sig.args[0].rows * sig.args[0].columns):
        value = rectify(builder, builder.extract_value(tile, n), ceiling)
        tile = builder.insert_value(tile, value, n)
    return tile


def _entrywise(function: Any, result: Any, emit: Any, *more: Any) -> None:
    """Compile a function of a tile, as many places in memory, and more arguments."""

    @type_callable(function)
    def _typing(context: Any) -> Any:
        if more:
            return lambda tile, memory, index, row, step, extra: result or tile
        return lambda tile, memory, index, row, step: result or tile

    place = (types.CPointer, types.Integer, types.Integer, types.Integer)

    @lower_builtin(function, TileType, *place, *more)
    def _lowering(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, memory, index, row, step, *extra = args
        kind, n = sig.args[0], 0
        for start in spaced(builder, index, row, kind.rows):
            for at in spaced(builder, start, step, kind.columns):
                value = builder.extract_value(tile, n)
                value = emit(builder, value, memory, at, *extra)
                if value is not None:
                    tile = builder.insert_value(tile, value, n)
                n += 1
        return context.get_dummy_value() if result else tile


def _emit_add(builder: Any, value: Any, memory: Any, at: Any) -> Any:
    return builder.fadd(value, builder.load(address(builder, memory, at), align=4))


def _emit_mask(builder: Any, value: Any, memory: Any, at: Any) -> Any:
    zero = ir.Constant(VECTOR, [0.0] * LANES)
    return builder.select(marks_at(builder, memory, at), value, zero)


def _emit_mark(builder: Any, value: Any, memory: Any, at: Any, ceiling: Any) -> None:
    put_marks(builder, memory, at, is_inside(builder, value, ceiling))


def _emit_store(builder: Any, value: Any, memory: Any, at: Any) -> None:
    builder.store(value, address(builder, memory, at), align=4)


_entrywise(add_tile, None, _emit_add)
_entrywise(mask_tile, None, _emit_mask)
_entrywise(mark_tile, types.none, _emit_mark, types.Type)
_entrywise(store_tile, types.none, _emit_store)
