"""Tangents and hyperbolic functions, made of sines, exponentials and the hyperbolic tangent."""

from backlit.importers.builder import GraphBuilder, Tensor
from backlit.layers import Tanh


def tan(b: GraphBuilder, x: Tensor) -> Tensor:
    """``sin(x) / cos(x)``"""
    return b.binary("divide", b.activation(x, "sin"), b.activation(x, "cos"))


def sinh(b: GraphBuilder, x: Tensor) -> Tensor:
    """``tanh(x) cosh(x)``: no digits are lost near 0."""
    both = b.binary("add", b.activation(x, "exp"), b.activation(b.negative(x), "exp"))
    return b.binary("multiply", b.activation(both, "scale", factor=0.5), b.append(Tanh(), x))


def cosh(b: GraphBuilder, x: Tensor) -> Tensor:
    """``1 + 2 sinh(x / 2)**2``, of which the derivative keeps its digits near 0."""
    half = sinh(b, b.activation(x, "scale", factor=0.5))
    return b.activation(b.activation(half, "square"), "scale", factor=2.0, shift=1.0)
