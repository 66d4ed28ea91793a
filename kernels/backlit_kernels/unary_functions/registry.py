"""The tables of functions of one number and of their derivatives, by name."""

from collections.abc import Callable
from typing import Any

from backlit_kernels.kernel import helper

Function = Callable[..., Any]
VALUES: dict[str, Function] = {}
DERIVATIVES: dict[str, Function] = {}
PARAMETERS = 3


def value(name: str) -> Callable[[Function], Function]:
    """Make a function of (x, p, q, r) known by a name."""
    return lambda function: VALUES.setdefault(name, helper(function))


def derivative(name: str) -> Callable[[Function], Function]:
    """Make the derivative by x of the function of that name known."""
    return lambda function: DERIVATIVES.setdefault(name, helper(function))
