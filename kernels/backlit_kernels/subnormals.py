"""Numbers too small to be normal, below 1.2e-38, count as zero while a program runs.

Intel's processors take a hundred cycles or more for an operation that meets one, and trained
networks are full of them: weight decay takes the weights of pixels that are never lit there. ARM
processors calculate with them at full speed, and keep them.
"""

from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types

from backlit_kernels.vector_type import compiles_to

_X86 = binding.get_process_triple().startswith(("x86_64", "i386", "i686"))
_FLUSH = 0x8040  # of x86's control word: subnormal results are zero, subnormal operands too


def flush_subnormals() -> int:
    """Let this thread take subnormal numbers for zero; returns what `restore` needs."""
    return 0


def restore(control: int) -> None:
    """Let it treat them as it did before."""


def _call(builder: Any, name: str, slot: Any) -> None:
    pointer = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [pointer]), f"llvm.x86.sse.{name}"
    )
    builder.call(function, [builder.bitcast(slot, pointer)])


def _emit_flush(builder: Any, values: list[Any]) -> Any:
    slot = cgutils.alloca_once_value(builder, ir.IntType(32)(0))
    if _X86:
        _call(builder, "stmxcsr", slot)
        before = builder.load(slot)
        builder.store(builder.or_(before, ir.IntType(32)(_FLUSH)), slot)
        _call(builder, "ldmxcsr", slot)
        builder.store(before, slot)
    return builder.zext(builder.load(slot), ir.IntType(64))


def _emit_restore(builder: Any, values: list[Any]) -> Any:
    if _X86:
        slot = cgutils.alloca_once(builder, ir.IntType(32))
        builder.store(builder.trunc(values[0], ir.IntType(32)), slot)
        _call(builder, "ldmxcsr", slot)
    return ir.Constant(ir.IntType(8).as_pointer(), None)


compiles_to(flush_subnormals, _emit_flush, types.int64)
compiles_to(restore, _emit_restore, types.none, types.Integer)
