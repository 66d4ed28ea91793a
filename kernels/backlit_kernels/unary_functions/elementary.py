"""Elementary functions: affine, powers, exponential, logarithm, sine; and the error function."""

from typing import Any

from backlit_kernels.functions import cos, erf, exp, logarithm, power, sin
from backlit_kernels.unary_functions.registry import derivative, value
from backlit_kernels.vector import select, splat, square_root


@value("scale")
def scale_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """p x + q"""
    return p * x + q


@derivative("scale")
def scale_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return p


@value("erf")
def erf_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return erf(x)


@derivative("erf")
def erf_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return splat(1.1283791670955126) * exp(-(x * x))


@value("exp")
def exp_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return exp(x)


@derivative("exp")
def exp_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return exp(x)


@value("log")
def log_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return logarithm(x)


@derivative("log")
def log_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return splat(1.0) / x


@value("sqrt")
def sqrt_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """The square root."""
    return square_root(x)


@derivative("sqrt")
def sqrt_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return splat(0.5) / square_root(x)


@value("square")
def square_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return x * x


@derivative("square")
def square_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return x + x


@value("reciprocal")
def reciprocal_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return splat(1.0) / x


@derivative("reciprocal")
def reciprocal_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return splat(-1.0) / (x * x)


@value("power")
def power_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x**p"""
    return power(x, p)


@derivative("power")
def power_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    zero = splat(0.0)
    return select(p == zero, zero, p * power(x, p - splat(1.0)))


@value("sin")
def sin_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return sin(x)


@derivative("sin")
def sin_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return cos(x)


@value("cos")
def cos_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return cos(x)


@derivative("cos")
def cos_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return -sin(x)
