"""Functions of each value, and softmax."""

from math import log
from typing import Any

import numpy as np

from backlit.importers.builder import (
    Tensor,
    UnsupportedError,
    Value,
    activations,
    arithmetic,
    comparisons,
    masks,
    rounding,
    trigonometry,
)
from backlit.importers.torch.operators.table import TorchBuilder, operator, weights
from backlit.layers import LeakyReLU, ReLU, Sigmoid, Tanh


@operator("relu")
def relu(b: TorchBuilder, x: Tensor) -> Tensor:
    return b.append(ReLU(), x)


@operator("sigmoid")
def sigmoid(b: TorchBuilder, x: Tensor) -> Tensor:
    return b.append(Sigmoid(), x)


@operator("tanh")
def tanh(b: TorchBuilder, x: Tensor) -> Tensor:
    return b.append(Tanh(), x)


# Those that take no parameter, by their names in `backlit.Activation`
PLAIN = {
    "abs": "abs",
    "cos": "cos",
    "erf": "erf",
    "exp": "exp",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "log": "log",
    "mish": "mish",
    "reciprocal": "reciprocal",
    "silu": "silu",
    "sin": "sin",
    "softsign": "softsign",
    "sqrt": "sqrt",
    "square": "square",
}


def _plain(name: str) -> Any:
    return lambda b, x: arithmetic.unary(b, name, x)


for _aten, _name in PLAIN.items():
    operator(_aten)(_plain(_name))

operator("neg")(arithmetic.negative)
operator("expm1")(arithmetic.expm1)
operator("log1p")(arithmetic.log1p)
operator("cosh")(trigonometry.cosh)
operator("sinh")(trigonometry.sinh)
operator("tan")(trigonometry.tan)
operator("floor")(rounding.floor)
operator("ceil")(rounding.ceil)
operator("selu")(activations.selu)
operator("celu")(activations.celu)
operator("log_sigmoid", "log_sigmoid_forward")(activations.log_sigmoid)


@operator("exp2")
def exp2(b: TorchBuilder, x: Tensor) -> Tensor:
    return arithmetic.unary(b, "exp", arithmetic.scale(b, x, log(2)))


@operator("log2")
def log2(b: TorchBuilder, x: Tensor) -> Tensor:
    return arithmetic.scale(b, arithmetic.unary(b, "log", x), 1 / log(2))


@operator("log10")
def log10(b: TorchBuilder, x: Tensor) -> Tensor:
    return arithmetic.scale(b, arithmetic.unary(b, "log", x), 1 / log(10))


@operator("trunc")
def trunc(b: TorchBuilder, x: Tensor) -> Tensor:
    sides = x, arithmetic.negative(b, x)
    whole = (rounding.floor(b, b.append(ReLU(), side)) for side in sides)
    return arithmetic.binary(b, "subtract", *whole)


@operator("round")
def nearest(b: TorchBuilder, x: Tensor, *, decimals: int = 0) -> Tensor:
    if decimals == 0:
        return arithmetic.unary(b, "round", x)
    shifted = arithmetic.scale(b, x, 10.0**decimals)
    return arithmetic.scale(b, arithmetic.unary(b, "round", shifted), 10.0**-decimals)


@operator("asinh")
def asinh(b: TorchBuilder, x: Tensor) -> Tensor:
    # the logarithm's argument would cancel below 0; of the two parts one has derivative 1 at 0
    above = arithmetic.clip(b, x, 0, np.inf, open_ends=False)
    below = b.append(ReLU(), arithmetic.negative(b, x))
    return arithmetic.binary(b, "subtract", _area(b, above, 1.0), _area(b, below, 1.0))


@operator("acosh")
def acosh(b: TorchBuilder, x: Tensor) -> Tensor:
    return _area(b, x, -1.0)


def _area(b: TorchBuilder, x: Tensor, shift: float) -> Tensor:
    """``log(x + sqrt(x ** 2 + shift))``"""
    square = arithmetic.scale(b, arithmetic.unary(b, "square", x), shift=shift)
    total = arithmetic.binary(b, "add", x, arithmetic.unary(b, "sqrt", square))
    return arithmetic.unary(b, "log", total)


