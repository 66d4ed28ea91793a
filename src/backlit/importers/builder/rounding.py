"""Whole numbers; the derivative is 0."""

from backlit.importers.builder import arithmetic, comparisons
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor


def floor(b: GraphBuilder, x: Tensor) -> Tensor:
    """The nearest whole number that is not above."""
    nearest = arithmetic.unary(b, "round", x)
    return arithmetic.binary(b, "subtract", nearest, comparisons.compare(b, "greater", nearest, x))


def ceil(b: GraphBuilder, x: Tensor) -> Tensor:
    """The nearest whole number that is not below."""
    nearest = arithmetic.unary(b, "round", x)
    return arithmetic.binary(b, "add", nearest, comparisons.compare(b, "less", nearest, x))
