"""Arithmetic of two values."""

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value
from backlit.importers.builder.patterns import gelu
from backlit.importers.torch.operators.table import TorchBuilder, operator


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
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return gelu(b, x, y) or gelu(b, y, x) or b.binary("multiply", x, y)
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


@operator("logaddexp")
def log_add_exp(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    """``log(exp(x) + exp(y))``, as ``x + softplus(y - x)``."""
    return b.binary("add", x, b.activation(b.binary("subtract", y, x), "softplus"))


@operator("hypot")
def hypotenuse(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    squares = (b.powers(v, 2) if isinstance(v, Tensor) else np.square(v) for v in (x, y))
    return b.root(b.binary("add", *squares))


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
