"""Smooth activation functions."""

from typing import Any

from backlit_kernels.functions import erf, exp, sigmoid, sigmoid_by, softplus, softplus_by, tanh
from backlit_kernels.kernel import helper
from backlit_kernels.unary_functions.registry import derivative, value
from backlit_kernels.vector import absolute, splat


@value("sigmoid")
def sigmoid_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return sigmoid(x)


@derivative("sigmoid")
def sigmoid_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return _bell(exp(-absolute(x)))


@helper
def _bell(small: Any) -> Any:
    """sigmoid(x) (1 - sigmoid(x)) by e**-|x|, with all its digits."""
    one = splat(1.0)
    return small / ((one + small) * (one + small))


@value("tanh")
def tanh_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return tanh(x)


@derivative("tanh")
def tanh_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return splat(4.0) * _bell(exp(-absolute(x + x)))


@value("softplus")
def softplus_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """log(1 + e**(p x)) / p"""
    return softplus(p * x) / p


@derivative("softplus")
def softplus_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return sigmoid(p * x)


@value("softsign")
def softsign_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return x / (splat(1.0) + absolute(x))


@derivative("softsign")
def softsign_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    below = splat(1.0) + absolute(x)
    return splat(1.0) / (below * below)


@value("silu")
def silu_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x sigmoid(x)"""
    return x * sigmoid(x)


@derivative("silu")
def silu_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    small = exp(-absolute(x))
    return sigmoid_by(x, small) + x * _bell(small)


@value("mish")
def mish_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x tanh(log(1 + e**x))"""
    return x * tanh(softplus(x))


@derivative("mish")
def mish_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    small = exp(-absolute(x))
    t = tanh(softplus_by(x, small))
    return t + x * (splat(1.0) - t * t) * sigmoid_by(x, small)


@value("gelu")
def gelu_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x times the normal distribution function."""
    half = splat(0.5)
    return half * x * (splat(1.0) + erf(x * splat(0.7071067811865476)))


@derivative("gelu")
def gelu_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    half = splat(0.5)
    density = splat(0.3989422804014327) * exp(-half * x * x)
    return half * (splat(1.0) + erf(x * splat(0.7071067811865476))) + x * density


@value("gelu_tanh")
def gelu_tanh_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """GELU's approximation, 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))."""
    inner = splat(0.7978845608028654) * (x + splat(0.044715) * x * x * x)
    return splat(0.5) * x * (splat(1.0) + tanh(inner))


@derivative("gelu_tanh")
def gelu_tanh_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    half, one = splat(0.5), splat(1.0)
    t = tanh(splat(0.7978845608028654) * (x + splat(0.044715) * x * x * x))
    slope = splat(0.7978845608028654) * (one + splat(0.134145) * x * x)
    return half * (one + t) + half * x * (one - t * t) * slope
