"""The register tile: a block of accumulators, `rows` output channels by `columns` positions.

One type and nine operations, all unrolled: the loops below run while LLVM code is being written,
so that every accumulator is a value of its own and stays in a register. In Python a tile is an
array of shape (rows, columns, LANES).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, models, register_model, type_callable

from backlit_kernels.entries import NUMBERS
from backlit_kernels.vector import (
    _INTS,
    _VECTOR,
    LANES,
    address,
    broadcast,
    call_llvm,
    marks_at,
    put_marks,
)

_I64 = ir.IntType(64)
LINE = 64  # bytes of a cache line


class TileType(types.Type):
    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        super().__init__(name=f"tile{rows}x{columns}")


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(_VECTOR, fe_type.rows * fe_type.columns))


def zero_tile(rows: int, columns: int) -> Any:
    return np.zeros((rows, columns, LANES), np.float32)


def rank_one_update(tile: Any, weights: Any, w: int, memory: Any, x: int, step: int) -> Any:
    """``tile[r, c] += weights[w + r] * memory[x + c * step ...]``, the heart of every product."""
    rows, columns, _ = tile.shape
    vectors = np.stack([memory[x + c * step : x + c * step + LANES] for c in range(columns)])
    products = weights[w : w + rows].astype(np.float64).reshape(rows, 1, 1) * vectors
    return (tile + products).astype(np.float32)


def window_update(tile: Any, weights: Any, w: int, memory: Any, x: int, row: int, step: int) -> Any:
    """The same of a 2x2 window: columns lie at ``x``, ``x + step``, ``x + row``, ..."""
    places = [x, x + step, x + row, x + row + step]
    vectors = np.stack([memory[at : at + LANES] for at in places])
    products = weights[w : w + len(tile)].astype(np.float64).reshape(-1, 1, 1) * vectors
    return (tile + products).astype(np.float32)


@cache
def slide_update(count: int, backwards: bool) -> Callable[..., Any]:
    """``tile[0, c] += sum over j < count of weights[w + j] * memory[x + c * LANES + j ...]``

    With `backwards`, the first weight belongs to the last of the `count` places. Columns are
    neighbours in memory: they are read once, and shifted against one another in registers.
    """

    def slide_update(tile: Any, weights: Any, w: int, memory: Any, x: int) -> Any:
        columns = tile.shape[1]
        for j in range(count):
            at = x + (count - 1 - j if backwards else j)
            vectors = memory[at : at + columns * LANES].reshape(1, columns, LANES)
            tile = (tile + np.float64(weights[w + j]) * vectors).astype(np.float32)
        return tile

    shifts = range(count - 1, -1, -1) if backwards else range(count)
    _compile_slide(slide_update, shifts)
    return slide_update


def store_largest(tile: Any, memory: Any, index: int, choice: int, row: int, floor: Any) -> None:
    """Write each row's largest column, and `choice` floats on its number, rows `row` apart.

    What is below the `floor` (a vector) counts as equal to it; the first of equal ones is chosen.
    Numbers are those of `backlit_kernels.entries`.
    """
    for r, columns in enumerate(np.maximum(tile, floor)):
        at = index + r * row
        memory[at : at + LANES] = columns.max(axis=0)
        memory[at + choice : at + choice + LANES] = np.take(NUMBERS, columns.argmax(axis=0))


def add_rows(tile: Any, memory: Any, index: int) -> Any:
    """Add ``memory[index + r]`` to row r."""
    return tile + memory[index : index + len(tile)].reshape(-1, 1, 1)


def add_tile(tile: Any, memory: Any, index: int, row: int, step: int) -> Any:
    """Add what lies in memory, rows `row` and columns `step` floats apart."""
    return _combine(tile, memory, index, row, step, np.add)


def rectify_tile(tile: Any, ceiling: Any) -> Any:
    """Entries below zero or above a vector's to these; a NaN survives."""
    tile = np.where(tile < 0, np.float32(0), tile)
    return np.where(tile > ceiling, ceiling, tile)


