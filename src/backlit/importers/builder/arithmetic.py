"""Functions of one number and of two, with broadcasting; constants are taken into affine maps."""

from typing import Any

import numpy as np

from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, UnsupportedError, Value
from backlit.layers import Activation, BatchNorm, Clip, ReLU
from backlit.operators import Add, Binary, Reshape

TINY, LARGEST = (float(n) for n in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))
HIDDEN = -1e30  # in place of minus infinity: differences of it are 0, its softmax is as small

# --- of one number --------------------------------------------------------------------------------


def unary(b: GraphBuilder, function: str, x: Tensor, **parameters: float) -> Tensor:
    """A function by its name in `backlit.Activation`."""
    return b.append(Activation(function, **parameters), x)


def scale(b: GraphBuilder, x: Tensor, factor: float = 1.0, shift: float = 0.0) -> Tensor:
    """``factor * x + shift``; scales of scales are one."""
    node = b.merging(x, Activation)
    if node and isinstance(node.layer, Activation) and node.layer.name == "scale":
        inner, offset = node.layer.parameters
        x = b.of(node.inputs[0])
        factor, shift = inner * factor, offset * factor + shift
    if factor == 1 and shift == 0:
        return x
    return unary(b, "scale", x, factor=factor, shift=shift)


def negative(b: GraphBuilder, x: Tensor) -> Tensor:
    return scale(b, x, -1.0)


def expm1(b: GraphBuilder, x: Tensor) -> Tensor:
    """``exp(x) - 1``"""
    return scale(b, unary(b, "exp", x), shift=-1.0)


def log1p(b: GraphBuilder, x: Tensor) -> Tensor:
    """``log(1 + x)``"""
    return unary(b, "log", scale(b, x, shift=1.0))


def clip(b: GraphBuilder, x: Tensor, low: float, high: float, *, open_ends: bool = True) -> Tensor:
    """Clip; derivative 0 at the bounds if `open_ends` (ReLU6, hardtanh), else 1 (clamp)."""
    if low == 0 and high == np.inf and open_ends:
        return b.append(ReLU(), x)
    low, high = (float(bound) for bound in np.clip([low, high], -LARGEST, LARGEST))
    if open_ends:
        return b.append(Clip(low, high), x)
    return unary(b, "clamp", x, low=low, high=high)


def powers(b: GraphBuilder, x: Tensor, power: float) -> Tensor:
    """``abs(x) ** power``"""
    if power == 2:
        return unary(b, "square", x)
    size = unary(b, "abs", x)
    return size if power == 1 else unary(b, "power", size, exponent=power)


def root(b: GraphBuilder, x: Tensor, power: float = 2.0) -> Tensor:
    """The root of a sum of powers; derivative 0 where that is 0, as of PyTorch's norms."""
    if power == 1:
        return x
    return binary(b, "raise_to", clip(b, x, TINY, np.inf), np.asarray(1 / power))


# --- of two ---------------------------------------------------------------------------------------


def binary(b: GraphBuilder, function: str, x: Value, y: Value) -> Tensor:
    """add, subtract, multiply, divide, larger, smaller or raise_to, with broadcasting."""
    x, y = _finite(function, x, y)
    if isinstance(x, Tensor) and not isinstance(y, Tensor):
        simple = _with_constant(b, function, x, np.asarray(y, np.float64))
        if simple is not None:
            return simple
    if isinstance(y, Tensor) and not isinstance(x, Tensor):
        constant = np.asarray(x, np.float64)
        if function in ("add", "multiply"):
            simple = _with_constant(b, function, y, constant)
            if simple is not None:
                return simple
        elif function == "subtract":
            return binary(b, "add", negative(b, y), constant)
        elif function == "divide":
            return binary(b, "multiply", unary(b, "reciprocal", y), constant)
    given = [v.shape if isinstance(v, Tensor) else np.shape(v) for v in (x, y)]
    shape = b.common_shape(*given)
    for value in (x, y):
        if isinstance(value, Tensor) and len(value.shape) != len(shape):
            both = " with ".join(map(b.shown, given))
            raise UnsupportedError(f"broadcasting of {both} mixes samples")
    first, second = _aligned(b, x, shape), _aligned(b, y, shape)
    if first.shape == second.shape and function == "add":
        return b.append(Add(), first, second)
    return b.append(Binary(function), first, second)


def _finite(function: str, x: Value, y: Value) -> tuple[Value, Value]:
    """A sum's or difference's values, those that mask entries by minus infinity made finite."""
    if function in ("add", "subtract") and not isinstance(x, Tensor):
        x = np.maximum(x, HIDDEN)
    if function == "add" and not isinstance(y, Tensor):
        y = np.maximum(y, HIDDEN)
    if function == "subtract" and not isinstance(y, Tensor):
        y = np.minimum(y, -HIDDEN)
    return x, y


def _aligned(b: GraphBuilder, value: Value, shape: tuple[int, ...]) -> Tensor:
    tensor = b.tensor(value, shape)
    missing = len(shape) - len(tensor.shape)
    if missing:
        tensor = b.append(Reshape((*[1] * missing, *tensor.sample)), tensor)
    return tensor


def _with_constant(b: GraphBuilder, function: str, x: Tensor, c: np.ndarray) -> Tensor | None:
    """x and a constant, as an affine map of channels or a function of one number."""
    shape = b.common_shape(x.shape, c.shape)
    if shape != x.shape:
        return None
    if function == "raise_to" and c.size == 1:
        return _raised(b, x, float(c.reshape(())))
    if function not in ("add", "subtract", "multiply", "divide"):
        return None
    factor, shift = {
        "add": (np.ones(()), c),
        "subtract": (np.ones(()), -c),
        "multiply": (c, np.zeros(())),
        "divide": (np.reciprocal(c) if function == "divide" else c, np.zeros(())),
    }[function]
    if c.size == 1:
        return scale(b, x, float(factor.reshape(-1)[0]), float(shift.reshape(-1)[0]))
    wide = c.reshape((1,) * (len(x.shape) - c.ndim) + c.shape)
    per_channel = len(x.shape) in (2, 4) and wide.size == wide.shape[1] == x.shape[1]
    if not per_channel:
        return None
    return affine(b, x, np.broadcast_to(factor.reshape(-1), wide.size), shift.reshape(-1))


def _raised(b: GraphBuilder, x: Tensor, exponent: float) -> Tensor:
    if exponent == 1:
        return x
    named = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal"}.get(exponent)
    return unary(b, named, x) if named else unary(b, "power", x, exponent=exponent)


def affine(b: GraphBuilder, x: Tensor, factor: Any, shift: Any) -> Tensor:
    """``factor * x + shift``, for each channel (axis 1) of an image or feature of a row."""
    factor = np.asarray(factor, np.float64).reshape(-1)
    shift = np.broadcast_to(np.asarray(shift, np.float64).reshape(-1), factor.shape)
    zeros, ones = np.zeros(factor.size), np.ones(factor.size)
    return b.append(BatchNorm(factor, shift, zeros, ones, 0.0), x)
