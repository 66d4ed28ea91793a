"""PyTorch modules as graphs of ATen operators, by `torch.export`."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backlit.importers.torch.operators import OPERATORS


def export(module: Any, example: Any) -> Any:
    """The exported program of a module in evaluation mode, without mutations.

    What can be imported stays as it is; other operators are decomposed.
    """
    import torch

    failures = []
    with evaluating(module), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        for strict in (False, True):  # tracing as it runs, else by its bytecode
            try:
                program = torch.export.export(module, (example,), strict=strict)
                return program.run_decompositions(decompositions())
            except Exception as error:
                failures.append(f"strict={strict}: {first_lines(error)}")
    raise ExportError("\n".join(failures))


class ExportError(ValueError):
    """`torch.export` could not trace a module; the message says why."""


def first_lines(error: Exception, most: int = 6) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: " + "\n".join(lines[:most])


def decompositions() -> dict[Any, Any]:
    """PyTorch's own, but for operators that the table has."""
    import torch

    def known(operator: Any) -> bool:
        name = operator._schema.name.removeprefix("aten::")
        return name in OPERATORS or f"{name}.{operator._schema.overload_name}" in OPERATORS

    table = torch.export.default_decompositions()
    return {operator: table[operator] for operator in table if not known(operator)}


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Evaluation mode, and then each part's mode as it was."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
