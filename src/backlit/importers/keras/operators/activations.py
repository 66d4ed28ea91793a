"""Functions of each value, by the names of `keras.activations`, and their layers.

Derivatives at kinks are those of Keras on PyTorch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlit.importers.keras.builder import KerasBuilder, Tensor, UnsupportedError
from backlit.importers.keras.operators.table import array, find, layer, operation
from backlit.layers import LeakyReLU, ReLU, Sigmoid, Tanh

Function = Callable[[KerasBuilder, Tensor], Tensor]
FUNCTIONS: dict[str, Function] = {
    "linear": lambda b, x: x,
    "cos": lambda b, x: b.activation(x, "cos"),
    "erf": lambda b, x: b.activation(x, "erf"),
    "expm1": lambda b, x: b.expm1(x),
    "log1p": lambda b, x: b.log1p(x),
    "reciprocal": lambda b, x: b.activation(x, "reciprocal"),
    "rsqrt": lambda b, x: b.activation(x, "power", exponent=-0.5),
    "sin": lambda b, x: b.activation(x, "sin"),
    "absolute": lambda b, x: b.activation(x, "abs"),
    "log": lambda b, x: b.activation(x, "log"),
    "sqrt": lambda b, x: b.activation(x, "sqrt"),
    "square": lambda b, x: b.activation(x, "square"),
    "relu": lambda b, x: b.append(ReLU(), x),
    "leaky_relu": lambda b, x: b.append(LeakyReLU(0.2), x),
    "relu6": lambda b, x: b.clip(x, 0.0, 6.0),
    "sigmoid": lambda b, x: b.append(Sigmoid(), x),
    "tanh": lambda b, x: b.append(Tanh(), x),
    "elu": lambda b, x: b.activation(x, "elu"),
    "celu": lambda b, x: b.activation(x, "elu"),
    "selu": lambda b, x: b.selu(x),
    "gelu": lambda b, x: b.activation(x, "gelu"),
    "silu": lambda b, x: b.activation(x, "silu"),
    "mish": lambda b, x: b.activation(x, "mish"),
    "softplus": lambda b, x: b.activation(x, "softplus"),
    "softsign": lambda b, x: b.activation(x, "softsign"),
    "exponential": lambda b, x: b.activation(x, "exp"),
    "log_sigmoid": lambda b, x: b.log_sigmoid(x),
    "hard_sigmoid": lambda b, x: b.activation(x, "hard_sigmoid"),
    "hard_silu": lambda b, x: b.activation(x, "hard_swish"),
    "hard_shrink": lambda b, x: b.hard_shrink(x, 0.5),
    "soft_shrink": lambda b, x: b.soft_shrink(x, 0.5),
    "hard_tanh": lambda b, x: b.clip(x, -1.0, 1.0),
    "softmax": lambda b, x: b.softmax(x, b.axis(-1, len(x.shape))),
    "log_softmax": lambda b, x: b.softmax(x, b.axis(-1, len(x.shape)), logarithm=True),
}


def function(method: Function) -> Function:
    FUNCTIONS[method.__name__] = method
    return method


@function
def tanh_shrink(b: KerasBuilder, x: Tensor) -> Tensor:
    return b.binary("subtract", x, b.append(Tanh(), x))


@function
def sparse_sigmoid(b: KerasBuilder, x: Tensor) -> Tensor:
    return b.activation(b.clip(x, -1.0, 1.0), "scale", factor=0.5, shift=0.5)


@function
def sparse_plus(b: KerasBuilder, x: Tensor) -> Tensor:
    """(x + 1)**2 / 4 within [-1, 1], and x beyond."""
    inner = b.activation(b.clip(x, -1.0, 1.0, open_ends=False), "scale", factor=0.5, shift=0.5)
    beyond = b.append(ReLU(), b.activation(x, "scale", shift=-1.0))
    return b.binary("add", b.activation(inner, "square"), beyond)


@function
def squareplus(b: KerasBuilder, x: Tensor) -> Tensor:
    inside = b.activation(b.activation(x, "square"), "scale", shift=4.0)
    total = b.binary("add", x, b.activation(inside, "sqrt"))
    return b.activation(total, "scale", factor=0.5)


class OwnActivationError(UnsupportedError):
    """An activation that is not Keras's: the layer has to be traced."""


def activate(b: KerasBuilder, x: Tensor, activation: Any) -> Tensor:
    """What a layer's argument `activation` does."""
    from keras import activations, ops

    if activation is None:
        return x
    name = getattr(activation, "__name__", "")
    own = getattr(activations, name, None), getattr(ops, name, None)
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
        result = b.activation(x, "thresholded_relu", alpha=start)
    elif ceiling == 6:
        result = b.clip(x, 0.0, 6.0)
    else:
        result = b.append(ReLU(), x)
    if ceiling is not None and (start or ceiling != 6):
        result = b.clip(result, 0.0, float(ceiling), open_ends=False)
    if slope:
        below = b.append(ReLU(), b.activation(x, "scale", factor=-1.0, shift=start))
        result = b.binary("subtract", result, b.activation(below, "scale", factor=slope))
    return result


@layer("LeakyReLU")
def leaky_relu(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return b.append(LeakyReLU(float(layer.negative_slope)), x)


@layer("PReLU")
def prelu(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    slopes = b.broadcast(array(layer.alpha), len(x.shape))
    below = b.append(ReLU(), b.negative(x))
    scaled = b.binary("multiply", below, -slopes)
    return b.binary("add", b.append(ReLU(), x), scaled)


@layer("ELU")
def elu(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return b.activation(x, "elu", alpha=float(layer.alpha))


@layer("Softmax")
def softmax(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    axes = np.atleast_1d(layer.axis)
    if len(axes) != 1:
        raise UnsupportedError(f"axis={layer.axis}: a softmax along several axes")
    return b.softmax(x, b.axis(axes[0], len(x.shape)))


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
    return b.activation(x, "gelu_tanh" if op.approximate else "gelu")


@operation("Elu")
def elu_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return b.activation(x, "elu", alpha=float(op.alpha))


@operation("Celu")
def celu_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return b.celu(x, float(op.alpha))


@operation("Clip")
def clip_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    low, high = op.x_min, op.x_max
    if np.ndim(low) or np.ndim(high):
        raise UnsupportedError("bounds that are no numbers")
    return b.clip(x, float(low), float(high), open_ends=False)


@operation("LeakyRelu")
def leaky_relu_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return b.append(LeakyReLU(float(op.negative_slope)), x)


@operation("Softmax")
def softmax_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return softmax(b, op, x)
