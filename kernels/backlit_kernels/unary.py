"""Functions of one number with their derivatives, as the forward and backward kernels of a name.

Each takes up to three parameters. Derivatives at kinks are PyTorch's. Functions that are constant
in places let nothing pass there, not an infinite gradient either.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from backlit_kernels.functions import (
    cos,
    erf,
    exp,
    expm1,
    logarithm,
    power,
    sigmoid,
    sigmoid_by,
    sin,
    softplus,
    softplus_by,
    tanh,
)
from backlit_kernels.kernel import Kernel, helper
from backlit_kernels.team import vectors
from backlit_kernels.vector import (
    absolute,
    load,
    load_one,
    maximum,
    minimum,
    round_even,
    select,
    splat,
    square_root,
    store,
)

Function = Callable[..., Any]
VALUES: dict[str, Function] = {}
DERIVATIVES: dict[str, Function] = {}
LET_NOTHING_PASS = {"clip", "clamp", "hard_sigmoid", "hard_swish", "round", "step"}
LET_NOTHING_PASS |= {"thresholded_relu"}
PARAMETERS = 3


def value(name: str) -> Callable[[Function], Function]:
    """Make a function of (x, p, q, r) known by a name."""
    return lambda function: VALUES.setdefault(name, helper(function))


def derivative(name: str) -> Callable[[Function], Function]:
    """Make the derivative by x of the function of that name known."""
    return lambda function: DERIVATIVES.setdefault(name, helper(function))


# x is the number, p, q and r the parameters


@value("scale")
def scale_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    """p x + q"""
    return p * x + q


@derivative("scale")
def scale_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    return p


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


@value("abs")
def abs_value(x: Any, p: Any, q: Any, r: Any) -> Any:
    return absolute(x)


@derivative("abs")
def abs_slope(x: Any, p: Any, q: Any, r: Any) -> Any:
    zero, one = splat(0.0), splat(1.0)
    return select(x > zero, one, select(x < zero, -one, zero))


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


# --- the kernels ------------------------------------------------------------------------------


@cache
def unary(name: str) -> Kernel:
    """out = f(x), over a whole buffer; the parameters lie in the constants."""
    f = VALUES[name]

    def unary(
        arena: Any, constants: Any, team: Any, x: int, out: int, size: int, parameters: int
    ) -> None:
        p, q = load_one(constants, parameters), load_one(constants, parameters + 1)
        r = load_one(constants, parameters + 2)
        for i in vectors(team, size):
            store(arena, out + i, f(load(arena, x + i), p, q, r))

    return Kernel(unary, f"unary_{name}")


@cache
def unary_backward(name: str) -> Kernel:
    """out = g f'(x), over a whole buffer."""
    slope, selects = DERIVATIVES[name], name in LET_NOTHING_PASS

    def unary_backward(
        arena: Any, constants: Any, team: Any, x: int, g: int, out: int, size: int, parameters: int
    ) -> None:
        p, q = load_one(constants, parameters), load_one(constants, parameters + 1)
        r = load_one(constants, parameters + 2)
        for i in vectors(team, size):
            by = slope(load(arena, x + i), p, q, r)
            result = load(arena, g + i) * by
            store(arena, out + i, select(by == splat(0.0), by, result) if selects else result)

    return Kernel(unary_backward, f"unary_backward_{name}")
