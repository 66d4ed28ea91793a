"""Gaussian blur of a tile, separable: along columns, then along rows."""

from typing import Any

from backlit_kernels.frame import PORTS, STEP, floats_at
from backlit_kernels.lanes import for_lanes
from backlit_kernels.vector import fma, load_one, splat


@for_lanes
def gaussian_blur(load: Any, store: Any, floats: int) -> Any:
    def gaussian_blur(
        arena: Any,
        frame: Any,
        port: int,
        count: int,
        first: int,
        per_step: int,
        x: int,
        middle: int,
        out: int,
        channels: int,
        height: int,
        width: int,
        plane: int,
        row: int,
        lanes: int,
    ) -> None:
        """out = x blurred at a level; beyond its edges x is zero. A lone row stays as it is.

        Parameters
        ----------
        port, count
            Number of an array of levels, `count` floats each: how far the blur reaches, then its
            weights at the distances 0, 1, ...
        first, per_step
            Which level: ``first + step * per_step``.
        x, out
            First pixels of two tiles; planes and rows are `plane` and `row` floats apart.
        middle
            Memory for one channel.
        """
        levels = floats_at(frame[PORTS + port])
        level = (first + frame[STEP] * per_step) * count
        reach, weights = int(levels[level]), level + 1
        line, blurs = width * lanes, height > 1
        for c in range(channels):
            source, target = x + c * plane, out + c * plane
            for y in range(height):
                low, high = max(0, y - reach), min(height, y + reach + 1)
                for i in range(0, line, floats):
                    total = splat(0.0)
                    for k in range(low, high):
                        weight = load_one(levels, weights + abs(y - k)) if blurs else splat(1.0)
                        total = fma(weight, load(arena, source + k * row + i), total)
                    store(arena, middle + y * line + i, total)
            for y in range(height):
                for j in range(width):
                    low, high = max(0, j - reach), min(width, j + reach + 1)
                    for lane in range(0, lanes, floats):
                        total = splat(0.0)
                        for k in range(low, high):
                            weight = load_one(levels, weights + abs(j - k))
                            value = load(arena, middle + y * line + k * lanes + lane)
                            total = fma(weight, value, total)
                        store(arena, target + y * row + j * lanes + lane, total)

    return gaussian_blur
