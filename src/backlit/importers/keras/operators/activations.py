"""Functions of each value, by the names of `keras.activations`, and their layers.

Derivatives at kinks are those of Keras on PyTorch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, activations, arithmetic
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.table import array, find, layer, operation
from backlit.layers import LeakyReLU, ReLU, Sigmoid, Tanh

Function = Callable[[KerasBuilder, Tensor], Tensor]
NAMED = {  # those of `backlit.Activation`, by their names there
    "absolute": "abs",
    "celu": "elu",
    "cos": "cos",
    "elu": "elu",
    "erf": "erf",
    "exponential": "exp",
    "gelu": "gelu",
    "hard_sigmoid": "hard_sigmoid",
    "hard_silu": "hard_swish",
    "log": "log",
    "mish": "mish",
    "reciprocal": "reciprocal",
    "silu": "silu",
    "sin": "sin",
    "softplus": "softplus",
    "softsign": "softsign",
    "sqrt": "sqrt",
    "square": "square",
}


def _unary(name: str) -> Function:
    return lambda b, x: arithmetic.unary(b, name, x)


FUNCTIONS: dict[str, Function] = {
    **{theirs: _unary(ours) for theirs, ours in NAMED.items()},
    "linear": lambda b, x: x,
    "expm1": arithmetic.expm1,
    "log1p": arithmetic.log1p,
    "rsqrt": lambda b, x: arithmetic.unary(b, "power", x, exponent=-0.5),
    "relu": lambda b, x: b.append(ReLU(), x),
    "leaky_relu": lambda b, x: b.append(LeakyReLU(0.2), x),
    "relu6": lambda b, x: arithmetic.clip(b, x, 0.0, 6.0),
    "sigmoid": lambda b, x: b.append(Sigmoid(), x),
    "tanh": lambda b, x: b.append(Tanh(), x),
    "selu": activations.selu,
    "log_sigmoid": activations.log_sigmoid,
    "hard_shrink": lambda b, x: activations.hard_shrink(b, x, 0.5),
    "soft_shrink": lambda b, x: activations.soft_shrink(b, x, 0.5),
    "hard_tanh": lambda b, x: arithmetic.clip(b, x, -1.0, 1.0),
    "softmax": lambda b, x: activations.softmax(b, x, b.axis(-1, len(x.shape))),
    "log_softmax": lambda b, x: activations.softmax(b, x, b.axis(-1, len(x.shape)), logarithm=True),
}


def function(method: Function) -> Function:
    FUNCTIONS[method.__name__] = method
    return method


@function
def tanh_shrink(b: KerasBuilder, x: Tensor) -> Tensor:
    return arithmetic.binary(b, "subtract", x, b.append(Tanh(), x))


@function
def sparse_sigmoid(b: KerasBuilder, x: Tensor) -> Tensor:
    return arithmetic.scale(b, arithmetic.clip(b, x, -1.0, 1.0), 0.5, shift=0.5)


@function
def sparse_plus(b: KerasBuilder, x: Tensor) -> Tensor:
    """(x + 1)**2 / 4 within [-1, 1], and x beyond."""
    inner = arithmetic.scale(b, arithmetic.clip(b, x, -1.0, 1.0, open_ends=False), 0.5, shift=0.5)
    beyond = b.append(ReLU(), arithmetic.scale(b, x, shift=-1.0))
    return arithmetic.binary(b, "add", arithmetic.unary(b, "square", inner), beyond)


@function
def squareplus(b: KerasBuilder, x: Tensor) -> Tensor:
    inside = arithmetic.scale(b, arithmetic.unary(b, "square", x), shift=4.0)
    total = arithmetic.binary(b, "add", x, arithmetic.unary(b, "sqrt", inside))
    return arithmetic.scale(b, total, 0.5)


class OwnActivationError(UnsupportedError):
    """An activation that is not Keras's: the layer has to be traced."""


