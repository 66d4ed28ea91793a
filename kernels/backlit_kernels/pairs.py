"""Functions of two numbers, known by their names: what the kernels of `strided` combine with."""

from collections.abc import Callable
from typing import Any

from backlit_kernels.functions import logarithm, power
from backlit_kernels.kernel import helper
from backlit_kernels.vector import larger_of, select, smaller_of, splat

PAIRS: dict[str, Callable[..., Any]] = {}


def pair(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of two numbers known by its name."""
    return PAIRS.setdefault(function.__name__, helper(function))


@pair
def add(a: Any, b: Any) -> Any:
    return a + b


@pair
def subtract(a: Any, b: Any) -> Any:
    return a - b


@pair
def multiply(a: Any, b: Any) -> Any:
    return a * b


@pair
def opposite(a: Any, b: Any) -> Any:
    """-a"""
    return -a


@pair
def divide(a: Any, b: Any) -> Any:
    return a / b


@pair
def smaller(a: Any, b: Any) -> Any:
    return smaller_of(a, b)


@pair
def larger(a: Any, b: Any) -> Any:
    return larger_of(a, b)


@pair
def raise_to(a: Any, b: Any) -> Any:
    """a**b"""
    return power(a, b)


# derivatives by the first number (`_by_a`) and the second


@pair
def smaller_by_a(a: Any, b: Any) -> Any:
    """Ties share the gradient, as in PyTorch."""
    one = splat(1.0)
    return select(a < b, one, select(a > b, splat(0.0), splat(0.5)))


@pair
def larger_by_a(a: Any, b: Any) -> Any:
    one = splat(1.0)
    return select(a > b, one, select(a < b, splat(0.0), splat(0.5)))


@pair
def divide_by_b(a: Any, b: Any) -> Any:
    return -(a / (b * b))


@pair
def raise_to_by_a(a: Any, b: Any) -> Any:
    zero = splat(0.0)
    return select(b == zero, zero, b * power(a, b - splat(1.0)))


@pair
def raise_to_by_b(a: Any, b: Any) -> Any:
    zero = splat(0.0)
    value = power(a, b)
    return select(value == zero, zero, value * logarithm(a))


@pair
def equal(a: Any, b: Any) -> Any:
    """1 where equal, else 0."""
    return select(a == b, splat(1.0), splat(0.0))
