"""The machine: runs a program over a range of samples, in one native call.

A program is an int64 array of instructions ``[kernel address, length, whether a team shares it,
operands ...]`` (with tables among them). Its four sections are a setup, run before any sample of a
worker, a prologue and an epilogue, run once a tile, and a body that is repeated between them, for
one step after another.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from backlit_kernels.frame import CLOSES, COUNT, DONE, MEMBER, OPENS, PART, PARTS, SAMPLE, STEP
from backlit_kernels.kernel import INTERPRETED, Kernel, compiled, helper
from backlit_kernels.subnormals import flush_subnormals, restore
from backlit_kernels.team import ends, others_are_done, put_down, take

_interpreted: list[Any] = []


def kernel_address(kernel: Kernel) -> int:
    """What a program holds for a kernel: its machine code's address, or its number in Python."""
    if not INTERPRETED:
        return kernel.address
    if kernel.entry not in _interpreted:
        _interpreted.append(kernel.entry)
    return _interpreted.index(kernel.entry)


def call_kernel(
    address: int, arena: Any, constants: Any, program: Any, position: int, frame: Any
) -> None:
    """Call the kernel at an address, its instruction being at a position of the program."""
    _interpreted[address](arena, constants, program[position:], frame)


@type_callable(call_kernel)
def _type_call_kernel(context: Any) -> Any:
    return lambda address, arena, constants, program, position, frame: types.none


@lower_builtin(
    call_kernel,
    types.Integer,
    types.Array,
    types.Array,
    types.Array,
    types.Integer,
    types.Array,
)
def _lower_call_kernel(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    def data(n: int) -> Any:
        return context.make_array(sig.args[n])(context, builder, args[n]).data

    pointers = [data(1), data(2), builder.gep(data(3), [args[4]]), data(5)]
    kind = ir.FunctionType(ir.VoidType(), [pointer.type for pointer in pointers])
    builder.call(builder.inttoptr(args[0], kind.as_pointer()), pointers)
    return context.get_dummy_value()


@helper
def run_in_team(
    arena: Any, constants: Any, program: Any, frame: Any, position: int, parts: int
) -> None:
    """Run what others of the team have not taken of an instruction, its own part first."""
    for n in range(parts):
        frame[PART] = (frame[MEMBER] + n) % parts
        if take(frame, frame[PART]):
            call_kernel(program[position], arena, constants, program, position, frame)
            if put_down(frame, parts):
                break
    frame[DONE] += parts


@helper
def run_section(arena: Any, constants: Any, program: Any, frame: Any, first: int, end: int) -> bool:
    """Run the instructions from `first` to `end`; False if the team was told to halt."""
    position = first
    while position < end:
        if frame[PARTS] == 1:
            call_kernel(program[position], arena, constants, program, position, frame)
        else:
            if not others_are_done(frame):
                return False
            parts = frame[PARTS] if program[position + 2] != 0 else 1
            run_in_team(arena, constants, program, frame, position, parts)
        position += program[position + 1]
    return True


@helper
def run_tile(
    arena: Any,
    constants: Any,
    program: Any,
    frame: Any,
    sections: Any,
    begin: int,
    end: int,
    stride: int,
) -> bool:
    """Run all but the setup on the frame's samples; False if it ended early."""
    frame[STEP] = 0
    if not run_section(arena, constants, program, frame, sections[1], sections[2]):
        return False
    for part in range(begin, min(begin + stride, end)):
        for step in range(part, end, stride):
            frame[STEP] = step
            frame[OPENS] = step == part
            frame[CLOSES] = step + stride >= end
            if not run_section(arena, constants, program, frame, sections[2], sections[3]):
                return False
            if ends(frame):
                return False
    return run_section(arena, constants, program, frame, sections[3], sections[4])


@compiled
def run_machine(
    arena: Any,
    constants: Any,
    program: Any,
    frame: Any,
    sections: Any,
    begin: int,
    end: int,
    stride: int,
    first: int,
    stop: int,
    samples: int,
) -> None:
    """Run a program over the samples `first` to `stop`, `samples` at a time.

    Parameters
    ----------
    arena, constants : float32 arrays
        The worker's memory, modified; the model's weights.
    program, frame : int64 arrays
        Instructions; counters (modified) and addresses.
    sections : int64 array of 5
        Where setup, prologue, body and epilogue begin, and where the program ends.
    begin, end, stride : int
        The steps that the body is repeated for: every `stride`-th from `begin` on, then every
        `stride`-th from the next, and so on, up to `end`.
    """
    control = flush_subnormals()
    frame[SAMPLE] = first
    frame[COUNT] = min(samples, stop - first)
    frame[STEP] = 0
    goes_on = run_section(arena, constants, program, frame, sections[0], sections[1])
    sample = first
    while goes_on and sample < stop:
        frame[SAMPLE] = sample
        frame[COUNT] = min(samples, stop - sample)
        goes_on = run_tile(arena, constants, program, frame, sections, begin, end, stride)
        sample += samples
    restore(control)
