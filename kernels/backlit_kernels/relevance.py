"""Relevance propagation: what the rules need besides products, over whole buffers."""

from typing import Any

from backlit_kernels.kernel import helper, kernel
from backlit_kernels.vector import (
    LANES,
    fma,
    load,
    load_one,
    maximum,
    minimum,
    select,
    splat,
    store,
)

EVERYWHERE, WHERE_POSITIVE, WHERE_NEGATIVE = range(3)


@helper
def stabilise(z: Any, epsilon: Any) -> Any:
    """z moved away from 0 by epsilon; 0 itself counts as positive."""
    return z + select(z >= splat(0.0), epsilon, -epsilon)


@kernel
def stable_quotient(
    arena: Any,
    constants: Any,
    r: int,
    z: int,
    epsilon: int,
    gate: int,
    side: int,
    out: int,
    size: int,
) -> None:
    """out = r / (z moved away from 0 by the constant `epsilon`); 0 where that is 0.

    `side` restricts it to where `gate` is positive or negative, with 0 elsewhere.
    """
    zero, one = splat(0.0), splat(1.0)
    shift = load_one(constants, epsilon)
    for i in range(0, size, LANES):
        value = stabilise(load(arena, z + i), shift)
        none = value == zero
        quotient = select(none, zero, load(arena, r + i) / select(none, one, value))
        if side == WHERE_POSITIVE:
            quotient = select(load(arena, gate + i) > zero, quotient, zero)
        elif side == WHERE_NEGATIVE:
            quotient = select(load(arena, gate + i) < zero, quotient, zero)
        store(arena, out + i, quotient)


@kernel
def add_share(
    arena: Any, constants: Any, x: int, c: int, factor: int, out: int, size: int, accumulate: int
) -> None:
    """out = factor * x * c, the factor being a constant; added to `out` with `accumulate`."""
    total, weight = splat(0.0), load_one(constants, factor)
    for i in range(0, size, LANES):
        if accumulate != 0:
            total = load(arena, out + i)
        store(arena, out + i, fma(weight * load(arena, x + i), load(arena, c + i), total))


@kernel
def split_signs(arena: Any, x: int, positive: int, negative: int, size: int) -> None:
    """The positive and the negative part of x."""
    zero = splat(0.0)
    for i in range(0, size, LANES):
        value = load(arena, x + i)
        store(arena, positive + i, maximum(zero, value))
        store(arena, negative + i, minimum(zero, value))


@kernel
def fill_one(arena: Any, out: int, size: int) -> None:
    one = splat(1.0)
    for i in range(0, size, LANES):
        store(arena, out + i, one)
