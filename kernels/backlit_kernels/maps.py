"""Maps from layers: channels weighted and added up, brought to the size of the input.

A tensor's pixels are those of an image, `plane` floats from channel to channel and `row` from row
to row, `lanes` from pixel to pixel. A map is one channel without border: `lanes` floats a pixel.
"""

from typing import Any

from backlit_kernels.frame import STEP
from backlit_kernels.lanes import for_lanes
from backlit_kernels.vector import absolute, fma, load_one, maximum, minimum, select, splat

MEAN, PLUS_PLUS, AXIOM = range(3)  # weights of channels from their gradients
CHANNELS, PIXELS, POSITIVE = range(3)  # what activations are multiplied by


@for_lanes
def channel_weights(load: Any, store: Any, width: int, rule: int) -> Any:
    def channel_weights(
        arena: Any,
        x: int,
        g: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        plane: int,
        row: int,
        lanes: int,
    ) -> None:
        """A weight for each channel, ``out[channel][lane]``, from activations and gradients.

        MEAN: the mean of g;  AXIOM: sum of g x over sum of x;  PLUS_PLUS: the sum of
        max(g, 0) g**2 / (2 g**2 + g**3 sum of x), where g is not 0.
        """
        zero, two = splat(0.0), splat(2.0)
        share = splat(1.0 / (height * image_width))
        for c in range(channels):
            for i in range(0, lanes, width):
                total = zero
                if rule != MEAN:
                    for y in range(height):
                        start = x + c * plane + y * row + i
                        for p in range(start, start + image_width * lanes, lanes):
                            total = total + load(arena, p)
                weight = zero
                for y in range(height):
                    line = c * plane + y * row + i
                    for p in range(line, line + image_width * lanes, lanes):
                        slope = load(arena, g + p)
                        if rule == MEAN:
                            weight = weight + slope
                        elif rule == AXIOM:
                            weight = fma(slope, load(arena, x + p), weight)
                        else:
                            square = slope * slope
                            below = fma(total * square, slope, fma(two, square, splat(1e-6)))
                            part = maximum(slope, zero) * square / below
                            weight = weight + select(slope > zero, part, zero)
                if rule == MEAN:
                    weight = weight * share
                if rule == AXIOM:
                    weight = weight / (total + splat(1e-7))
                store(arena, out + c * lanes + i, weight)

    return channel_weights


@for_lanes
def weighted_map(load: Any, store: Any, width: int, kind: int) -> Any:
    def weighted_map(
        arena: Any,
        x: int,
        weights: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        plane: int,
        row: int,
        lanes: int,
        rectify: int,
    ) -> None:
        """The sum over channels of activations times weights, rectified where asked for.

        A weight is that of the CHANNELS, or that of the PIXELS; POSITIVE leaves out pixels whose
        weight is negative.
        """
        zero = splat(0.0)
        for y in range(height):
            for k in range(image_width):
                for i in range(0, lanes, width):
                    place = y * row + k * lanes + i
                    total = zero
                    for c in range(channels):
                        if kind == CHANNELS:
                            weight = load(arena, weights + c * lanes + i)
                        else:
                            weight = load(arena, weights + c * plane + place)
                        if kind == POSITIVE:
                            weight = maximum(weight, zero)
                        total = fma(weight, load(arena, x + c * plane + place), total)
                    if rectify != 0:
                        total = maximum(zero, total)
                    store(arena, out + (y * image_width + k) * lanes + i, total)

    return weighted_map


@for_lanes
def upsample(load: Any, store: Any, width: int) -> Any:
    def upsample(
        arena: Any,
        constants: Any,
        table: Any,
        frame: Any,
        x: int,
        per_step: int,
        row: int,
        rows: int,
        columns: int,
        row_shares: int,
        column_shares: int,
        line: int,
        source_width: int,
        out: int,
        height: int,
        image_width: int,
        lanes: int,
        accumulate: int,
    ) -> None:
        """A map of `height` by `image_width` pixels, bilinear between those of an image.

        The tables `rows` and `columns` hold the two neighbours of each pixel of the map; the
        constants hold the second one's share. The image begins ``step * per_step`` after `x`;
        `line` is room for a row of it.
        """
        source, line_end = x + frame[STEP] * per_step, line + source_width * lanes
        for lane in range(0, lanes, width):
            place = out + lane
            for y in range(height):
                upper = source + table[rows + 2 * y] * row - line
                lower = source + table[rows + 2 * y + 1] * row - line
                down = load_one(constants, row_shares + y)
                for i in range(line + lane, line_end, lanes):
                    a = load(arena, upper + i)
                    store(arena, i, fma(down, load(arena, lower + i) - a, a))
                for k in range(image_width):
                    left = line + lane + table[columns + 2 * k] * lanes
                    right = line + lane + table[columns + 2 * k + 1] * lanes
                    across = load_one(constants, column_shares + k)
                    a = load(arena, left)
                    value = fma(across, load(arena, right) - a, a)
                    if accumulate != 0:
                        value = value + load(arena, place)
                    store(arena, place, value)
                    place += lanes

    return upsample


