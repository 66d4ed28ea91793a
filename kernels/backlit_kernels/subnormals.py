"""Numbers too small to be normal, below 1.2e-38, count as zero while a program runs.

Intel's processors take a hundred cycles or more for an operation that meets one, and trained
networks are full of them: weight decay takes the weights of pixels that are never lit there. ARM
processors calculate with them at full speed, and keep them.
"""

from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types

from backlit_kernels.llvm import INT, call_llvm
from backlit_kernels.vector_type import compiles_to

_X86 = binding.get_process_triple().startswith(("x86_64", "i386", "i686"))
_FLUSH = 0x8040  # of x86's control word: subnormal results are zero, subnormal operands too


def flush_subnormals() -> int:
    """Let this thread take subnormal numbers for zero; returns what `restore` needs."""
    return 0


def restore(control: int) -> None:
    """Let it treat them as it did before."""


def _control(builder: Any, what: str, slot: Any) -> None:
    """Load the control word from a slot, or store it there."""
    place = builder.bitcast(slot, ir.IntType(8).as_pointer())
    call_llvm(builder, f"llvm.x86.sse.{what}mxcsr", ir.VoidType(), [place])


def _emit_flush(builder: Any, values: list[Any]) -> Any:
    slot = cgutils.alloca_once_value(builder, INT(0))
    if _X86:
        _control(builder, "st", slot)
        before = builder.load(slot)
        builder.store(builder.or_(before, INT(_FLUSH)), slot)
        _control(builder, "ld", slot)
        builder.store(before, slot)
    return builder.zext(builder.load(slot), ir.IntType(64))


def _emit_restore(builder: Any, values: list[Any]) -> Any:
    if _X86:
        slot = cgutils.alloca_once(builder, INT)
        builder.store(builder.trunc(values[0], INT), slot)
        _control(builder, "ld", slot)
    return ir.Constant(ir.IntType(8).as_pointer(), None)


compiles_to(flush_subnormals, _emit_flush, types.int64)
compiles_to(restore, _emit_restore, types.none, types.Integer)