def activate(b: KerasBuilder, x: Tensor, activation: Any) -> Tensor:
    """What a layer's argument `activation` does."""
    import keras

    if activation is None:
        return x
    name = getattr(activation, "__name__", "")
    own = getattr(keras.activations, name, None), getattr(keras.ops, name, None)
    if name in FUNCTIONS and activation in own:
        return FUNCTIONS[name](b, x)
    handler = find(activation)  # a layer may be an activation
    if handler is not None:
        result: Tensor = handler(b, activation, x)
        return result
    theirs = (getattr(activation, "__module__", None) or "").partition(".")[0] == "keras"
    kind = UnsupportedError if theirs else OwnActivationError
    raise kind(f"the activation {name or type(activation).__name__}")


# --- layers ---------------------------------------------------------------------------------------


@layer("Activation")
def activation(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return activate(b, x, layer.activation)


@operation("ReLU")
@layer("ReLU")
def relu(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    slope, ceiling, start = (
        float(layer.negative_slope),
        layer.max_value,
        float(layer.threshold),
    )
    if slope and ceiling is None and not start:
        return b.append(LeakyReLU(slope), x)
    if start:
        result = arithmetic.unary(b, "thresholded_relu", x, alpha=start)
    elif ceiling == 6:
        result = arithmetic.clip(b, x, 0.0, 6.0)
    else:
        result = b.append(ReLU(), x)
    if ceiling is not None and (start or ceiling != 6):
        result = arithmetic.clip(b, result, 0.0, float(ceiling), open_ends=False)
    if slope:
        below = b.append(ReLU(), arithmetic.scale(b, x, -1.0, shift=start))
        result = arithmetic.binary(b, "subtract", result, arithmetic.scale(b, below, slope))
    return result


@layer("LeakyReLU")
def leaky_relu(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return b.append(LeakyReLU(float(layer.negative_slope)), x)


@layer("PReLU")
def prelu(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    slopes = b.broadcast(array(layer.alpha), len(x.shape))
    below = b.append(ReLU(), arithmetic.negative(b, x))
    scaled = arithmetic.binary(b, "multiply", below, -slopes)
    return arithmetic.binary(b, "add", b.append(ReLU(), x), scaled)


@layer("ELU")
def elu(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return arithmetic.unary(b, "elu", x, alpha=float(layer.alpha))


@layer("Softmax")
def softmax(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    axes = np.atleast_1d(layer.axis)
    if len(axes) != 1:
        raise UnsupportedError(f"axis={layer.axis}: a softmax along several axes")
    return activations.softmax(b, x, b.axis(axes[0], len(x.shape)))


# --- operations -----------------------------------------------------------------------------------


def _named(name: str) -> Any:
    return lambda b, op, x: FUNCTIONS[name](b, x)


for _operation, _name in {
    "Absolute": "absolute",
    "Log": "log",
    "Sqrt": "sqrt",
    "Square": "square",
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Selu": "selu",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "LogSigmoid": "log_sigmoid",
    "Exp": "exponential",
    "LogSoftmax": "log_softmax",
    "HardTanh": "hard_tanh",
    "HardShrink": "hard_shrink",
    "SoftShrink": "soft_shrink",
    "TanhShrink": "tanh_shrink",
    "Squareplus": "squareplus",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
    "Mish": "mish",
    "Erf": "erf",
    "Sin": "sin",
    "Cos": "cos",
    "Reciprocal": "reciprocal",
    "Rsqrt": "rsqrt",
    "Expm1": "expm1",
    "Log1p": "log1p",
}.items():
    operation(_operation)(_named(_name))


@operation("Gelu")
def gelu_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return arithmetic.unary(b, "gelu_tanh" if op.approximate else "gelu", x)


@operation("Elu")
def elu_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return arithmetic.unary(b, "elu", x, alpha=float(op.alpha))


@operation("Celu")
def celu_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return activations.celu(b, x, float(op.alpha))


@operation("Clip")
def clip_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    low, high = op.x_min, op.x_max
    if np.ndim(low) or np.ndim(high):
        raise UnsupportedError("bounds that are no numbers")
    return arithmetic.clip(b, x, float(low), float(high), open_ends=False)


@operation("LeakyRelu")
def leaky_relu_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return b.append(LeakyReLU(float(op.negative_slope)), x)


@operation("Softmax")
def softmax_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return softmax(b, op, x)
