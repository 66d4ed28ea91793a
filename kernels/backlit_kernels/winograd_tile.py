"""The register tile of `backlit_kernels.winograd_fused`: `rows` channels by a column of a patch.

Two operations of F(2x2, 3x3) on it, beside those of `backlit_kernels.tile`.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from backlit_kernels.llvm import INT64, INTS, VECTOR, address, broadcast, call_llvm, spaced
from backlit_kernels.tile import TileType
from backlit_kernels.vector import LANES


def column_update(
    tile: Any, weights: Any, w: int, memory: Any, a: int, b: int, step: int, sign: Any
) -> Any:
    """``tile[r, i] += weights[w + i * rows + r] * (B' d)[i]`` for a column d of four vectors.

    These are the vectors at ``a``, ``a + step``, ... less those at ``b``, ``b + step``, ..., or,
    where the `sign` is -1 and not 1, the sums of both.
    """
    d = [
        memory[a + i : a + i + LANES] - sign * memory[b + i : b + i + LANES]
        for i in range(0, 4 * step, step)
    ]
    entries = np.stack([d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]])
    factors = weights[w : w + 4 * len(tile)].astype(np.float64).reshape(4, -1).T[:, :, None]
    return (tile + factors * entries).astype(np.float32)


def store_column_outputs(tile: Any, memory: Any, index: int) -> None:
    """Write A' times each row: two vectors for each, one row after the other."""
    m = np.moveaxis(tile, 1, 0)
    pairs = np.stack([m[0] + m[1] + m[2], m[1] - m[2] - m[3]], axis=1)
    memory[index : index + pairs.size] = pairs.reshape(-1)


# --- how they compile -----------------------------------------------------------------------


@type_callable(column_update)
def _type_column_update(context: Any) -> Any:
    return lambda tile, weights, w, memory, a, b, step, sign: tile


@lower_builtin(
    column_update,
    TileType,
    types.CPointer,
    types.Integer,
    types.CPointer,
    *[types.Integer] * 3,
    types.Type,
)
def _lower_column_update(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    tile, weights, w, memory, a, b, step, sign = args
    # turning a sign over, rather than multiplying, leaves the multipliers to the products
    sign_bits = ir.Constant(INTS, [-(1 << 31)] * LANES)
    turn = builder.and_(builder.bitcast(sign, INTS), sign_bits)

    def lanes(at: Any, kind: ir.Type) -> Any:
        return builder.load(address(builder, memory, at, kind), align=4)

    d = []
    for p, q in zip(spaced(builder, a, step, 4), spaced(builder, b, step, 4), strict=True):
        other = builder.bitcast(builder.xor(lanes(q, INTS), turn), VECTOR)
        d.append(builder.fsub(lanes(p, VECTOR), other))
    entries = [
        builder.fsub(d[0], d[2]),
        builder.fadd(d[1], d[2]),
        builder.fsub(d[2], d[1]),
        builder.fsub(d[1], d[3]),
    ]
    rows = sig.args[0].rows
    first = builder.gep(weights, [w])
    for i, entry in enumerate(entries):
        for r in range(rows):
            factor = builder.load(builder.gep(first, [INT64(i * rows + r)]))
            n = r * 4 + i
            total = [broadcast(builder, factor), entry, builder.extract_value(tile, n)]
            total = call_llvm(builder, f"llvm.fmuladd.v{LANES}f32", VECTOR, total)
            tile = builder.insert_value(tile, total, n)
    return tile


@type_callable(store_column_outputs)
def _type_store_column_outputs(context: Any) -> Any:
    return lambda tile, memory, index: types.none


@lower_builtin(store_column_outputs, TileType, types.CPointer, types.Integer)
def _lower_store_column_outputs(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    tile, memory, index = args
    for r in range(sig.args[0].rows):
        m = [builder.extract_value(tile, r * 4 + i) for i in range(4)]
        pair = (
            builder.fadd(builder.fadd(m[0], m[1]), m[2]),
            builder.fsub(builder.fsub(m[1], m[2]), m[3]),
        )
        for i, value in enumerate(pair):
            at = builder.add(index, INT64((2 * r + i) * LANES))
            builder.store(value, address(builder, memory, at), align=4)
    return context.get_dummy_value()
