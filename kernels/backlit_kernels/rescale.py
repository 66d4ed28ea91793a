"""DeepLIFT's multipliers: what a difference of an activation's input does to its output.

Backward kernels take the multiplier of the output in `g` and write that of the input, for the
values x of the input and x0 of its reference. By the rescale rule it is g (y - y0) / (x - x0).
Where a quotient would lose its digits, formulas that do not cancel stand in; where x = x0, the
derivative.
"""

from typing import Any

from backlit_kernels.functions import exp, log
from backlit_kernels.kernel import helper, kernel
from backlit_kernels.lanes import for_lanes
from backlit_kernels.pooling import whole_windows
from backlit_kernels.team import strips
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


@kernel
def rescale_linear(
    arena: Any, constants: Any, x: int, x0: int, g: int, out: int, size: int, bounds: int
) -> None:
    """For pieces of straight lines: slope 1 between two bounds, another slope outside.

    The constants at `bounds` are low, high and the slope outside: ReLU is (0, inf, 0).
    """
    zero, one = splat(0.0), splat(1.0)
    low, high = load_one(constants, bounds), load_one(constants, bounds + 1)
    slope = load_one(constants, bounds + 2)
    for i in range(0, size, LANES):
        a, b = load(arena, x + i), load(arena, x0 + i)
        step = minimum(high, maximum(low, a)) - minimum(high, maximum(low, b))
        inside = select((a > low) & (a < high), one, zero)
        same = a == b
        share = select(same, inside, step / select(same, one, a - b))
        share = fma(one - slope, share, slope)
        # where nothing changes, nothing passes: not an infinite slope of what comes next either
        store(arena, out + i, select(share == zero, zero, load(arena, g + i) * share))


@kernel
def rescale_extreme(
    arena: Any, x: int, x0: int, y: int, y0: int, out: int, hit: int, size: int
) -> None:
    """What a maximum y of many x changes by each, as in `rescale_max_pool`; `hit` where it is one.

    Each entry stands beside the maxima of input and reference that it is among.
    """
    zero, one = splat(0.0), splat(1.0)
    for i in range(0, size, LANES):
        value, reference = load(arena, x + i), load(arena, x0 + i)
        a, b = load(arena, y + i), load(arena, y0 + i)
        here = select(a < b, select(reference == b, one, zero), select(value == a, one, zero))
        same = value == reference
        share = select(same, one, (a - b) / select(same, one, value - reference))
        store(arena, hit + i, here)
        store(arena, out + i, here * share)


@for_lanes
def rescale_max_pool(load: Any, store: Any, width: int, rows: int, columns: int) -> Any:
    @helper
    def route(
        arena: Any, a: Any, b: Any, g: Any, x: int, x0: int, out: int, h: int, w: int,
        pitch: int, accumulate: int,
    ) -> None:  # fmt: skip
        """Send the multiplier of a window whose maxima are `a` and, of the reference, `b`.

        It goes to the maximum of the input where that is the greater one, else of the reference.
        """
        zero, one = splat(0.0), splat(1.0)
        falls = a < b
        best = select(falls, b, a)
        change, found = zero, zero
        for i in range(h):
            for j in range(w):
                at = i * pitch + j * width
                value, reference = load(arena, x + at), load(arena, x0 + at)
                here = (select(falls, reference, value) == best) & (found == zero)
                change = select(here, value - reference, change)
                found = select(here, one, found)
        same = change == zero
        factor = select(same, one, (a - b) / select(same, one, change)) * g
        for i in range(h):
            for j in range(w):
                at = i * pitch + j * width
                value, reference = load(arena, x + at), load(arena, x0 + at)
                here = select(falls, reference, value) == best
                share = select(here, factor, zero)
                factor = select(here, zero, factor)
                if accumulate != 0:
                    share = share + load(arena, out + at)
                store(arena, out + at, share)

    def rescale_max_pool(
        arena: Any,
        x: int,
        x0: int,
        y: int,
        y0: int,
        g: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        out_height: int,
        out_width: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_pitch: int,
        stride_y: int,
        stride_x: int,
        top: int,
        left: int,
        accumulate: int,
    ) -> None:
        """A rise of the maximum is due to the input's maximum, a fall to the reference's.

        Either differs from its partner by at least as much as the maxima do, so that the
        multiplier exists. Where neither is, and the place has not changed, it is the derivative.
        `accumulate` as in `max_pool_backward`.
        """
        whole, end = whole_windows(out_width, image_width, columns, stride_x, left)
        for c in range(channels):
            for oy in range(out_height):
                top_y = max(oy * stride_y - top, 0)
                h = min(oy * stride_y - top + rows, height) - top_y
                a, b = (whole, end) if h == rows else (0, 0)
                source = c * plane + top_y * pitch
                place = c * out_plane + oy * out_pitch
                for ox in range(a, b):
                    at = place + ox * width
                    start = source + (ox * stride_x - left) * width
                    route(
                        arena, load(arena, y + at), load(arena, y0 + at), load(arena, g + at),
                        x + start, x0 + start, out + start, rows, columns, pitch, accumulate,
                    )  # fmt: skip
                for n in range(out_width - (b - a)):
                    ox = n if n < a else n + b - a
                    left_x = max(ox * stride_x - left, 0)
                    w = min(ox * stride_x - left + columns, image_width) - left_x
                    at = place + ox * width
                    start = source + left_x * width
                    route(
                        arena, load(arena, y + at), load(arena, y0 + at), load(arena, g + at),
                        x + start, x0 + start, out + start, h, w, pitch, accumulate,
                    )  # fmt: skip

    return rescale_max_pool


