"""Functions of each value, and softmax.

Derivatives at kinks are those of the PyTorch function of the name.
"""

from math import prod

import numpy as np

from backlit.importers.builder import (
    UnsupportedError,
    activations,
    arithmetic,
    comparisons,
    rounding,
    shapes,
    trigonometry,
)
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator
from backlit.layers import LeakyReLU, ReLU, Sigmoid, Tanh

PLAIN = {"Relu": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh}
NAMED = {
    "Abs": "abs",
    "Cos": "cos",
    "Erf": "erf",
    "Exp": "exp",
    "HardSwish": "hard_swish",
    "Log": "log",
    "Mish": "mish",
    "Reciprocal": "reciprocal",
    "Sin": "sin",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
}
MADE_OF_OTHERS = {"Cosh": trigonometry.cosh, "Sinh": trigonometry.sinh, "Tan": trigonometry.tan}


@operator(*PLAIN)
def plain(context: Context, node: Operation) -> Outputs:
    return context.builder.append(PLAIN[node.kind](), node.tensor())


@operator(*NAMED)
def named(context: Context, node: Operation) -> Outputs:
    return arithmetic.unary(context.builder, NAMED[node.kind], node.tensor())


@operator("Ceil", "Floor", "Round", limits="the derivative is 0")
def rounded(context: Context, node: Operation) -> Outputs:
    b, x = context.builder, node.tensor()
    if node.kind == "Round":
        return arithmetic.unary(b, "round", x)
    return rounding.ceil(b, x) if node.kind == "Ceil" else rounding.floor(b, x)


@operator(*MADE_OF_OTHERS)
def made_of_others(context: Context, node: Operation) -> Outputs:
    return MADE_OF_OTHERS[node.kind](context.builder, node.tensor())


@operator("Softplus")
def softplus(context: Context, node: Operation) -> Outputs:
    return arithmetic.unary(context.builder, "softplus", node.tensor(), beta=1.0)


@operator("LeakyRelu")
def leaky_relu(context: Context, node: Operation) -> Outputs:
    return context.builder.append(LeakyReLU(node.number("alpha", 1, 0.01)), node.tensor())


@operator("ThresholdedRelu")
def thresholded_relu(context: Context, node: Operation) -> Outputs:
    alpha = node.number("alpha", 1, 1.0)
    return arithmetic.unary(context.builder, "thresholded_relu", node.tensor(), alpha=alpha)


@operator("Shrink")
def shrink(context: Context, node: Operation) -> Outputs:
    """x - bias above lambd, x + bias below -lambd, 0 between."""
    b, x = context.builder, node.tensor()
    bound, bias = node.number("lambd", 1, 0.5), node.number("bias", 1, 0.0)
    result = activations.hard_shrink(b, x, bound)
    if not bias:
        return result
    sides = {"greater": bound, "less": -bound}
    steps = (comparisons.compare(b, function, x, np.asarray(at)) for function, at in sides.items())
    beyond = arithmetic.binary(b, "subtract", *steps)
    return arithmetic.binary(b, "subtract", result, arithmetic.scale(b, beyond, bias))


@operator("Elu")
def elu(context: Context, node: Operation) -> Outputs:
    alpha = node.number("alpha", 1, 1.0)
    return arithmetic.unary(context.builder, "elu", node.tensor(), alpha=alpha)


@operator("Selu")
def selu(context: Context, node: Operation) -> Outputs:
    alpha = node.number("alpha", 1, 1.67326319217681884765625)
    gamma = node.number("gamma", 1, 1.05070102214813232421875)
    return activations.selu(context.builder, node.tensor(), alpha, gamma)


@operator("Celu")
def celu(context: Context, node: Operation) -> Outputs:
    return activations.celu(context.builder, node.tensor(), node.number("alpha", 1, 1.0))


@operator("HardSigmoid")
def hard_sigmoid(context: Context, node: Operation) -> Outputs:
    alpha, beta = node.number("alpha", 1, 0.2), node.number("beta", 1, 0.5)
    return arithmetic.unary(context.builder, "hard_sigmoid", node.tensor(), alpha=alpha, beta=beta)


@operator("Gelu")
def gelu(context: Context, node: Operation) -> Outputs:
    name = {"none": "gelu", "tanh": "gelu_tanh"}[node.choice("approximate", "none", "tanh")]
    return arithmetic.unary(context.builder, name, node.tensor())


@operator("Swish")
def swish(context: Context, node: Operation) -> Outputs:
    b, x, alpha = context.builder, node.tensor(), node.number("alpha", 1, 1.0)
    if alpha == 1:
        return arithmetic.unary(b, "silu", x)
    gate = b.append(Sigmoid(), arithmetic.scale(b, x, alpha))
    return arithmetic.binary(b, "multiply", x, gate)


@operator("PRelu", limits="the slope must be constant")
def prelu(context: Context, node: Operation) -> Outputs:
    return activations.prelu(context.builder, node.tensor(), node.weights(1))


@operator(
    "Clip",
    limits="the bounds must be constant; the derivative at a bound is 0 for [0, 6], as that of "
    "ReLU6, and else 1, as that of torch.clamp",
)
def clip(context: Context, node: Operation) -> Outputs:
    low, high = node.number("min", 1, -np.inf), node.number("max", 2, np.inf)
    x = node.tensor()
    if low > high:
        raise UnsupportedError(f"its bounds {low} and {high} are the wrong way round")
    if low == -np.inf and high == np.inf:
        return x
    return arithmetic.clip(context.builder, x, low, high, open_ends=(low, high) == (0, 6))


@operator("Softmax", "LogSoftmax")
def softmax(context: Context, node: Operation) -> Outputs:
    """Before version 13, over all axes from the given one on."""
    b, x = context.builder, node.tensor()
    logarithm = node.kind == "LogSoftmax"
    if context.opset >= 13:
        return activations.softmax(b, x, node.axis(len(x.shape)), logarithm)
    axis = node.axis(len(x.shape), 1)
    flat = shapes.reshape(b, x, (*x.shape[:axis], prod(x.shape[axis:])))
    return shapes.reshape(b, activations.softmax(b, flat, axis, logarithm), x.shape)
