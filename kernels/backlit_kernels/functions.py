"""Functions of vectors: exponential, logarithm, sine, cosine, sigmoid, hyperbolic tangent.

Polynomials after Cephes (Moshier, 1989), within two units in the last place of float32.
"""

from typing import Any

import numpy as np

from backlit_kernels.bits import bits_of, floats_of, signed, splat_bits
from backlit_kernels.kernel import helper
from backlit_kernels.polynomial import polynomial
from backlit_kernels.vector import (
    absolute,
    fma,
    maximum,
    minimum,
    round_even,
    select,
    splat,
    times_power_of_two,
)

_EXPONENTIAL = polynomial(
    1.9875691500e-4,
    1.3981999507e-3,
    8.3334519073e-3,
    4.1665795894e-2,
    1.6666665459e-1,
    5.0000001201e-1,
)
_LOGARITHM = polynomial(
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_SINE = polynomial(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COSINE = polynomial(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_TANGENT = polynomial(
    -5.70498872745e-3,
    2.06390887954e-2,
    -5.37397155531e-2,
    1.33314422036e-1,
    -3.33332819422e-1,
)
_ERROR = polynomial(
    7.853861353153693e-5,
    -8.010193625184903e-4,
    5.188327685732524e-3,
    -2.685381193529856e-2,
    1.128358514861418e-1,
    -3.761262582423300e-1,
    1.128379165726710,
)
_COMPLEMENT = polynomial(
    0.17087277,
    -0.82215223,
    1.48851587,
    -1.13520398,
    0.27886807,
    -0.18628806,
    0.09678418,
    0.37409196,
    1.00002368,
    -1.26551223,
)
# Fitted to the normal distribution function, near 0 and beyond: see `normal_tail`.
_NORMAL = polynomial(
    -7.5838824e-06,
    0.000113325926,
    -0.00118620377,
    0.00997328372,
    -0.0664903557,
    0.39894228,
)
_NORMAL_TAIL = polynomial(
    0.00702847915,
    0.0143091448,
    -0.104531146,
    0.10710002,
    0.00804304975,
    0.102453391,
    0.111491594,
    0.127207768,
    0.126931174,
)


_ONE = 127 << 23  # as bits: the exponent lies above the lowest 23
_ROOT_TO_ONE = _ONE - 0x3F3504F3  # from the root of 1/2


@helper
def _reduced_exponential(x: Any) -> Any:
    """n and p with e**x = (1 + p) 2**n."""
    x = minimum(splat(89.0), maximum(splat(-104.0), x))
    n = round_even(x * splat(1.4426950408889634))
    r = fma(n, splat(-0.693359375), x)  # x - n log 2, the logarithm in two parts
    r = fma(n, splat(2.12194440e-4), r)
    return n, fma(_EXPONENTIAL(r), r * r, r)


@helper
def exp(x: Any) -> Any:
    """e**x; 0 far below, infinity far above, NaN for NaN."""
    n, p = _reduced_exponential(x)
    return times_power_of_two(p + splat(1.0), n)


@helper
def expm1(x: Any) -> Any:
    """e**x - 1, with all its digits near 0."""
    n, p = _reduced_exponential(x)
    one = splat(1.0)
    return times_power_of_two(p, n) + (times_power_of_two(one, n) - one)


@helper
def _split(x: Any) -> Any:
    """n and m of positive normal numbers ``m * 2**n``, m between the roots of 1/2 and 2."""
    bits = bits_of(x) + splat_bits(_ROOT_TO_ONE)
    m = floats_of((bits & splat_bits((1 << 23) - 1)) + splat_bits(_ONE - _ROOT_TO_ONE))
    return signed(bits >> 23) - splat(127.0), m


@helper
def log(x: Any) -> Any:
    """The natural logarithm of positive normal numbers."""
    n, m = _split(x)
    r = m - splat(1.0)
    square = r * r
    y = fma(n, splat(-2.12194440e-4), _LOGARITHM(r) * r * square)
    y = fma(square, splat(-0.5), y) + r
    return fma(n, splat(0.693359375), y)


@helper
def sine(x: Any) -> Any:
    """The sine of x within [-pi/4, pi/4]."""
    square = x * x
    return fma(_SINE(square) * square, x, x)


@helper
def cosine(x: Any) -> Any:
    """The cosine of x within [-pi/4, pi/4]."""
    square = x * x
    return fma(_COSINE(square) * square, square, fma(splat(-0.5), square, splat(1.0)))


@helper
def _quarter_turn(x: Any) -> Any:
    """n and r with x = n pi/2 + r, r within [-pi/4, pi/4]: for x up to some 10,000."""
    n = round_even(x * splat(0.6366197723675814))
    r = fma(n, splat(-1.5703125), x)  # pi/2 in three parts
    r = fma(n, splat(-4.837512969970703e-4), r)
    return n, fma(n, splat(-7.549789948768648e-8), r)


@helper
def _at_quarter(n: Any, r: Any) -> Any:
    """sin(n pi/2 + r) for a whole number n."""
    half = n * splat(0.5)
    turned = ~(round_even(half) == half)  # by an odd number of quarters
    half = half - select(turned, splat(0.5), splat(0.0))
    y = select(turned, cosine(r), sine(r))
    fourth = half * splat(0.5)
    return select(round_even(fourth) == fourth, y, -y)


@helper
def sin(x: Any) -> Any:
    """The sine of any number of radians."""
    n, r = _quarter_turn(x)
    return _at_quarter(n, r)


@helper
def cos(x: Any) -> Any:
    """The cosine of any number of radians."""
    n, r = _quarter_turn(x)
    return _at_quarter(n + splat(1.0), r)


@helper
def sigmoid(x: Any) -> Any:
    """1 / (1 + e**-x)."""
    return sigmoid_by(x, exp(-absolute(x)))


@helper
def sigmoid_by(x: Any, small: Any) -> Any:
    """The same where e**-|x| is known."""
    one = splat(1.0)
    return select(x < splat(0.0), small, one) / (one + small)


@helper
def tanh(x: Any) -> Any:
    """The hyperbolic tangent: a polynomial near 0, else from the exponential."""
    one = splat(1.0)
    size = absolute(x)
    square = x * x
    near = fma(_TANGENT(square) * square, x, x)
    far = one - splat(2.0) / (exp(size + size) + one)
    far = select(x < splat(0.0), -far, far)
    return select(size < splat(0.625), near, far)


@helper
def logarithm(x: Any) -> Any:
    """The natural logarithm of any number: NaN below 0, minus infinity at 0."""
    zero, tiny = splat(0.0), splat(1.1754944e-38)
    # a subnormal number, which may count as zero, times 2**24: its bits are those of a whole number
    shifted = signed(bits_of(x)) * splat(2.0**-125)
    scaled = select(x < tiny, shifted, x)
    y = log(maximum(tiny, scaled)) - select(x < tiny, splat(16.635532333438686), zero)
    y = select(x > splat(3.4028235e38), x, y)
    y = select(scaled > zero, y, splat(-np.inf))
    return select(x >= zero, y, splat(np.nan))


@helper
def log1p(x: Any) -> Any:
    """log(1 + x) for x from 0 to 1, with all its digits near 0 (Kahan's correction)."""
    one = splat(1.0)
    u = one + x
    return log(u) - ((u - one) - x) / u


@helper
def softplus(x: Any) -> Any:
    """log(1 + e**x)."""
    return maximum(splat(0.0), x) + log1p(exp(-absolute(x)))


@helper
def erf(x: Any) -> Any:
    """The error function: near 0 a polynomial after Cephes, farther 1 - erfc by Chebyshev's fit.

    The fit is that of Press et al., Numerical Recipes, 1992.
    """
    one = splat(1.0)
    size = absolute(x)
    square = x * x
    near = _ERROR(square) * x
    t = one / fma(size, splat(0.5), one)
    far = one - t * exp(_COMPLEMENT(t) - square)
    far = select(x < splat(0.0), -far, far)
    return select(size < one, near, far)


@helper
def normal_tail(x: Any) -> Any:
    """The normal distribution function at -|x|, and e**(-x**2 / 2).

    Beyond 1 the former is the latter times a polynomial in t = 1 / (1 + 0.45 |x| / sqrt(2)): as
    many digits of it are right however small it gets. The form is Hastings', "Approximations for
    digital computers", 1955; both polynomials are fitted by ourselves.
    """
    size, half, one = absolute(x), splat(0.5), splat(1.0)
    square = x * x
    density = exp(-half * square)
    near = fma(-_NORMAL(square), size, half)
    t = one / fma(size, splat(0.3181980515339464), one)
    return select(size < one, near, t * _NORMAL_TAIL(t) * density), density


@helper
def power(x: Any, exponent: Any) -> Any:
    """x**exponent; of a negative x only for whole exponents, NaN otherwise; 0**0 is 1."""
    zero, one, two = splat(0.0), splat(1.0), splat(2.0)
    size = exp(exponent * logarithm(absolute(x)))
    size = select(x == zero, select(exponent > zero, zero, splat(np.inf)), size)
    size = select(exponent == zero, one, size)
    odd = ~(round_even(exponent / two) * two == exponent)
    signed = select(odd, -size, size)
    signed = select(round_even(exponent) == exponent, signed, splat(np.nan))
    return select(x < zero, signed, size)
