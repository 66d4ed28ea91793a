"""Activation functions that are made of others, and softmax."""

from math import prod

import numpy as np

from backlit.importers.builder import arithmetic, shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, sample_axis
from backlit.layers import LeakyReLU, LogSoftmax, ReLU, Softmax
from backlit.operators import RowSoftmax


def selu(
    b: GraphBuilder,
    x: Tensor,
    alpha: float = 1.6732632423543772,
    scale: float = 1.0507009873554805,
) -> Tensor:
    return arithmetic.unary(b, "elu", x, alpha=alpha, scale=scale)


def celu(b: GraphBuilder, x: Tensor, alpha: float = 1.0) -> Tensor:
    return arithmetic.unary(b, "elu", x, alpha=alpha, input_scale=1 / alpha)


def prelu(b: GraphBuilder, x: Tensor, slopes: np.ndarray) -> Tensor:
    """x where it is above 0, else slopes times x; the derivative at 0 is a slope."""
    if (slopes == slopes.flat[0]).all():
        return b.append(LeakyReLU(float(slopes.flat[0])), x)
    below = arithmetic.clip(b, x, -np.inf, 0.0, open_ends=False)
    above = b.append(ReLU(), x)
    return arithmetic.binary(b, "add", above, arithmetic.binary(b, "multiply", below, slopes))


def hard_shrink(b: GraphBuilder, x: Tensor, bound: float) -> Tensor:
    """x where it is beyond the bound, on either side, else 0."""
    flipped = arithmetic.negative(b, x)
    above = arithmetic.unary(b, "thresholded_relu", x, alpha=bound)
    below = arithmetic.unary(b, "thresholded_relu", flipped, alpha=bound)
    return arithmetic.binary(b, "subtract", above, below)


def soft_shrink(b: GraphBuilder, x: Tensor, bound: float) -> Tensor:
    """How far x is beyond the bound, on either side."""
    within = arithmetic.clip(b, x, -bound, bound, open_ends=False)
    return arithmetic.binary(b, "subtract", x, within)


def log_sigmoid(b: GraphBuilder, x: Tensor) -> Tensor:
    return arithmetic.negative(b, arithmetic.unary(b, "softplus", arithmetic.negative(b, x)))


def softmax(b: GraphBuilder, x: Tensor, axis: int, logarithm: bool = False) -> Tensor:
    axis = sample_axis(axis, len(x.shape))
    if axis == len(x.sample) - 1 > 0 and prod(x.sample[:-1]) > 1 and not logarithm:
        return b.append(RowSoftmax(), x)
    layer = LogSoftmax() if logarithm else Softmax()
    if axis == 0:
        return b.append(layer, x)
    order = [axis, *(i for i in range(len(x.sample)) if i != axis)]
    front = shapes.transpose(b, x, (0, *(i + 1 for i in order)))
    back = [order.index(i) for i in range(len(order))]
    return shapes.transpose(b, b.append(layer, front), (0, *(i + 1 for i in back)))
