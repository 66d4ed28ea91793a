"""Activation functions and softmax."""

from collections.abc import Callable

from backlit.exporters.onnx.writing import Writer, form
from backlit.graph import Node
from backlit.layers import (
    Activation,
    Clip,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from backlit.operators import RowSoftmax

PLAIN = {ReLU: "Relu", Sigmoid: "Sigmoid", Tanh: "Tanh"}


@form(*PLAIN)
def plain(writer: Writer, node: Node) -> str:
    return writer.emit(PLAIN[type(node.layer)], writer.input(node))


@form(Softmax)
def softmax(writer: Writer, node: Node) -> str:
    return writer.emit("Softmax", writer.input(node), axis=1)


@form(RowSoftmax)
def row_softmax(writer: Writer, node: Node) -> str:
    return writer.emit("Softmax", writer.input(node), axis=len(writer.graph.shapes[node.output]))


@form(LogSoftmax)
def log_softmax(writer: Writer, node: Node) -> str:
    return writer.emit("LogSoftmax", writer.input(node), axis=1)


@form(LeakyReLU)
def leaky_relu(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, LeakyReLU)
    return writer.emit("LeakyRelu", writer.input(node), alpha=node.layer.slope)


@form(Clip)
def clip(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, Clip)
    return _clip(writer, writer.input(node), node.layer.low, node.layer.high)


def _clip(writer: Writer, x: str, low: float, high: float) -> str:
    return writer.emit("Clip", x, writer.constant("low", low), writer.constant("high", high))


@form(Activation)
def activation(writer: Writer, node: Node) -> str:
    layer, x = node.layer, writer.input(node)
    assert isinstance(layer, Activation)
    if layer.name in NAMED:
        kind, *keys = NAMED[layer.name]
        return writer.emit(kind, x, **dict(zip(keys, layer.parameters, strict=True)))
    return OTHERS[layer.name](writer, x, *layer.parameters)


# The operator of each function, and the attributes that its parameters are
NAMED: dict[str, tuple[str, ...]] = {
    "gelu": ("Gelu",),
    "mish": ("Mish",),
    "softsign": ("Softsign",),
    "hard_sigmoid": ("HardSigmoid", "alpha", "beta"),
    "hard_swish": ("HardSwish",),
    "thresholded_relu": ("ThresholdedRelu", "alpha"),
    "erf": ("Erf",),
    "exp": ("Exp",),
    "log": ("Log",),
    "sqrt": ("Sqrt",),
    "abs": ("Abs",),
    "reciprocal": ("Reciprocal",),
    "sin": ("Sin",),
    "cos": ("Cos",),
    "round": ("Round",),
}


def elu(writer: Writer, x: str, alpha: float, scale: float, input_scale: float) -> str:
    if input_scale == 1:
        if scale == 1:
            return writer.emit("Elu", x, alpha=alpha)
        return writer.emit("Selu", x, alpha=alpha, gamma=scale)
    if scale == 1 and alpha * input_scale == 1:
        return writer.emit("Celu", x, alpha=alpha)
    above = writer.emit("Relu", x)
    power = writer.emit("Exp", affine(writer, writer.emit("Sub", x, above), input_scale, 0.0))
    below = affine(writer, power, scale * alpha, -scale * alpha)
    return writer.emit("Add", affine(writer, above, scale, 0.0), below)


def affine(writer: Writer, x: str, factor: float, shift: float) -> str:
    """``factor * x + shift``, without what does nothing."""
    if factor != 1:
        x = writer.emit("Mul", x, writer.constant("factor", factor))
    return writer.emit("Add", x, writer.constant("shift", shift)) if shift else x


def softplus(writer: Writer, x: str, beta: float) -> str:
    inner = writer.emit("Softplus", affine(writer, x, beta, 0.0))
    return affine(writer, inner, 1 / beta, 0.0)


def silu(writer: Writer, x: str) -> str:
    return writer.emit("Mul", x, writer.emit("Sigmoid", x))


def gelu_tanh(writer: Writer, x: str) -> str:
    return writer.emit("Gelu", x, approximate="tanh")


def power(writer: Writer, x: str, exponent: float) -> str:
    return writer.emit("Pow", x, writer.constant("exponent", exponent))


def square(writer: Writer, x: str) -> str:
    return power(writer, x, 2.0)


def step(writer: Writer, x: str, at_zero: float) -> str:
    """A comparison with 0, or of the sign if it is half at 0, or else two comparisons."""
    if at_zero == 0.5:
        return affine(writer, writer.emit("Sign", x), 0.5, 0.5)

    def where(comparison: str) -> str:
        return writer.emit("Cast", writer.emit(comparison, x, writer.constant("zero", 0.0)), to=1)

    if at_zero in (0, 1):
        return where("GreaterOrEqual" if at_zero else "Greater")
    return writer.emit("Add", where("Greater"), affine(writer, where("Equal"), at_zero, 0.0))


OTHERS: dict[str, Callable[..., str]] = {
    "elu": elu,
    "gelu_tanh": gelu_tanh,
    "silu": silu,
    "softplus": softplus,
    "clamp": _clip,
    "square": square,
    "power": power,
    "step": step,
    "scale": affine,
}
