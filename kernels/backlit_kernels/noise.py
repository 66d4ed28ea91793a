"""Random numbers by counting: each is a function of a key, a draw's number and a place.

No state is carried along, so that a number does not depend on which thread, tile or lane asks for
it. A sample's 64-bit key comes as two lane values that hold bits; `sequences` makes of it, for
each draw, two Weyl sequences (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", 2014), whose terms a hash turns into uniform bits.
"""

from typing import Any

from backlit_kernels.bits import bits_of, floats_of, lane_numbers, signed, splat_bits
from backlit_kernels.fold import lane_value
from backlit_kernels.frame import STEP
from backlit_kernels.functions import cosine, log, sine
from backlit_kernels.groups import steps_of_lanes
from backlit_kernels.kernel import helper, kernel
from backlit_kernels.vector import (
    LANES,
    fma,
    load,
    select,
    splat,
    square_root,
    store,
    store_one,
)


@helper
def hashed(h: Any) -> Any:
    """A bijection of 32 bits that leaves no trace of order: Wellons' lowbias32 (2018)."""
    h = (h ^ (h >> 16)) * splat_bits(0x7FEB352D)
    h = (h ^ (h >> 15)) * splat_bits(0x846CA68B)
    return h ^ (h >> 16)


@helper
def sequences(key: Any, other: Any, n: Any) -> Any:
    """Beginnings and (odd) increments of the two sequences of the draws numbered n."""
    key, other = bits_of(key), bits_of(other)
    a = hashed(hashed(key + n * splat_bits(0x9E3779B9)) ^ other)
    b = hashed(hashed(other + n * splat_bits(0x85EBCA6B)) ^ key)
    one = splat_bits(1)
    return a, hashed(a + b) | one, b, hashed(a ^ (b << 1)) | one


@helper
def uniform(h: Any) -> Any:
    """A number in (0, 1] of uniform bits; small ones keep their digits."""
    return fma(signed(h >> 1), splat(2.0**-31), splat(2.0**-32))


@helper
def normal_pair(h: Any, k: Any) -> Any:
    """Two independent standard normal numbers of two sets of uniform bits.

    Box and Muller, "A note on the generation of random normal deviates", 1958: a radius of h, a
    direction of k. The direction's lower bits give an angle within an eighth of a turn of 0;
    two more bits exchange cosine and sine and flip both signs, which covers the circle.
    """
    radius = square_root(splat(-2.0) * log(uniform(h)))
    radius = floats_of(bits_of(radius) ^ ((k << 1) & splat_bits(0x80000000)))
    angle = signed(k << 2) * splat(0.78539816339 * 2.0**-31)
    c, s = radius * cosine(angle), radius * sine(angle)
    swap = signed(k) < splat(0.0)
    return select(swap, s, c), select(swap, c, s)


@kernel
def add_noise(
    arena: Any,
    frame: Any,
    x: int,
    out: int,
    key: int,
    other: int,
    scale: int,
    antithetic: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    lanes: int,
) -> None:
    """out = x + scale * normal noise, anew at each step.

    Parameters
    ----------
    x, out
        First pixels of two tiles; planes and rows are `plane` and `row` floats apart. With one
        lane, what follows a row of `out` is overwritten.
    key, other, scale
        Lane values.
    antithetic
        1 if an odd step's noise is that of the step before with its sign changed.
    """
    step, sign = steps_of_lanes(frame), splat(1.0)
    if antithetic != 0:
        sign = floats_of(bits_of(sign) | (step << 31))
        step = step >> 1
    half = (width + 1) // 2  # the two numbers of a pair go to the two halves of a row
    pixels = LANES if lanes == 1 else 1  # in a vector
    for lane in range(0, lanes, LANES):
        keys = lane_value(arena, key, lane, lanes), lane_value(arena, other, lane, lanes)
        a, a_step, b, b_step = sequences(keys[0], keys[1], step)
        size = sign * lane_value(arena, scale, lane, lanes)
        for r in range(channels * height):
            start = r // height * plane + r % height * row + lane
            for i in range(0, half, pixels):
                first = max(0, min(i, half - pixels))
                place = splat_bits(r * half + first)
                if lanes == 1:
                    place = place + lane_numbers()
                h, k = hashed(a + place * a_step), hashed(b + place * b_step)
                left, right = normal_pair(h, k)
                at = start + first * lanes
                store(arena, out + at, fma(size, left, load(arena, x + at)))
                if first + half < width:
                    at += half * lanes
                    store(arena, out + at, fma(size, right, load(arena, x + at)))


@kernel
def running_variance(arena: Any, frame: Any, x: int, mean: int, variance: int, size: int) -> None:
    """Take one more x into the mean and variance of those of the steps before.

    Welford, "Note on a method for calculating corrected sums of squares and products", 1962.
    """
    share = splat(1.0 / (frame[STEP] + 1.0))
    for i in range(0, size, LANES):
        value, middle = load(arena, x + i), load(arena, mean + i)
        spread = load(arena, variance + i)
        change = value - middle
        middle = fma(change, share, middle)
        store(arena, mean + i, middle)
        store(arena, variance + i, fma(fma(change, value - middle, -spread), share, spread))


@kernel
def stratified(
    arena: Any,
    frame: Any,
    low: int,
    width: int,
    key: int,
    other: int,
    draw: int,
    draws: int,
    out: int,
    lanes: int,
) -> None:
    """Lane values, uniform in strata that begin at `low` and are `width` wide (lane values).

    There are `draws` draws a step, of which this is the one numbered `draw`.
    """
    number = steps_of_lanes(frame) * splat_bits(draws) + splat_bits(draw)
    for lane in range(0, lanes, LANES):
        keys = lane_value(arena, key, lane, lanes), lane_value(arena, other, lane, lanes)
        share = uniform(sequences(keys[0], keys[1], number)[0])
        start = lane_value(arena, low, lane, lanes)
        value = fma(lane_value(arena, width, lane, lanes), share, start)
        if lanes == 1:
            store_one(arena, out, value)
        else:
            store(arena, out + lane, value)
