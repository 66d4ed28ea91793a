"""What products add to a register tile: weights times vectors in memory."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from backlit_kernels.llvm import INT64, INTS, LANES, VECTOR, address, broadcast, call_llvm, spaced
from backlit_kernels.tile import TileType

LINE = 64  # bytes of a cache line


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


def matrix_update(tile: Any, left: Any, a: int, row: int, right: Any, x: int, step: int) -> Any:
    """``tile[r, c] += left[a + r * row] * right[x + c * step ...]``"""
    rows, columns, _ = tile.shape
    factors = np.array([left[a + r * row] for r in range(rows)], np.float64).reshape(-1, 1, 1)
    vectors = np.stack([right[x + c * step : x + c * step + LANES] for c in range(columns)])
    return (tile + factors * vectors).astype(np.float32)


def lanes_update(tile: Any, left: Any, a: int, row: int, right: Any, x: int, step: int) -> Any:
    """``tile[r, c] += left[a + r * row ...] * right[x + c * step ...]``"""
    rows, columns, _ = tile.shape
    factors = np.stack([left[a + r * row : a + r * row + LANES] for r in range(rows)])
    vectors = np.stack([right[x + c * step : x + c * step + LANES] for c in range(columns)])
    return (tile + factors[:, None].astype(np.float64) * vectors).astype(np.float32)


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


# --- how they compile -----------------------------------------------------------------------


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
    places = spaced(builder, x, step, sig.args[0].columns)
    factor = _floats(builder, builder.gep(weights, [w]), _numbers(sig.args[0].rows))
    return _update(builder, sig.args[0], tile, factor, _vectors(builder, memory, places))


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
    places = [at for start in spaced(builder, x, row, 2) for at in spaced(builder, start, step, 2)]
    factor = _floats(builder, builder.gep(weights, [w]), _numbers(sig.args[0].rows))
    return _update(builder, sig.args[0], tile, factor, _vectors(builder, memory, places))


def _compile_matrix_update(function: Any, read: "_Reader") -> None:
    @type_callable(function)
    def _typing(context: Any) -> Any:
        return lambda tile, left, a, row, right, x, step: tile

    place = types.CPointer, types.Integer, types.Integer

    @lower_builtin(function, TileType, *place, *place)
    def _lowering(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, left, a, row, right, x, step = args
        kind = sig.args[0]
        factor = read(builder, left, spaced(builder, a, row, kind.rows))
        vector = _vectors(builder, right, spaced(builder, x, step, kind.columns))
        return _update(builder, kind, tile, factor, vector)


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
            at = builder.gep(weights, [builder.add(w, INT64(j))])
            weight = broadcast(builder, builder.load(at))
            for c in range(columns):
                vector = taken(c, shift)
                total = [weight, vector, builder.extract_value(tile, c)]
                total = call_llvm(builder, f"llvm.fmuladd.v{LANES}f32", VECTOR, total)
                tile = builder.insert_value(tile, total, c)
        return tile


def _shifted_in_registers(builder: Any, memory: Any, x: Any, columns: int) -> Any:
    """Vectors as long as a cache line: if they are shifted, each is read from two lines."""
    places = spaced(builder, x, INT64(LANES), columns + 1)
    # as integers, since LLVM then shifts two registers by one instruction
    vectors = [builder.load(address(builder, memory, at, INTS), align=4) for at in places]

    def take(column: int, shift: int) -> Any:
        lanes = ir.Constant(INTS, [shift + lane for lane in range(LANES)])
        vector = builder.shuffle_vector(vectors[column], vectors[column + 1], lanes)
        return builder.bitcast(vector, VECTOR)

    return take


def _shifted_in_memory(builder: Any, memory: Any, x: Any, columns: int) -> Any:
    """Shorter ones are read again."""

    def take(column: int, shift: int) -> Any:
        at = builder.add(x, INT64(column * LANES + shift))
        return builder.load(address(builder, memory, at), align=4)

    return take


_Reader = Callable[[Any, Any, list[Any]], Callable[[int], Any]]  # of vectors, by their number


def _numbers(count: int) -> list[Any]:
    return [INT64(i) for i in range(count)]


def _floats(builder: Any, memory: Any, places: list[Any]) -> Callable[[int], Any]:
    """A float in every lane."""
    return lambda i: broadcast(builder, builder.load(builder.gep(memory, [places[i]])))


def _vectors(builder: Any, memory: Any, places: list[Any]) -> Callable[[int], Any]:
    return lambda i: builder.load(address(builder, memory, places[i]), align=4)


_compile_matrix_update(matrix_update, _floats)
_compile_matrix_update(lanes_update, _vectors)


def _update(
    builder: Any,
    kind: TileType,
    tile: Any,
    factor: Callable[[int], Any],
    vector: Callable[[int], Any],
) -> Any:
    """``tile[r, c] += factor(r) * vector(c)``"""
    # the shorter side is held in registers, the longer one streams past it
    if kind.rows <= kind.columns:
        held = [factor(r) for r in range(kind.rows)]
        pairs = (
            (r, c, held[r], x)
            for c in range(kind.columns)
            for x in [vector(c)]
            for r in range(kind.rows)
        )
    else:
        held = [vector(c) for c in range(kind.columns)]
        pairs = (
            (r, c, w, held[c])
            for r in range(kind.rows)
            for w in [factor(r)]
            for c in range(kind.columns)
        )
    for r, c, *both in pairs:
        n = r * kind.columns + c
        total = [*both, builder.extract_value(tile, n)]
        total = call_llvm(builder, f"llvm.fmuladd.v{LANES}f32", VECTOR, total)
        tile = builder.insert_value(tile, total, n)
    return tile