def mask_tile(tile: Any, memory: Any, index: int, row: int, step: int) -> Any:
    """Keep what stands where bytes in memory are marked, zero elsewhere."""
    marks = memory.view(np.uint8)
    return _combine(tile, marks, index, row, step, lambda t, m: np.where(m != 0, t, 0))


def mark_tile(tile: Any, memory: Any, index: int, row: int, step: int, ceiling: Any) -> None:
    """Mark with a byte which entries are positive and below a vector."""
    marks = np.where((tile > 0) & (tile < ceiling), 255, 0)
    store_tile(marks, memory.view(np.uint8), index, row, step)


def store_tile(tile: Any, memory: Any, index: int, row: int, step: int) -> None:
    rows, columns, _ = tile.shape
    for r, c in np.ndindex(rows, columns):
        at = index + r * row + c * step
        memory[at : at + LANES] = tile[r, c]


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


@type_callable(rank_one_update)
def _type_rank_one_update(context: Any) -> Any:
    return lambda tile, weights, w, memory, x, step: tile


@lower_builtin(
    rank_one_update,
    TileType,
    types.CPointer,
    types.Integer,
    types.CPointer,
    types.Integer,
    types.Integer,
)
def _lower_rank_one_update(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    tile, weights, w, memory, x, step = args
    places = _spaced(builder, x, step, sig.args[0].columns)
    return _update(builder, sig.args[0], tile, builder.gep(weights, [w]), memory, places)


@type_callable(window_update)
def _type_window_update(context: Any) -> Any:
    return lambda tile, weights, w, memory, x, row, step: tile


@lower_builtin(
    window_update,
    TileType,
    types.CPointer,
    types.Integer,
    types.CPointer,
    types.Integer,
    types.Integer,
    types.Integer,
)
def _lower_window_update(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    tile, weights, w, memory, x, row, step = args
    places = [
        at for start in _spaced(builder, x, row, 2) for at in _spaced(builder, start, step, 2)
    ]
    return _update(builder, sig.args[0], tile, builder.gep(weights, [w]), memory, places)


def _compile_slide(function: Any, shifts: range) -> None:
    @type_callable(function)
    def _typing(context: Any) -> Any:
        return lambda tile, weights, w, memory, x: tile

    @lower_builtin(function, TileType, types.CPointer, types.Integer, types.CPointer, types.Integer)
    def _lowering(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, weights, w, memory, x = args
        columns = sig.args[0].columns
        shifted = _shifted_in_registers if LANES * 4 == LINE else _shifted_in_memory
        taken = shifted(builder, memory, x, columns)
        for j, shift in enumerate(shifts):
            at = builder.gep(weights, [builder.add(w, _I64(j))])
            weight = broadcast(builder, builder.load(at))
            for c in range(columns):
                vector = taken(c, shift)
                total = [weight, vector, builder.extract_value(tile, c)]
                total = call_llvm(builder, f"llvm.fmuladd.v{LANES}f32", _VECTOR, total)
                tile = builder.insert_value(tile, total, c)
        return tile


def _shifted_in_registers(builder: Any, memory: Any, x: Any, columns: int) -> Any:
    """Vectors as long as a cache line: if they are shifted, each is read from two lines."""
    places = _spaced(builder, x, _I64(LANES), columns + 1)
    # as integers, since LLVM then shifts two registers by one instruction
    vectors = [builder.load(address(builder, memory, at, _INTS), align=4) for at in places]

    def take(column: int, shift: int) -> Any:
        lanes = ir.Constant(_INTS, [shift + lane for lane in range(LANES)])
        vector = builder.shuffle_vector(vectors[column], vectors[column + 1], lanes)
        return builder.bitcast(vector, _VECTOR)

    return take


def _shifted_in_memory(builder: Any, memory: Any, x: Any, columns: int) -> Any:
    """Shorter ones are read again."""

    def take(column: int, shift: int) -> Any:
        at = builder.add(x, _I64(column * LANES + shift))
        return builder.load(address(builder, memory, at), align=4)

    return take


def _update(
    builder: Any, kind: TileType, tile: Any, weights: Any, memory: Any, places: list[Any]
) -> Any:
    """``tile[r, c] += weights[r] * memory[places[c] ...]``"""

    def weight(r: int) -> Any:
        return broadcast(builder, builder.load(builder.gep(weights, [_I64(r)])))

    def lanes(c: int) -> Any:
        return builder.load(address(builder, memory, places[c]), align=4)

    # the shorter side is held in registers, the longer one streams past it
    if kind.rows <= kind.columns:
        held = [weight(r) for r in range(kind.rows)]
        pairs = (
            (r, c, held[r], x)
            for c in range(kind.columns)
            for x in [lanes(c)]
            for r in range(kind.rows)
        )
    else:
        held = [lanes(c) for c in range(kind.columns)]
        pairs = (
            (r, c, w, held[c])
            for r in range(kind.rows)
            for w in [weight(r)]
            for c in range(kind.columns)
        )
    for r, c, factor, vector in pairs:
        n = r * kind.columns + c
        total = [factor, vector, builder.extract_value(tile, n)]
        total = call_llvm(builder, f"llvm.fmuladd.v{LANES}f32", _VECTOR, total)
        tile = builder.insert_value(tile, total, n)
    return tile


def _spaced(builder: Any, start: Any, step: Any, count: int) -> list[Any]:
    return [builder.add(start, builder.mul(step, _I64(i))) for i in range(count)]


@type_callable(store_largest)
def _type_store_largest(context: Any) -> Any:
    return lambda tile, memory, index, choice, row, floor: types.none


@lower_builtin(store_largest, TileType, types.CPointer, *[types.Integer] * 3, types.Type)
def _lower_store_largest(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (tile, memory, index, choice, row, floor), kind = args, sig.args[0]
    nan, first, *rest = (ir.Constant(_VECTOR, [x] * LANES) for x in (float("nan"), *NUMBERS))
    for r, at in enumerate(_spaced(builder, index, row, kind.rows)):
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
    for r, place in enumerate(_spaced(builder, index, _I64(1), kind.rows)):
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
    (tile, ceiling), zero = args, ir.Constant(_VECTOR, [0.0] * LANES)
    for n in range(sig.args[0].rows * sig.args[0].columns):
        value = builder.extract_value(tile, n)
        value = builder.select(builder.fcmp_ordered("<", value, zero), zero, value)
        value = builder.select(builder.fcmp_ordered(">", value, ceiling), ceiling, value)
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
        for start in _spaced(builder, index, row, kind.rows):
            for at in _spaced(builder, start, step, kind.columns):
                value = builder.extract_value(tile, n)
                value = emit(builder, value, memory, at, *extra)
                if value is not None:
                    tile = builder.insert_value(tile, value, n)
                n += 1
        return context.get_dummy_value() if result else tile


def _emit_add(builder: Any, value: Any, memory: Any, at: Any) -> Any:
    return builder.fadd(value, builder.load(address(builder, memory, at), align=4))


def _emit_mask(builder: Any, value: Any, memory: Any, at: Any) -> Any:
    zero = ir.Constant(_VECTOR, [0.0] * LANES)
    return builder.select(marks_at(builder, memory, at), value, zero)


def _emit_mark(builder: Any, value: Any, memory: Any, at: Any, ceiling: Any) -> None:
    positive = builder.fcmp_ordered(">", value, ir.Constant(_VECTOR, [0.0] * LANES))
    mask = builder.and_(positive, builder.fcmp_ordered("<", value, ceiling))
    put_marks(builder, memory, at, mask)


def _emit_store(builder: Any, value: Any, memory: Any, at: Any) -> None:
    builder.store(value, address(builder, memory, at), align=4)


_entrywise(add_tile, None, _emit_add)
_entrywise(mask_tile, None, _emit_mask)
_entrywise(mark_tile, types.none, _emit_mark, types.Type)
_entrywise(store_tile, types.none, _emit_store)
