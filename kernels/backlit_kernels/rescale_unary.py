"""DeepLIFT's multipliers of functions of one number: by the rescale and the reveal-cancel rule."""

from functools import cache
from typing import Any

from backlit_kernels.kernel import Kernel, helper, kernel
from backlit_kernels.unary_functions import DERIVATIVES, VALUES
from backlit_kernels.vector import (
    LANES,
    absolute,
    load,
    load_one,
    minimum,
    select,
    splat,
    store,
)

# How far the functions' values may be off, as a share of them
ROUNDING, ROUNDING_OF = 2.0**-22, {"power": 2.0**-20}


@cache
def mean_slope(name: str) -> Any:
    """(f(a) - f(b)) / (a - b) for a function, by its name in `backlit_kernels.unary_functions`.

    The quotient loses digits where a and b are close; the derivative between them, at Gauss's two
    points, does not, but is wrong where they are far apart or a kink lies between them. It is taken
    where the two differ by no more than rounding would explain.
    """
    f, slope = VALUES[name], DERIVATIVES[name]
    share_off = ROUNDING_OF.get(name, ROUNDING)

    @helper
    def mean_slope(a: Any, b: Any, p: Any, q: Any, r: Any) -> Any:
        half, one, rounding = splat(0.5), splat(1.0), splat(share_off)
        fa, fb = f(a, p, q, r), f(b, p, q, r)
        middle, away = half * (a + b), splat(0.28867513459481287) * (a - b)
        inside = half * (slope(middle - away, p, q, r) + slope(middle + away, p, q, r))
        size = absolute(fa) + absolute(fb) + minimum(absolute(a) + absolute(b), one)
        close = absolute(inside * (a - b) - (fa - fb)) <= rounding * size
        same = a == b
        return select(close | same, inside, (fa - fb) / select(same, one, a - b))

    return mean_slope


@cache
def rescale_unary(name: str) -> Kernel:
    """For any function of one number, by its name."""
    mean = mean_slope(name)

    def rescale_unary(
        arena: Any,
        constants: Any,
        x: int,
        x0: int,
        g: int,
        out: int,
        size: int,
        parameters: int,
    ) -> None:
        p, q = load_one(constants, parameters), load_one(constants, parameters + 1)
        r = load_one(constants, parameters + 2)
        for i in range(0, size, LANES):
            share = mean(load(arena, x + i), load(arena, x0 + i), p, q, r)
            zero = splat(0.0)  # as in `rescale_linear`
            store(arena, out + i, select(share == zero, zero, load(arena, g + i) * share))

    return Kernel(rescale_unary, f"rescale_{name}")


@cache
def reveal_cancel(name: str) -> Kernel:
    """Multipliers of the positive and of the negative part of what a function's input changes by.

    Each part's effect is the mean of that with and that without the other part before it.
    """
    mean = mean_slope(name)

    def reveal_cancel(
        arena: Any,
        constants: Any,
        x0: int,
        rise: int,
        fall: int,
        g: int,
        rises: int,
        falls: int,
        size: int,
        parameters: int,
    ) -> None:
        p, q = load_one(constants, parameters), load_one(constants, parameters + 1)
        r = load_one(constants, parameters + 2)
        for i in range(0, size, LANES):
            start, up, down = load(arena, x0 + i), load(arena, rise + i), load(arena, fall + i)
            half = splat(0.5) * load(arena, g + i)
            high, low, end = start + up, start + down, start + up + down
            store(arena, rises + i, half * (mean(high, start, p, q, r) + mean(end, low, p, q, r)))
            store(arena, falls + i, half * (mean(low, start, p, q, r) + mean(end, high, p, q, r)))

    return Kernel(reveal_cancel, f"reveal_cancel_{name}")


@kernel
def choose_by_sign(arena: Any, x: int, positive: int, negative: int, out: int, size: int) -> None:
    """out = `positive` where x > 0, `negative` where x < 0, their mean where x = 0."""
    zero, half = splat(0.0), splat(0.5)
    for i in range(0, size, LANES):
        value = load(arena, x + i)
        a, b = load(arena, positive + i), load(arena, negative + i)
        chosen = select(value > zero, a, select(value < zero, b, half * (a + b)))
        store(arena, out + i, chosen)
