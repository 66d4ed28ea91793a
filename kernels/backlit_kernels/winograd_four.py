"""Winograd's F(4x4, 3x3): 36 products for 16 outputs instead of 144.

The matrices take polynomials to their values at 0, +-a, +-b and infinity, and back. With a = 3/4
and b = 3/2 all entries of A and B are exact in binary, and results err about twice as much as a sum
in order does (with the customary 1 and 2, four times).

    B' = [a2b2   0   -s    0   1  0]   G = [1/a2b2    0      0  ]   A' = [1  1  1  1  1  0]
         [ 0   -ab2  -b2   a   1  0]       [ 1/f    a/f    a2/f ]        [0  a -a  b -b  0]
         [ 0    ab2  -b2  -a   1  0]       [ 1/f   -a/f    a2/f ]        [0 a2 a2 b2 b2  0]
         [ 0   -a2b  -a2   b   1  0]       [ 1/h    b/h    b2/h ]        [0 a3-a3 b3-b3  1]
         [ 0    a2b  -a2  -b   1  0]       [ 1/h   -b/h    b2/h ]
         [ 0    a2b2   0  -s   0  1]       [  0      0      1   ]

where a2 is the square of a and so on, s = a2 + b2, f = 2a2(a2 - b2) and h = 2b2(b2 - a2).
"""

from typing import Any

import numpy as np

from backlit_kernels.kernel import helper
from backlit_kernels.vector import (
    LANES,
    evens,
    fma,
    interleave_high,
    interleave_low,
    load,
    odds,
    splat,
    store,
)

A, B = 0.75, 1.5
A2, B2 = A * A, B * B
F, H = 2 * A2 * (A2 - B2), 2 * B2 * (B2 - A2)
FILTERS = np.array(
    [
        [1 / (A2 * B2), 0, 0],
        [1 / F, A / F, A2 / F],
        [1 / F, -A / F, A2 / F],
        [1 / H, B / H, B2 / H],
        [1 / H, -B / H, B2 / H],
        [0, 0, 1],
    ]
)


@helper
def load_line(arena: Any, at: int, step: int) -> Any:
    """A row or column of a patch."""
    return (
        load(arena, at),
        load(arena, at + step),
        load(arena, at + 2 * step),
        load(arena, at + 3 * step),
        load(arena, at + 4 * step),
        load(arena, at + 5 * step),
    )


@helper
def load_fours(arena: Any, at: int, pixels: int) -> Any:
    """Four neighbouring pixels of LANES patches of a single sample, four pixels apart."""
    x0 = load(arena, at)
    x1 = load(arena, at + (LANES if pixels > LANES else 0))
    x2 = load(arena, at + (2 * LANES if pixels > 2 * LANES else 0))
    x3 = load(arena, at + (3 * LANES if pixels > 3 * LANES else 0))
    even, more_even = evens(x0, x1), evens(x2, x3)
    odd, more_odd = odds(x0, x1), odds(x2, x3)
    return evens(even, more_even), evens(odd, more_odd), odds(even, more_even), odds(odd, more_odd)


@helper
def load_lines(arena: Any, at: int, pixels: int) -> Any:
    """Rows of LANES patches of a single sample, four pixels apart.

    Only vectors that begin within the next `pixels` are read; others are of no patch.
    """
    a, b, c, d = load_fours(arena, at, pixels)
    e, f, _, _ = load_fours(arena, at + 4, pixels - 4)
    return a, b, c, d, e, f


@helper
def store_entries(arena: Any, at: int, step: int, d: Any) -> None:
    """B' times a line."""
    first = fma(splat(A2 * B2), d[0], fma(splat(-A2 - B2), d[2], d[4]))
    last = fma(splat(A2 * B2), d[1], fma(splat(-A2 - B2), d[3], d[5]))
    even, odd = fma(splat(-B2), d[2], d[4]), fma(splat(-B2), d[1], d[3])
    store(arena, at, first)
    store(arena, at + step, fma(splat(A), odd, even))
    store(arena, at + 2 * step, fma(splat(-A), odd, even))
    even, odd = fma(splat(-A2), d[2], d[4]), fma(splat(-A2), d[1], d[3])
    store(arena, at + 3 * step, fma(splat(B), odd, even))
    store(arena, at + 4 * step, fma(splat(-B), odd, even))
    store(arena, at + 5 * step, last)


@helper
def outputs(m: Any) -> Any:
    """A' times a line."""
    even_a, odd_a = m[1] + m[2], m[1] - m[2]
    even_b, odd_b = m[3] + m[4], m[3] - m[4]
    return (
        m[0] + even_a + even_b,
        fma(splat(A), odd_a, splat(B) * odd_b),
        fma(splat(A2), even_a, splat(B2) * even_b),
        fma(splat(A * A2), odd_a, fma(splat(B * B2), odd_b, m[5])),
    )


@helper
def store_outputs(arena: Any, at: int, step: int, y: Any) -> None:
    store(arena, at, y[0])
    store(arena, at + step, y[1])
    store(arena, at + 2 * step, y[2])
    store(arena, at + 3 * step, y[3])


@helper
def side_by_side(y: Any) -> Any:
    """The outputs of LANES patches as neighbouring pixels."""
    even, odd = interleave_low(y[0], y[2]), interleave_low(y[1], y[3])
    more_even, more_odd = interleave_high(y[0], y[2]), interleave_high(y[1], y[3])
    return (
        interleave_low(even, odd),
        interleave_high(even, odd),
        interleave_low(more_even, more_odd),
        interleave_high(more_even, more_odd),
    )
