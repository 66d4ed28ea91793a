"""Smooth activation functions."""

from typing import Any

from backlit_kernels.functions import exp, normal_tail, sigmoid, sigmoid_by, softplus, tanh
from backlit_kernels.kernel import helper
from backlit_kernels.unary_functions.registry import derivative, value
from backlit_kernels.vector import absolute, fma, select, splat


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
    gate, _ = _mish_gate(x, exp(-absolute(x)))
    return x * gate


@derivative("mish")
def mish_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    small = exp(-absolute(x))
    gate, rest = _mish_gate(x, small)
    return fma(x * rest * (splat(1.0) + gate), sigmoid_by(x, small), gate)


@helper
def _mish_gate(x: Any, small: Any) -> Any:
    """tanh(log(1 + e**x)) = n / (n + 2) with n = e**2x + 2 e**x, and 1 less it, by e**-|x|."""
    one, two, square, negative = splat(1.0), splat(2.0), small * small, x < splat(0.0)
    above = fma(two, small, select(negative, square, one))
    rest = two * select(negative, one, square)
    scale = one / (above + rest)
    return above * scale, rest * scale


@value("gelu")
def gelu_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x times the normal distribution function."""
    below, _ = _normal(x)
    return x * below


@derivative("gelu")
def gelu_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    below, density = _normal(x)
    return fma(x * splat(0.3989422804014327), density, below)


@helper
def _normal(x: Any) -> Any:
    """The normal distribution function, and e**(-x**2 / 2)."""
    tail, density = normal_tail(x)
    return select(x < splat(0.0), tail, splat(1.0) - tail), density


@value("gelu_tanh")
def gelu_tanh_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """GELU's approximation, 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))."""
    return x * sigmoid(_twice_inner(x))


@derivative("gelu_tanh")
def gelu_tanh_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    inner = _twice_inner(x)
    small = exp(-absolute(inner))
    slope = fma(splat(0.21406444881780076), x * x, splat(1.5957691216057308))
    return fma(x * slope, _bell(small), sigmoid_by(inner, small))


@helper
def _twice_inner(x: Any) -> Any:
    """What 1 + tanh of its half is twice the sigmoid of."""
    return x * fma(splat(0.07135481627260025), x * x, splat(1.5957691216057308))
