"""Arithmetic of two values, and matrix products."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value
from backlit.importers.builder.einsum import einsum
from backlit.importers.torch.operators.table import TorchBuilder, constant, operator


def times(b: TorchBuilder, x: Value, factor: float) -> Value:
    if factor == 1:
        return x
    if isinstance(x, Tensor):
        return b.activation(x, "scale", factor=float(factor))
    return np.asarray(x) * factor


@operator("add")
def add(b: TorchBuilder, x: Value, y: Value, *, alpha: float = 1) -> Tensor:
    return b.binary("add", x, times(b, y, alpha))


@operator("sub")
def sub(b: TorchBuilder, x: Value, y: Value, *, alpha: float = 1) -> Tensor:
    return b.binary("subtract", x, times(b, y, alpha))


@operator("rsub")
def rsub(b: TorchBuilder, x: Value, y: Value, alpha: float = 1) -> Tensor:
    return b.binary("subtract", y, times(b, x, alpha))


@operator("mul")
def mul(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    if x is y and isinstance(x, Tensor):
        return b.activation(x, "square")
    return b.binary("multiply", x, y)


@operator("div")
def div(b: TorchBuilder, x: Value, y: Value, *, rounding_mode: str | None = None) -> Tensor:
    if rounding_mode is not None:
        raise UnsupportedError(f"rounding_mode={rounding_mode!r}")
    return b.binary("divide", x, y)


@operator("maximum")
def maximum(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    return b.binary("larger", x, y)


@operator("minimum")
def minimum(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    return b.binary("smaller", x, y)


@operator("pow")
def power(b: TorchBuilder, x: Value, exponent: Value) -> Tensor:
    return b.binary("raise_to", x, exponent)


@operator("addcmul")
def addcmul(b: TorchBuilder, x: Value, y: Value, z: Value, *, value: float = 1) -> Tensor:
    return b.binary("add", x, times(b, either(b, "multiply", y, z), value))


@operator("lerp")
def lerp(b: TorchBuilder, start: Value, end: Value, weight: Value) -> Tensor:
    way = either(b, "subtract", end, start)
    return b.binary("add", start, either(b, "multiply", way, weight))


def either(b: TorchBuilder, function: str, x: Value, y: Value) -> Value:
    """A function of two values of which both may be constants."""
    if isinstance(x, Tensor) or isinstance(y, Tensor):
        return b.binary(function, x, y)
    return np.asarray(getattr(np, function)(x, y))


# --- masks ----------------------------------------------------------------------------------------


@operator("tril")
def tril(b: TorchBuilder, x: Tensor, diagonal: int = 0) -> Tensor:
    return b.binary("multiply", x, np.tri(x.shape[-2], x.shape[-1], diagonal))


@operator("triu")
def triu(b: TorchBuilder, x: Tensor, diagonal: int = 0) -> Tensor:
    return b.binary("multiply", x, 1 - np.tri(x.shape[-2], x.shape[-1], diagonal - 1))


# --- matrix products ------------------------------------------------------------------------------


@operator("linear")
def linear(b: TorchBuilder, x: Value, weight: Value, bias: Value | None = None) -> Tensor:
    if isinstance(x, Tensor) and not isinstance(weight, Tensor):
        return b.dense(x, weight.T, constant(bias, "a bias"))
    if isinstance(weight, Tensor):
        raise UnsupportedError("a weight that depends on the input")
    raise UnsupportedError("a bias that depends on the input")


@operator("matmul", "mm", "bmm", "mv")
def matmul(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    return b.matmul(x, y)


@operator("einsum")
def sum_of_products(
    b: TorchBuilder, equation: str, tensors: Sequence[Value], path: Any = None
) -> Tensor:
    return einsum(b, equation, tensors)


@operator("addmm", "baddbmm")
def addmm(
    b: TorchBuilder, bias: Value, x: Value, y: Value, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    row = isinstance(x, Tensor) and len(x.shape) == 2 and alpha == 1
    if row and isinstance(bias, np.ndarray) and bias.ndim == 1 and isinstance(y, np.ndarray):
        assert isinstance(x, Tensor)
        return b.dense(x, y, np.broadcast_to(bias * beta, y.shape[1:]))
    product = times(b, b.matmul(x, y), alpha)
    return b.binary("add", product, times(b, bias, beta))
