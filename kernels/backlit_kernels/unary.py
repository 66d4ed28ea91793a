"""Functions of one number over whole buffers, forward and backward: a kernel for each by name."""

from functools import cache
from typing import Any

from backlit_kernels.kernel import Kernel
from backlit_kernels.team import vectors
from backlit_kernels.unary_functions import DERIVATIVES, LET_NOTHING_PASS, VALUES
from backlit_kernels.vector import load, load_one, select, splat, store


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
