"""Kernels that know channels: per-channel affine maps, and the zero borders of images."""

from typing import Any

from backlit_kernels.kernel import helper, kernel
from backlit_kernels.lanes import for_lanes
from backlit_kernels.team import share
from backlit_kernels.vector import LANES, fma, load_one, splat, store_one
from backlit_kernels.vector import store as store_vector


@for_lanes
def affine(load: Any, store: Any, width: int) -> Any:
    def affine(
        arena: Any,
        constants: Any,
        team: Any,
        x: int,
        out: int,
        channels: int,
        plane: int,
        scale: int,
        shift: int,
    ) -> None:
        """out = scale[c] * x + shift[c]; `shift` -1 for none."""
        b = splat(0.0)
        for c in range(*share(team, channels)):
            a = load_one(constants, scale + c)
            if shift >= 0:
                b = load_one(constants, shift + c)
            for i in range(c * plane, (c + 1) * plane, width):
                store(arena, out + i, fma(load(arena, x + i), a, b))

    return affine


@helper
def zero_run(arena: Any, first: int, last: int) -> None:
    """Zeros from `first` up to `last`."""
    zero = splat(0.0)
    if last - first < LANES:
        for i in range(first, last):
            store_one(arena, i, zero)
        return
    for i in range(first, last - LANES, LANES):
        store_vector(arena, i, zero)
    store_vector(arena, last - LANES, zero)


@kernel
def zero_border(
    arena: Any,
    team: Any,
    x: int,
    channels: int,
    plane: int,
    origin: int,
    height: int,
    row: int,
    pitch: int,
) -> None:
    """Set everything in a buffer to zero that is not a pixel.

    A plane of `plane` floats holds `height` rows of `row` floats, `pitch` floats apart, the
    first one at `origin`.
    """
    zero = splat(0.0)
    gap = pitch - row
    whole = gap // LANES * LANES
    begin, end = share(team, channels)
    zero_run(arena, x + begin * plane, x + begin * plane + origin)
    for c in range(begin, end):
        first = x + c * plane + origin + row
        last = first + (height - 1) * pitch
        if whole != 0:
            for y in range(first, last, pitch):
                for i in range(y, y + whole, LANES):
                    store_vector(arena, i, zero)
        for i in range(whole, gap):
            for y in range(first + i, last + i, pitch):
                store_one(arena, y, zero)
        # and what comes before the next plane's pixels
        zero_run(arena, last, x + (c + 1) * plane + (origin if c < end - 1 else 0))


@kernel
def fill_zero(arena: Any, x: int, size: int) -> None:
    zero_run(arena, x, x + size)