@helper
def logarithmic_mean(a: Any, b: Any) -> Any:
    """(e**a - e**b) / (a - b); e**a where they are equal."""
    half = splat(0.5) * (a - b)
    square = half * half
    series = fma(square, splat(1.0 / 5040), splat(1.0 / 120))
    series = fma(square, series, splat(1.0 / 6))
    series = fma(square, series, splat(1.0)) * exp(splat(0.5) * (a + b))
    close = square < splat(0.25)
    return select(close, series, (exp(a) - exp(b)) / select(close, splat(1.0), a - b))


@for_lanes
def softmax_weights(load: Any, store: Any, width: int) -> Any:
    def softmax_weights(
        arena: Any, team: Any, x: int, x0: int, out: int, classes: int, step: int
    ) -> None:
        """The logarithmic mean of each class's probabilities for x and for x0, log-softmax'd."""
        for n in range(*strips(team, step, width)):
            i = min(n * width, step - width)
            top, top0 = load(arena, x + i), load(arena, x0 + i)
            for k in range(1, classes):
                top = maximum(top, load(arena, x + k * step + i))
                top0 = maximum(top0, load(arena, x0 + k * step + i))
            total, total0 = splat(0.0), splat(0.0)
            for k in range(classes):
                total = total + exp(load(arena, x + k * step + i) - top)
                total0 = total0 + exp(load(arena, x0 + k * step + i) - top0)
            shift, shift0 = top + log(total), top0 + log(total0)
            for k in range(classes):
                at = k * step + i
                mean = logarithmic_mean(load(arena, x + at) - shift, load(arena, x0 + at) - shift0)
                store(arena, out + at, mean)

    return softmax_weights


@for_lanes
def rescale_softmax(load: Any, store: Any, width: int) -> Any:
    def rescale_softmax(
        arena: Any, team: Any, means: int, g: int, out: int, classes: int, step: int, logarithm: int
    ) -> None:
        """The multipliers of softmax, or of its logarithm, from its `softmax_weights`.

        With L the logarithmic means, a change of log p_j is that of x_j less the mean change of
        all x weighted by L, since the changes of p add up to 0; that of p_j is L_j times as much.
        """
        for n in range(*strips(team, step, width)):
            i = min(n * width, step - width)
            total, sum_ = splat(0.0), splat(0.0)
            for k in range(classes):
                at = k * step + i
                mean, value = load(arena, means + at), load(arena, g + at)
                total = total + mean
                sum_ = sum_ + (value if logarithm != 0 else value * mean)
            for k in range(classes):
                at = k * step + i
                mean, value = load(arena, means + at), load(arena, g + at)
                if logarithm != 0:
                    value = value - sum_ / total * mean
                else:
                    value = mean * (value - sum_ / total)
                store(arena, out + at, value)

    return rescale_softmax
