"""PyTorch modules as graphs of ATen operators, by `torch.export`."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from threading import RLock, get_ident
from typing import Any

from backlit.importers.torch.aliases import Aliases, names, operator_name
from backlit.importers.torch.inlining import inline_blocks
from backlit.importers.torch.operators.refused import BY_OPERATOR
from backlit.importers.torch.operators.table import find

ONE_AT_A_TIME = RLock()  # what is redirected or replaced is so for all threads


def export(module: Any, example: Any) -> Any:
    """The exported program of a module in evaluation mode.

    Operators that cannot be imported as they are, and in-place operations on parts of tensors,
    are decomposed as far as PyTorch can.
    """
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        raise ExportError("it is a ScriptModule: give the module that it was made from")
    failures = []
    with ONE_AT_A_TIME, evaluating(module), only_known_derivatives(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for strict in (False, True):  # tracing as it runs, else by its bytecode
            try:
                with quiet():
                    program = torch.export.export(module, (example,), strict=strict)
                    check_constants(program)
                    inline_blocks(program.graph_module)
                    if is_plain(program):
                        return program
                    return program.run_decompositions(decompositions())
            except OwnDerivativeError:
                raise
            except Exception as error:
                failures.append(f"strict={strict}: {first_lines(error)}")
    raise ExportError("\n".join(failures))


class ExportError(ValueError):
    """`torch.export` could not trace a module; the message says why."""


class OwnDerivativeError(ExportError):
    """A function of a module's own has a derivative that tracing would lose."""


@contextmanager
def only_known_derivatives() -> Iterator[None]:
    """Refuse functions that a module passes back by a rule of its own, but PyTorch's."""
    from torch.autograd import function

    # what `Function.apply` ends in, also where it was taken from a class before
    base: Any = function._SingleLevelFunction
    tracing = get_ident()  # others may go on with what they train

    def apply(kind: Any, *arguments: Any, **named: Any) -> Any:
        if get_ident() == tracing and kind.__module__.partition(".")[0] != "torch":
            raise OwnDerivativeError(
                f"{kind.__qualname__} is a torch.autograd.Function, whose own derivative would be "
                "lost"
            )
        return super(base, kind).apply(*arguments, **named)

    base.apply = classmethod(apply)
    try:
        yield
    finally:
        del base.apply


def check_constants(program: Any) -> None:
    """Refuse a program that holds tensors without values, as of what `.data` gives."""
    from torch._subclasses.fake_tensor import FakeTensor

    held = [*program.constants.values(), *program.state_dict.values()]
    if any(isinstance(value, FakeTensor) for value in held):
        raise ValueError("tensors without values among the constants, as of .data")


def first_lines(error: Exception, most: int = 6) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: " + "\n".join(lines[:most])


def is_plain(program: Any) -> bool:
    """Whether all operators are in the table, and in-place ones can be followed."""
    graph, inputs = program.graph, program.graph_signature.user_inputs
    depends: set[Any] = set()  # on the input
    for node in graph.nodes:
        if node.name in inputs or depends.intersection(node.all_input_nodes):
            depends.add(node)
    operators = [n for n in depends if n.op == "call_function" and hasattr(n.target, "_schema")]
    computed = [name for name in map(operator_name, operators) if name[0] != "sym_size"]
    known = all(find(*name) is not None for name in computed)
    return known and Aliases(graph).traceable


def decompositions() -> dict[Any, Any]:
    """PyTorch's own, but for operators that the table has, or that are refused for a reason."""
    import torch

    def final(operator: Any) -> bool:
        return find(*names(operator)) is not None or names(operator)[0] in BY_OPERATOR

    table = torch.export.default_decompositions()
    return {operator: table[operator] for operator in table if not final(operator)}


@contextmanager
def quiet() -> Iterator[None]:
    """Without PyTorch's logs, and what it prints of a failure: our error says what there is to say.

    Whoever asks for logs, by ``TORCH_LOGS`` or ``TORCH_TRACE``, gets them.
    """
    if os.environ.get("TORCH_LOGS") or os.environ.get("TORCH_TRACE"):
        yield
        return
    printed = StringIO()
    with ONE_AT_A_TIME, without_logs(), redirect_stderr(printed):
        yield
    if text := printed.getvalue():  # of a module that could be traced: its own
        sys.stderr.write(text)


@contextmanager
def without_logs() -> Iterator[None]:
    """PyTorch's loggers write nothing."""

    def refuse(record: logging.LogRecord) -> bool:
        return False

    found = list(logging.root.manager.loggerDict.values())
    loggers = [entry for entry in found if isinstance(entry, logging.Logger)]  # else a prefix alone
    theirs = [logger for logger in loggers if logger.name.partition(".")[0] == "torch"]
    handlers = [handler for logger in theirs for handler in logger.handlers]
    for handler in handlers:
        handler.addFilter(refuse)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(refuse)


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Evaluation mode, and then each part's mode as it was."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
    except NotImplementedError:  # of an exported module, which has the mode it was traced in
        for part, _ in modes:
            part.training = False
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
