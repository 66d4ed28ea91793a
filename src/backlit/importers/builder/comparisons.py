"""Comparisons, which give 1 or 0, and what is made of them."""

from backlit.importers.builder import arithmetic, masks
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, Value

# How to compare by the sign of the difference: whether that is turned, and what equal ones give
STEPS = {
    "greater": (False, 0.0),
    "less": (True, 0.0),
    "greater_equal": (False, 1.0),
    "less_equal": (True, 1.0),
}


def compare(b: GraphBuilder, function: str, x: Value, y: Value) -> Tensor:
    """greater, less, greater_equal, less_equal, equal or not_equal, by NumPy's names."""
    if function in STEPS:
        turned, at_zero = STEPS[function]
        difference = arithmetic.binary(b, "subtract", *((y, x) if turned else (x, y)))
        return arithmetic.unary(b, "step", difference, at_zero=at_zero)
    sides = (compare(b, side, x, y) for side in ("greater_equal", "less_equal"))
    equal = masks.both(b, *sides)
    return equal if function == "equal" else masks.opposite(b, equal)


def sign(b: GraphBuilder, x: Tensor) -> Tensor:
    """1 above 0, -1 below."""
    return arithmetic.scale(b, arithmetic.unary(b, "step", x, at_zero=0.5), 2.0, -1.0)
