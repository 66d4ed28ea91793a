"""Elementwise kernels, over whole buffers: borders and slack are computed along.

Backward kernels take the gradient of the output in `g` and write the gradient of the input.
Derivatives at kinks are PyTorch's: ReLU'(0) = 0, leaky ReLU'(0) = slope, clip' = 0 at its bounds.
"""

from typing import Any

from backlit_kernels.kernel import kernel
from backlit_kernels.team import vectors
from backlit_kernels.vector import (
    NOWHERE,
    inside,
    load,
    load_marks,
    load_one,
    maximum,
    select,
    splat,
    store,
    store_marks,
)


@kernel
def add(arena: Any, team: Any, a: int, b: int, out: int, size: int) -> None:
    for i in vectors(team, size):
        store(arena, out + i, load(arena, a + i) + load(arena, b + i))


@kernel
def subtract(arena: Any, team: Any, a: int, b: int, out: int, size: int) -> None:
    for i in vectors(team, size):
        store(arena, out + i, load(arena, a + i) - load(arena, b + i))


@kernel
def multiply(arena: Any, team: Any, a: int, b: int, out: int, size: int) -> None:
    for i in vectors(team, size):
        store(arena, out + i, load(arena, a + i) * load(arena, b + i))


@kernel
def relu(arena: Any, team: Any, x: int, out: int, mark: int, size: int) -> None:
    """`mark` as in `product`."""
    zero = splat(0.0)
    for i in vectors(team, size):
        value = maximum(zero, load(arena, x + i))
        store(arena, out + i, value)
        if mark != NOWHERE:
            store_marks(arena, out + i + mark, value > zero)


@kernel
def mark(arena: Any, constants: Any, team: Any, y: int, mark: int, size: int, ceiling: int) -> None:
    """Mark which floats are positive and below the ceiling: operands as in `product`."""
    high = load_one(constants, ceiling)
    for i in vectors(team, size):
        store_marks(arena, y + i + mark, inside(load(arena, y + i), high))


@kernel
def relu_backward(
    arena: Any, team: Any, g: int, out: int, mask: int, size: int, rectified: int
) -> None:
    """`mask` as in `product`; `rectified` as in `relu_rule`."""
    for i in vectors(team, size):
        value = load(arena, g + i)
        if mask != NOWHERE:
            value = select(load_marks(arena, out + i + mask), value, splat(0.0))
        if rectified != 0:
            value = maximum(splat(0.0), value)
        store(arena, out + i, value)