@operator("atanh")
def atanh(b: TorchBuilder, x: Tensor) -> Tensor:
    above, below = arithmetic.log1p(b, x), arithmetic.log1p(b, arithmetic.negative(b, x))
    return arithmetic.scale(b, arithmetic.binary(b, "subtract", above, below), 0.5)


@operator("rsqrt")
def rsqrt(b: TorchBuilder, x: Tensor) -> Tensor:
    return arithmetic.unary(b, "power", x, exponent=-0.5)


@operator("gelu")
def gelu(b: TorchBuilder, x: Tensor, *, approximate: str = "none") -> Tensor:
    return arithmetic.unary(b, "gelu" if approximate == "none" else "gelu_tanh", x)


@operator("leaky_relu")
def leaky_relu(b: TorchBuilder, x: Tensor, negative_slope: float = 0.01) -> Tensor:
    return b.append(LeakyReLU(negative_slope), x)


@operator("rrelu")
def rrelu(
    b: TorchBuilder, x: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False
) -> Tensor:
    if training:
        raise UnsupportedError("random slopes")
    return b.append(LeakyReLU((lower + upper) / 2), x)


@operator("prelu", "_prelu_kernel")
def prelu(b: TorchBuilder, x: Tensor, weight: Value) -> Tensor:
    slopes = weights(weight, "a slope").reshape(-1)
    return activations.prelu(b, x, slopes.reshape(-1, *[1] * (len(x.shape) - 2)))


@operator("elu")
def elu(
    b: TorchBuilder, x: Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> Tensor:
    return arithmetic.unary(b, "elu", x, alpha=alpha, scale=scale, input_scale=input_scale)


@operator("softplus")
def softplus(b: TorchBuilder, x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    soft = arithmetic.unary(b, "softplus", x, beta=beta)
    if threshold >= 15:  # beyond it PyTorch takes x itself: the same in float32
        return soft
    steep = comparisons.compare(b, "greater", arithmetic.scale(b, x, beta), np.asarray(threshold))
    return masks.choose(b, steep, x, soft)


@operator("hardtanh")
def hardtanh(b: TorchBuilder, x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    return arithmetic.clip(b, x, min_val, max_val)


@operator("relu6")
def relu6(b: TorchBuilder, x: Tensor) -> Tensor:
    return arithmetic.clip(b, x, 0.0, 6.0)


@operator("clamp")
def clamp(b: TorchBuilder, x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    if any(isinstance(bound, Tensor) or np.ndim(bound) > 0 for bound in (min, max)):
        x = x if min is None else arithmetic.binary(b, "larger", x, min)
        return x if max is None else arithmetic.binary(b, "smaller", x, max)
    low = -np.inf if min is None else float(min)
    high = np.inf if max is None else float(max)
    return arithmetic.clip(b, x, low, high, open_ends=False)


@operator("clamp_min")
def clamp_min(b: TorchBuilder, x: Tensor, min: Any) -> Tensor:
    return clamp(b, x, min, None)


@operator("clamp_max")
def clamp_max(b: TorchBuilder, x: Tensor, max: Any) -> Tensor:
    return clamp(b, x, None, max)


@operator("threshold")
def threshold(b: TorchBuilder, x: Tensor, threshold: float, value: float) -> Tensor:
    if value == 0:
        return arithmetic.unary(b, "thresholded_relu", x, alpha=threshold)
    above = comparisons.compare(b, "greater", x, np.asarray(threshold))
    return masks.choose(b, above, x, np.asarray(value))


@operator("hardshrink")
def hardshrink(b: TorchBuilder, x: Tensor, lambd: float = 0.5) -> Tensor:
    return activations.hard_shrink(b, x, lambd)


@operator("softshrink")
def softshrink(b: TorchBuilder, x: Tensor, lambd: float = 0.5) -> Tensor:
    return activations.soft_shrink(b, x, lambd)


@operator("softmax", "_softmax")
def softmax(b: TorchBuilder, x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    return activations.softmax(b, x, dim)


@operator("log_softmax", "_log_softmax")
def log_softmax(b: TorchBuilder, x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    return activations.softmax(b, x, dim, logarithm=True)
