"""Arithmetic of two values."""

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, arithmetic, patterns
from backlit.importers.torch.operators.table import TorchBuilder, operator


def times(b: TorchBuilder, x: Value, factor: float) -> Value:
    if factor == 1:
        return x
    if isinstance(x, Tensor):
        return arithmetic.scale(b, x, float(factor))
    return np.asarray(x) * factor


@operator("add")
def add(b: TorchBuilder, x: Value, y: Value, *, alpha: float = 1) -> Tensor:
    return arithmetic.binary(b, "add", x, times(b, y, alpha))


@operator("sub")
def sub(b: TorchBuilder, x: Value, y: Value, *, alpha: float = 1) -> Tensor:
    return arithmetic.binary(b, "subtract", x, times(b, y, alpha))


@operator("rsub")
def rsub(b: TorchBuilder, x: Value, y: Value, alpha: float = 1) -> Tensor:
    return arithmetic.binary(b, "subtract", y, times(b, x, alpha))


@operator("mul")
def mul(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    if x is y and isinstance(x, Tensor):
        return arithmetic.unary(b, "square", x)
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        found = patterns.gelu(b, x, y) or patterns.gelu(b, y, x)
        if found is not None:
            return found
    return arithmetic.binary(b, "multiply", x, y)


@operator("div")
def div(b: TorchBuilder, x: Value, y: Value, *, rounding_mode: str | None = None) -> Tensor:
    if rounding_mode is not None:
        raise UnsupportedError(f"rounding_mode={rounding_mode!r}")
    return arithmetic.binary(b, "divide", x, y)


@operator("maximum")
def maximum(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    return arithmetic.binary(b, "larger", x, y)


@operator("minimum")
def minimum(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    return arithmetic.binary(b, "smaller", x, y)


@operator("pow")
def power(b: TorchBuilder, x: Value, exponent: Value) -> Tensor:
    return arithmetic.binary(b, "raise_to", x, exponent)


@operator("logaddexp")
def log_add_exp(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    """``log(exp(x) + exp(y))``, as ``x + softplus(y - x)``."""
    rest = arithmetic.unary(b, "softplus", arithmetic.binary(b, "subtract", y, x))
    return arithmetic.binary(b, "add", x, rest)


@operator("hypot")
def hypotenuse(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    squares = (
        arithmetic.unary(b, "square", v) if isinstance(v, Tensor) else np.square(v) for v in (x, y)
    )
    return arithmetic.root(b, arithmetic.binary(b, "add", *squares))


@operator("addcmul")
def addcmul(b: TorchBuilder, x: Value, y: Value, z: Value, *, value: float = 1) -> Tensor:
    return arithmetic.binary(b, "add", x, times(b, either(b, "multiply", y, z), value))


@operator("lerp")
def lerp(b: TorchBuilder, start: Value, end: Value, weight: Value) -> Tensor:
    way = either(b, "subtract", end, start)
    return arithmetic.binary(b, "add", start, either(b, "multiply", way, weight))


def either(b: TorchBuilder, function: str, x: Value, y: Value) -> Value:
    """A function of two values of which both may be constants."""
    if isinstance(x, Tensor) or isinstance(y, Tensor):
        return arithmetic.binary(b, function, x, y)
    return np.asarray(getattr(np, function)(x, y))


# --- masks ----------------------------------------------------------------------------------------


@operator("tril")
def tril(b: TorchBuilder, x: Tensor, diagonal: int = 0) -> Tensor:
    return arithmetic.binary(b, "multiply", x, np.tri(x.shape[-2], x.shape[-1], diagonal))


@operator("triu")
def triu(b: TorchBuilder, x: Tensor, diagonal: int = 0) -> Tensor:
    return arithmetic.binary(b, "multiply", x, 1 - np.tri(x.shape[-2], x.shape[-1], diagonal - 1))