@for_lanes
def sum_channels(load: Any, store: Any, width: int) -> Any:
    def sum_channels(
        arena: Any,
        constants: Any,
        x: int,
        scale: int,
        magnitude: int,
        out: int,
        low: int,
        high: int,
        channels: int,
        height: int,
        image_width: int,
        plane: int,
        row: int,
        lanes: int,
    ) -> None:
        """The sum over channels of ``scale[c] * x``, or its magnitude; their least and greatest.

        `out` is a map; `low` and `high` are lane values.
        """
        for i in range(0, lanes, width):
            least = splat(3e38)
            greatest = -least
            for y in range(height):
                for k in range(image_width):
                    place = y * row + k * lanes + i
                    total = splat(0.0)
                    for c in range(channels):
                        value = load(arena, x + c * plane + place) * load_one(constants, scale + c)
                        if magnitude != 0:
                            value = absolute(value)
                        total = total + value
                        least = minimum(least, value)
                        greatest = maximum(greatest, value)
                    store(arena, out + (y * image_width + k) * lanes + i, total)
            store(arena, low + i, least)
            store(arena, high + i, greatest)

    return sum_channels


@for_lanes
def normalize_map(load: Any, store: Any, width: int) -> Any:
    def normalize_map(
        arena: Any,
        constants: Any,
        x: int,
        low: int,
        high: int,
        channels: int,
        epsilon: int,
        pixels: int,
        lanes: int,
    ) -> None:
        """Make of a sum of channels that of channels brought to the range from 0 to 1."""
        e = load_one(constants, epsilon)
        for i in range(0, lanes, width):
            least = load(arena, low + i)
            spread = load(arena, high + i) - least + e
            offset = least * splat(1.0 * channels)
            for p in range(x + i, x + i + pixels * lanes, lanes):
                store(arena, p, (load(arena, p) - offset) / spread)

    return normalize_map


@for_lanes
def mask_image(load: Any, store: Any, width: int) -> Any:
    def mask_image(
        arena: Any,
        x: int,
        mask: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        plane: int,
        row: int,
        lanes: int,
    ) -> None:
        """An image times a map."""
        for c in range(channels):
            for y in range(height):
                line = c * plane + y * row
                for i in range(0, image_width * lanes, width):
                    factor = load(arena, mask + y * image_width * lanes + i)
                    store(arena, out + line + i, factor * load(arena, x + line + i))

    return mask_image


@for_lanes
def without_channel(load: Any, store: Any, width: int) -> Any:
    def without_channel(
        arena: Any, frame: Any, x: int, out: int, plane: int, channels: int
    ) -> None:
        """A tensor with zeros for the channel whose number is that of the step."""
        dropped = frame[STEP]
        for c in range(channels):
            for i in range(c * plane, (c + 1) * plane, width):
                store(arena, out + i, splat(0.0) if c == dropped else load(arena, x + i))

    return without_channel


@for_lanes
def keep_values(load: Any, store: Any, width: int) -> Any:
    def keep_values(arena: Any, frame: Any, x: int, out: int, lanes: int) -> None:
        """Lane values to the place of the current step."""
        for i in range(0, lanes, width):
            store(arena, out + frame[STEP] * lanes + i, load(arena, x + i))

    return keep_values


@for_lanes
def relative_falls(load: Any, store: Any, width: int) -> Any:
    def relative_falls(arena: Any, x: int, whole: int, out: int, channels: int, lanes: int) -> None:
        """(whole - x) / whole; 0 where the whole's square is 0. `whole` is lane values."""
        zero = splat(0.0)
        for c in range(channels):
            for i in range(0, lanes, width):
                full = load(arena, whole + i)
                fall = (full - load(arena, x + c * lanes + i)) / full
                store(arena, out + c * lanes + i, select(full * full == zero, zero, fall))

    return relative_falls
