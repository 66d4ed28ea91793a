"""The one place for compile options, and the decorators that make kernels and helpers.

A kernel is a plain function. Its first parameters may be ``arena`` (the float32 memory of one
worker), ``constants`` (weights, float32), ``table`` (the int64 program, starting at this
instruction) and ``frame`` (int64: addresses and counters of the running job; named ``team`` by
kernels that divide their work between the threads of a team); all others are the operands of an
instruction, int64, by name. Every kernel is reached through one C signature, ``void(float32* arena,
float32* constants, int64* instruction, int64* frame)``, so that the machine is a loop that calls
through addresses held in the program.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import numba
from numba.core import config, types
from numba.core.ccallback import CFunc
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.typing import signature

from backlit_kernels.cache import KernelCache

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
# nothing but kernels calls helpers: they need no entries from Python and from C
WITHIN: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
INTERPRETED = bool(config.DISABLE_JIT)
POINTERS = ("arena", "constants", "table", "frame", "team")
# an instruction begins with its kernel's address, its own length, and whether a team divides it
HEADER = 3

_floats = types.CPointer(types.float32)
_integers = types.CPointer(types.int64)
_SIGNATURE = signature(types.void, _floats, _floats, _integers, _integers)


def helper(function: Callable[..., Any]) -> Any:
    """A function that kernels call; compiled into each of them."""
    return numba.njit(**OPTIONS, **WITHIN)(function)


def pasted(function: Callable[..., Any]) -> Any:
    """A helper whose code is put where it is called: a register tile is not to leave registers."""
    return numba.njit(**OPTIONS, **WITHIN, inline="always")(function)


def compiled(function: Callable[..., Any]) -> Any:
    """A function called from Python with arrays, cached on disk."""
    dispatcher = numba.njit(**OPTIONS)(function)
    if not INTERPRETED:
        dispatcher._cache = KernelCache(function)
    return dispatcher


@contextmanager
def _first_passes_in_brief() -> Iterator[None]:
    """Let LLVM only simplify functions before it optimises their module in full.

    Numba has it optimise them twice, for code as quick: of a register tile, a third of the time.
    """
    codegen = cpu_target.target_context.codegen()
    with global_compiler_lock:
        codegen._function_pass_manager = partial(codegen._function_pass_manager, opt=1)
        try:
            yield
        finally:
            del codegen._function_pass_manager


class Kernel:
    """A kernel: callable from Python as written, compiled for the machine on first use."""

    def __init__(self, function: Callable[..., None], name: str) -> None:
        self.name = name
        self.function = function
        self.__doc__ = function.__doc__
        parameters = tuple(inspect.signature(function).parameters)
        self.pointers = tuple(p for p in parameters if p in POINTERS)
        self.operands = parameters[len(self.pointers) :]
        self.shared = "team" in self.pointers

    def __call__(self, *args: Any) -> None:
        self.function(*args)

    def __repr__(self) -> str:
        return f"<kernel {self.name}>"

    @cached_property
    def entry(self) -> Callable[..., None]:
        """The kernel under the machine's signature: its own lines, after its operands are read."""
        inner = self.function
        lines, first = inspect.getsourcelines(inner)
        tree = ast.increment_lineno(ast.parse(textwrap.dedent("".join(lines))), first - 1)
        reads = [f"    {name} = table[{HEADER + i}]" for i, name in enumerate(self.operands)]
        reads += ["    team = frame"] if self.shared else []
        head = "\n".join(["def entry(arena, constants, table, frame):", *reads, "    ..."])
        (entry,), (own,) = ast.parse(head).body, tree.body
        assert isinstance(entry, ast.FunctionDef)
        assert isinstance(own, ast.FunctionDef)
        entry.body[-1:] = own.body
        tree.body = [entry]
        scope = {**inner.__globals__, **inspect.getclosurevars(inner).nonlocals}
        exec(compile(tree, inner.__code__.co_filename, "exec"), scope)
        function: Any = scope["entry"]
        function.__qualname__ = function.__name__ = self.name
        return function

    @cached_property
    def _native(self) -> CFunc:
        native = CFunc(self.entry, (_SIGNATURE.args, _SIGNATURE.return_type), {}, OPTIONS)
        native._cache = KernelCache(self.entry)
        return native

    @cached_property
    def compiled(self) -> CFunc:
        """The machine code; loaded from disk where it was compiled before."""
        with _first_passes_in_brief():
            self._native.compile()
        return self._native

    def is_kept(self) -> bool:
        """Whether the machine code is here or on disk, or none is needed."""
        return INTERPRETED or "compiled" in vars(self) or self._native._cache.holds_one()

    @property
    def address(self) -> int:
        return int(self.compiled.address or 0)


def kernel(function: Callable[..., None]) -> Kernel:
    """Make a function a kernel."""
    return Kernel(function, f"{function.__module__.rpartition('.')[2]}.{function.__name__}")
