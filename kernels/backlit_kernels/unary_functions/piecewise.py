"""Piecewise activation functions: with kinks, bounds, or places where they are constant."""

from typing import Any

from backlit_kernels.functions import exp, expm1
from backlit_kernels.unary_functions.registry import derivative, value
from backlit_kernels.vector import absolute, maximum, minimum, round_even, select, splat

# Constant in places: nothing passes there on the way back, not an infinite gradient either
LET_NOTHING_PASS = {
    "clip",
    "clamp",
    "hard_sigmoid",
    "hard_swish",
    "round",
    "step",
    "thresholded_relu",
}


@value("leaky_relu")
def leaky_relu_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x where positive, p x elsewhere."""
    return select(x > splat(0.0), x, p * x)


@derivative("leaky_relu")
def leaky_relu_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return select(x > splat(0.0), splat(1.0), p)


@value("thresholded_relu")
def thresholded_relu_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x where above p, 0 elsewhere."""
    return select(x > p, x, splat(0.0))


@derivative("thresholded_relu")
def thresholded_relu_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return select(x > p, splat(1.0), splat(0.0))


@value("clip")
def clip_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x, but at least p and at most q."""
    return minimum(q, maximum(p, x))


@derivative("clip")
def clip_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return select((x > p) & (x < q), splat(1.0), splat(0.0))


@value("clamp")
def clamp_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """As `clip`, with derivative 1 at the bounds."""
    return minimum(q, maximum(p, x))


@derivative("clamp")
def clamp_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return select((x < p) | (x > q), splat(0.0), splat(1.0))


@value("elu")
def elu_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """q x where positive, p q (e**(r x) - 1) elsewhere: ELU, SELU and CELU."""
    return q * select(x > splat(0.0), x, p * expm1(r * x))


@derivative("elu")
def elu_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return q * select(x > splat(0.0), splat(1.0), p * r * exp(r * x))


@value("hard_sigmoid")
def hard_sigmoid_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """p x + q, but at least 0 and at most 1."""
    return minimum(splat(1.0), maximum(splat(0.0), p * x + q))


@derivative("hard_sigmoid")
def hard_sigmoid_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    y = p * x + q
    return select((y > splat(0.0)) & (y < splat(1.0)), p, splat(0.0))


@value("hard_swish")
def hard_swish_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """x min(max(x + 3, 0), 6) / 6"""
    return x * minimum(splat(6.0), maximum(splat(0.0), x + splat(3.0))) * splat(1.0 / 6.0)


@derivative("hard_swish")
def hard_swish_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    three = splat(3.0)
    inside = x * splat(1.0 / 3.0) + splat(0.5)
    return select(x <= -three, splat(0.0), select(x < three, inside, splat(1.0)))


@value("abs")
def abs_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return absolute(x)


@derivative("abs")
def abs_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    zero, one = splat(0.0), splat(1.0)
    return select(x > zero, one, select(x < zero, -one, zero))


@value("round")
def round_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """The nearest whole number, the even one of two."""
    return round_even(x)


@derivative("round")
def round_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return splat(0.0)


@value("step")
def step_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """1 above 0, p at 0, 0 elsewhere: what compares two numbers by their difference."""
    zero, one = splat(0.0), splat(1.0)
    return select(x > zero, one, select(x == zero, p, zero))


@derivative("step")
def step_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return splat(0.0)
