"""Winograd's F(2x2, 3x3): 16 products for 4 outputs instead of 36.

    B' = [1  0 -1  0]   G = [ 1    0    0 ]   A' = [1  1  1  0]
         [0  1  1  0]       [1/2  1/2  1/2]        [0  1 -1 -1]
         [0 -1  1  0]       [1/2 -1/2  1/2]
         [0  1  0 -1]       [ 0    0    1 ]

Of small whole numbers, results are exact: what is zero stays zero.
"""

from typing import Any

import numpy as np

from backlit_kernels.kernel import helper
from backlit_kernels.vector import (
    LANES,
    evens,
    interleave_high,
    interleave_low,
    load,
    odds,
    store,
)

FILTERS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


@helper
def load_line(arena: Any, at: int, step: int) -> Any:
    """A row or column of a patch."""
    return (
        load(arena, at),
        load(arena, at + step),
        load(arena, at + 2 * step),
        load(arena, at + 3 * step),
    )


@helper
def entries(d: Any) -> Any:
    """B' times a line."""
    return d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]


@helper
def store_entries(arena: Any, at: int, step: int, d: Any) -> None:
    """The same, stored."""
    a, b, c, d = entries(d)
    store(arena, at, a)
    store(arena, at + step, b)
    store(arena, at + 2 * step, c)
    store(arena, at + 3 * step, d)


@helper
def store_patch(arena: Any, x: int, pitch: int, at: int, step: int) -> None:
    """B' d B of the patch at `x`."""
    a = entries(load_line(arena, x, LANES))
    b = entries(load_line(arena, x + pitch, LANES))
    c = entries(load_line(arena, x + 2 * pitch, LANES))
    d = entries(load_line(arena, x + 3 * pitch, LANES))
    store_entries(arena, at, 4 * step, (a[0], b[0], c[0], d[0]))
    store_entries(arena, at + step, 4 * step, (a[1], b[1], c[1], d[1]))
    store_entries(arena, at + 2 * step, 4 * step, (a[2], b[2], c[2], d[2]))
    store_entries(arena, at + 3 * step, 4 * step, (a[3], b[3], c[3], d[3]))


@helper
def outputs(m: Any) -> Any:
    """A' times a line."""
    return m[0] + m[1] + m[2], m[1] - m[2] - m[3]


@helper
def both_rows(arena: Any, at: int, step: int) -> Any:
    """The rows of A' m A."""
    a = outputs(load_line(arena, at, 4 * step))
    b = outputs(load_line(arena, at + step, 4 * step))
    c = outputs(load_line(arena, at + 2 * step, 4 * step))
    d = outputs(load_line(arena, at + 3 * step, 4 * step))
    return outputs((a[0], b[0], c[0], d[0])), outputs((a[1], b[1], c[1], d[1]))


TWO_ROWS = (both_rows,)


@helper
def store_outputs(arena: Any, at: int, step: int, y: Any) -> None:
    store(arena, at, y[0])
    store(arena, at + step, y[1])


@helper
def load_lines(arena: Any, at: int, pixels: int) -> Any:
    """Rows of LANES patches of a single sample, two pixels apart.

    Only vectors that begin within the next `pixels` are read; others are of no patch.
    """
    a, b = load(arena, at), load(arena, at + (LANES if pixels > LANES else 0))
    c, d = load(arena, at + 2), load(arena, at + (LANES + 2 if pixels > LANES + 2 else 0))
    return evens(a, b), odds(a, b), evens(c, d), odds(c, d)


@helper
def side_by_side(y: Any) -> Any:
    """The outputs of LANES patches as neighbouring pixels."""
    return interleave_low(y[0], y[1]), interleave_high(y[0], y[1])
