"""Arithmetic of values: layers that merge several, and operations of two."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, arithmetic
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.table import constant, layer, operation

# What is between two values, in layers (of several) and in operations
BETWEEN = {
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "Divide": "divide",
    "TrueDivide": "divide",
    "Maximum": "larger",
    "Minimum": "smaller",
    "Power": "raise_to",
}


def _merge(b: KerasBuilder, function: str, values: Sequence[Tensor]) -> Tensor:
    if len({len(value.shape) for value in values}) > 1:
        shapes = ", ".join(str(b.shape(value)) for value in values)
        raise UnsupportedError(f"inputs of different ranks: {shapes}")
    return reduce(lambda a, c: arithmetic.binary(b, function, a, c), values)


def _merging(function: str) -> Any:
    return lambda b, layer, values: _merge(b, function, values)


for _name in ("Add", "Subtract", "Multiply", "Maximum", "Minimum"):
    layer(_name)(_merging(BETWEEN[_name]))


@layer("Average")
def average(b: KerasBuilder, layer: Any, values: Sequence[Tensor]) -> Tensor:
    return arithmetic.scale(b, _merge(b, "add", values), 1 / len(values))


# --- operations -----------------------------------------------------------------------------------


def sides(b: KerasBuilder, *values: Any) -> list[Value]:
    """Values that are broadcast together, constants as they broadcast to what is held."""
    rank = max(len(v.shape) for v in values if isinstance(v, Tensor))
    if any(isinstance(v, Tensor) and len(v.shape) != rank for v in values):
        raise UnsupportedError("inputs of different ranks")
    return [v if isinstance(v, Tensor) else _constant(b, v, rank) for v in values]


def _operation(function: str) -> Any:
    return lambda b, op, first, second: arithmetic.binary(b, function, *sides(b, first, second))


def _constant(b: KerasBuilder, value: Any, rank: int) -> np.ndarray:
    array = constant(value, "a constant").astype(np.float64)
    if array.ndim > rank:
        raise UnsupportedError(f"a constant of shape {array.shape}")
    return b.broadcast(array, rank)


for _name, _function in BETWEEN.items():
    operation(_name)(_operation(_function))


@operation("Negative")
def negative(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return arithmetic.negative(b, x)
