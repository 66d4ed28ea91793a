"""Tangents and hyperbolic functions, made of sines, exponentials and the hyperbolic tangent."""

from backlit.importers.builder import arithmetic
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor
from backlit.layers import Tanh


def tan(b: GraphBuilder, x: Tensor) -> Tensor:
    """``sin(x) / cos(x)``"""
    sine, cosine = arithmetic.unary(b, "sin", x), arithmetic.unary(b, "cos", x)
    return arithmetic.binary(b, "divide", sine, cosine)


def sinh(b: GraphBuilder, x: Tensor) -> Tensor:
    """``tanh(x) cosh(x)``: no digits are lost near 0."""
    rising = arithmetic.unary(b, "exp", x)
    falling = arithmetic.unary(b, "exp", arithmetic.negative(b, x))
    half = arithmetic.scale(b, arithmetic.binary(b, "add", rising, falling), 0.5)
    return arithmetic.binary(b, "multiply", half, b.append(Tanh(), x))


def cosh(b: GraphBuilder, x: Tensor) -> Tensor:
    """``1 + 2 sinh(x / 2)**2``, of which the derivative keeps its digits near 0."""
    half = sinh(b, arithmetic.scale(b, x, 0.5))
    return arithmetic.scale(b, arithmetic.unary(b, "square", half), 2.0, 1.0)
