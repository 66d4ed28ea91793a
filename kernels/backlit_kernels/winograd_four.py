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
from backlit_kernels.target import target
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

ADDS_ASIDE = target().adds_aside
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
def plus_minus(a: Any, factor: Any, b: Any) -> Any:
    """``a + factor * b`` and ``a - factor * b``."""
    if ADDS_ASIDE:  # one more operation, but one less of those that multiply
        b = factor * b
        return a + b, a - b
    return fma(factor, b, a), fma(-factor, b, a)


@helper
def at_ends(d: Any) -> Any:
    """Of B' times a line, the first entry and the last."""
    first = fma(splat(A2 * B2), d[0], fma(splat(-A2 - B2), d[2], d[4]))
    return first, fma(splat(A2 * B2), d[1], fma(splat(-A2 - B2), d[3], d[5]))


@helper
def at_a(d: Any) -> Any:
    """The two of +-a."""
    even, odd = fma(splat(-B2), d[2], d[4]), fma(splat(-B2), d[1], d[3])
    return plus_minus(even, splat(A), odd)


@helper
def at_b(d: Any) -> Any:
    """The two of +-b."""
    even, odd = fma(splat(-A2), d[2], d[4]), fma(splat(-A2), d[1], d[3])
    return plus_minus(even, splat(B), odd)


@helper
def store_entries(arena: Any, at: int, step: int, d: Any) -> None:
    """B' times a line."""
    (first, last), (plus_a, minus_a), (plus_b, minus_b) = at_ends(d), at_a(d), at_b(d)
    store(arena, at, first)
    store(arena, at + step, plus_a)
    store(arena, at + 2 * step, minus_a)
    store(arena, at + 3 * step, plus_b)
    store(arena, at + 4 * step, minus_b)
    store(arena, at + 5 * step, last)


def _store_columns(entries: Any) -> Any:
    @helper
    def store_columns(arena: Any, x: int, pitch: int, at: int, step: int, apart: int) -> None:
        """Two columns of the entries of a patch at `x`."""
        one_a, two_a = entries(load_line(arena, x, LANES))
        one_b, two_b = entries(load_line(arena, x + pitch, LANES))
        one_c, two_c = entries(load_line(arena, x + 2 * pitch, LANES))
        one_d, two_d = entries(load_line(arena, x + 3 * pitch, LANES))
        one_e, two_e = entries(load_line(arena, x + 4 * pitch, LANES))
        one_f, two_f = entries(load_line(arena, x + 5 * pitch, LANES))
        store_entries(arena, at, 6 * step, (one_a, one_b, one_c, one_d, one_e, one_f))
        store_entries(arena, at + apart, 6 * step, (two_a, two_b, two_c, two_d, two_e, two_f))

    return store_columns


_store_ends, _store_a, _store_b = map(_store_columns, (at_ends, at_a, at_b))


@helper
def store_patch(arena: Any, x: int, pitch: int, at: int, step: int) -> None:
    """B' d B of the patch at `x`, as many columns at a time as registers hold."""
    _store_ends(arena, x, pitch, at, step, 5 * step)
    _store_a(arena, x, pitch, at + step, step, step)
    _store_b(arena, x, pitch, at + 3 * step, step, step)


@helper
def even_outputs(m: Any) -> Any:
    """Of A' times a line, the first output and the third."""
    even_a, even_b = m[1] + m[2], m[3] + m[4]
    return m[0] + even_a + even_b, fma(splat(A2), even_a, splat(B2) * even_b)


@helper
def odd_outputs(m: Any) -> Any:
    """The second and the fourth."""
    odd_a, odd_b = m[1] - m[2], m[3] - m[4]
    last = fma(splat(A * A2), odd_a, fma(splat(B * B2), odd_b, m[5]))
    return fma(splat(A), odd_a, splat(B) * odd_b), last


@helper
def outputs(m: Any) -> Any:
    """A' times a line."""
    (first, third), (second, fourth) = even_outputs(m), odd_outputs(m)
    return first, second, third, fourth


def _two_rows(of_column: Any) -> Any:
    @helper
    def two_rows(arena: Any, at: int, step: int) -> Any:
        """Two rows of a patch's outputs."""
        one_a, two_a = of_column(load_line(arena, at, 6 * step))
        one_b, two_b = of_column(load_line(arena, at + step, 6 * step))
        one_c, two_c = of_column(load_line(arena, at + 2 * step, 6 * step))
        one_d, two_d = of_column(load_line(arena, at + 3 * step, 6 * step))
        one_e, two_e = of_column(load_line(arena, at + 4 * step, 6 * step))
        one_f, two_f = of_column(load_line(arena, at + 5 * step, 6 * step))
        one = outputs((one_a, one_b, one_c, one_d, one_e, one_f))
        return one, outputs((two_a, two_b, two_c, two_d, two_e, two_f))

    return two_rows


# Each gives two rows of A' m A, the second of them two further on: as many as registers hold.
TWO_ROWS = _two_rows(even_outputs), _two_rows(odd_outputs)


@helper
def store_outputs(arena: Any, at: int, step: int, y: Any) -> None:
    store(arena, at, y[0])
    store(arena, at + step, y[1])
    store(arena, at + 2 * step, y[2])
    store(arena, at + 3 * step, y[3])


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
