"""Functions of each value, and softmax.

Derivatives at kinks are those of the PyTorch function of the name.
"""

from math import prod

import numpy as np

from backlit.importers.builder import UnsupportedError
from backlit.importers.builder.trigonometry import cosh, sinh, tan
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
MADE_OF_OTHERS = {"Cosh": cosh, "Sinh": sinh, "Tan": tan}


@operator(*PLAIN)
def plain(context: Context, node: Operation) -> Outputs:
    return context.builder.append(PLAIN[node.kind](), node.tensor())


@operator(*NAMED)
def named(context: Context, node: Operation) -> Outputs:
    return context.builder.activation(node.tensor(), NAMED[node.kind])


@operator("Ceil", "Floor", "Round", limits="the derivative is 0")
def rounded(context: Context, node: Operation) -> Outputs:
    builder, x = context.builder, node.tensor()
    if node.kind == "Round":
        return builder.activation(x, "round")
    return builder.ceil(x) if node.kind == "Ceil" else builder.floor(x)


@operator(*MADE_OF_OTHERS)
def made_of_others(context: Context, node: Operation) -> Outputs:
    return MADE_OF_OTHERS[node.kind](context.builder, node.tensor())


@operator("Softplus")
def softplus(context: Context, node: Operation) -> Outputs:
    return context.builder.activation(node.tensor(), "softplus", beta=1.0)


@operator("LeakyRelu")
def leaky_relu(context: Context, node: Operation) -> Outputs:
    return context.builder.append(LeakyReLU(node.number("alpha", 1, 0.01)), node.tensor())


@operator("ThresholdedRelu")
def thresholded_relu(context: Context, node: Operation) -> Outputs:
    alpha = node.number("alpha", 1, 1.0)
    return context.builder.activation(node.tensor(), "thresholded_relu", alpha=alpha)


@operator("Shrink")
def shrink(context: Context, node: Operation) -> Outputs:
    """x - bias above lambd, x + bias below -lambd, 0 between."""
    builder, x = context.builder, node.tensor()
    bound, bias = node.number("lambd", 1, 0.5), node.number("bias", 1, 0.0)
    result = builder.hard_shrink(x, bound)
    if not bias:
        return result
    sides = {"greater": bound, "less": -bound}
    steps = (builder.compare(function, x, np.asarray(at)) for function, at in sides.items())
    beyond = builder.binary("subtract", *steps)
    return builder.binary("subtract", result, builder.activation(beyond, "scale", factor=bias))


@operator("Elu")
def elu(context: Context, node: Operation) -> Outputs:
    return context.builder.activation(node.tensor(), "elu", alpha=node.number("alpha", 1, 1.0))


@operator("Selu")
def selu(context: Context, node: Operation) -> Outputs:
    alpha = node.number("alpha", 1, 1.67326319217681884765625)
    gamma = node.number("gamma", 1, 1.05070102214813232421875)
    return context.builder.selu(node.tensor(), alpha, gamma)


@operator("Celu")
def celu(context: Context, node: Operation) -> Outputs:
    return context.builder.celu(node.tensor(), node.number("alpha", 1, 1.0))


@operator("HardSigmoid")
def hard_sigmoid(context: Context, node: Operation) -> Outputs:
    alpha, beta = node.number("alpha", 1, 0.2), node.number("beta", 1, 0.5)
    return context.builder.activation(node.tensor(), "hard_sigmoid", alpha=alpha, beta=beta)


@operator("Gelu")
def gelu(context: Context, node: Operation) -> Outputs:
    name = {"none": "gelu", "tanh": "gelu_tanh"}[node.choice("approximate", "none", "tanh")]
    return context.builder.activation(node.tensor(), name)


@operator("Swish")
def swish(context: Context, node: Operation) -> Outputs:
    alpha = node.number("alpha", 1, 1.0)
    x = node.tensor()
    if alpha == 1:
        return context.builder.activation(x, "silu")
    scaled = context.builder.activation(x, "scale", factor=alpha)
    return context.builder.binary("multiply", x, context.builder.append(Sigmoid(), scaled))


@operator("PRelu", limits="the slope must be constant")
def prelu(context: Context, node: Operation) -> Outputs:
    return context.builder.prelu(node.tensor(), node.weights(1))


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
    return context.builder.clip(x, low, high, open_ends=(low, high) == (0, 6))


@operator("Softmax", "LogSoftmax")
def softmax(context: Context, node: Operation) -> Outputs:
    """Before version 13, over all axes from the given one on."""
    builder, x = context.builder, node.tensor()
    logarithm = node.kind == "LogSoftmax"
    if context.opset >= 13:
        return builder.softmax(x, node.axis(len(x.shape)), logarithm)
    axis = node.axis(len(x.shape), 1)
    flat = builder.reshape(x, (*x.shape[:axis], prod(x.shape[axis:])))
    return builder.reshape(builder.softmax(flat, axis, logarithm), x.shape)
