"""The Numba types of vectors and masks, and how a NumPy function gets its LLVM instructions."""

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, models, register_model, type_callable

from backlit_kernels.llvm import FLOAT, LANES, MASK, VECTOR


class VectorType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


class MaskType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"maskx{LANES}")


vector = VectorType()
mask = MaskType()
memory = types.CPointer(types.float32)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, VECTOR)


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, MASK)


Emit = Callable[[Any, list[Any]], Any]


def compiles_to(function: Any, emit: Emit, result: types.Type, *kinds: type[types.Type]) -> Any:
    """Attach an LLVM emitter ``emit(builder, values)`` to `function` for arguments of `kinds`."""

    @type_callable(function)
    def _typing(context: Any) -> Any:
        def typer(*args: Any) -> types.Type | None:
            return result if all(map(isinstance, args, kinds)) else None

        typer.__signature__ = _positional(len(kinds))
        return typer

    @lower_builtin(function, *kinds)
    def _lowering(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        values = [_widen(builder, value, kind) for value, kind in zip(args, sig.args, strict=True)]
        return emit(builder, values)

    return function


def _positional(count: int) -> inspect.Signature:
    names = [f"argument{i}" for i in range(count)]
    return inspect.Signature(
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in names]
    )


def _widen(builder: Any, value: Any, kind: types.Type) -> Any:
    """Integers as 64 bits and scalars as float32, whatever the kernel's source wrote."""
    if isinstance(kind, types.Integer) and value.type.width < 64:
        return builder.sext(value, ir.IntType(64))
    if isinstance(kind, types.Float) and value.type != FLOAT:
        return builder.fptrunc(value, FLOAT)
    return value
