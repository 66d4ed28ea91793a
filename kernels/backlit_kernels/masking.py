"""Masked samples: parts of an input replaced by a baseline, made inside the tile.

A tensor is seen as `channels` x `height` x `width` pixels, planes and rows `plane` and `row`
floats apart; operands are otherwise those of `backlit_kernels.samples`.
"""

from typing import Any

from backlit_kernels.frame import PORTS, STEP, floats_at, integers_at
from backlit_kernels.groups import sample_of
from backlit_kernels.kernel import kernel
from backlit_kernels.lanes import for_lanes
from backlit_kernels.vector import LANES, fma, load, load_one, splat, store


@kernel
def spread_mask(
    arena: Any,
    frame: Any,
    masks: int,
    segments: int,
    count: int,
    masks_per_sample: int,
    first: int,
    segments_per_sample: int,
    out: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    lanes: int,
) -> None:
    """Give each pixel the current mask's value for the pixel's segment.

    Parameters
    ----------
    masks
        Port of the array ``(entries, count)``: of each mask, a value for each segment. A lane
        takes entry ``sample * masks_per_sample + step + first``.
    segments
        Port of the int64 array ``(entries, channels, height, width)`` of segment numbers: one
        for all samples if `segments_per_sample` is 0, one each if it is 1.
    """
    values = floats_at(frame[PORTS + masks])
    numbers = integers_at(frame[PORTS + segments])
    size = channels * height * width
    if lanes > 1 and masks_per_sample == 0 and segments_per_sample == 0:
        start = (frame[STEP] + first) * count
        for c in range(channels):
            for y in range(height):
                pixel = (c * height + y) * width
                target = out + c * plane + y * row
                for x in range(width):
                    value = load_one(values, start + numbers[pixel + x])
                    for lane in range(0, lanes, LANES):
                        store(arena, target + x * lanes + lane, value)
        return
    for lane in range(lanes):
        sample = sample_of(frame, lane)
        start = (frame[STEP] + sample * masks_per_sample + first) * count
        own = sample * segments_per_sample * size
        for c in range(channels):
            for y in range(height):
                pixel = own + (c * height + y) * width
                target = out + c * plane + y * row + lane
                for x in range(width):
                    arena[target + x * lanes] = values[start + numbers[pixel + x]]


@kernel
def blend(arena: Any, a: int, b: int, mask: int, out: int, size: int) -> None:
    """out = mask * a + (1 - mask) * b: exactly a where the mask is 1, b where it is 0."""
    one = splat(1.0)
    for i in range(0, size, LANES):
        m = load(arena, mask + i)
        rest = (one - m) * load(arena, b + i)
        store(arena, out + i, fma(m, load(arena, a + i), rest))


@for_lanes
def keep_pattern(load: Any, store: Any, width: int) -> Any:
    def keep_pattern(
        arena: Any,
        x: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        plane: int,
        row: int,
        size: int,
    ) -> None:
        """Write a tensor to a table of patterns, entries `size` floats apart, channels together."""
        for y in range(height):
            for i in range(image_width):
                source = x + y * row + i * width
                target = out + (y * image_width + i) * size
                for c in range(channels):
                    store(arena, target + c * width, load(arena, source + c * plane))

    return keep_pattern


@for_lanes
def pick_patterns(load: Any, store: Any, width: int) -> Any:
    def pick_patterns(
        arena: Any,
        frame: Any,
        choice: int,
        patterns: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        plane: int,
        row: int,
        size: int,
    ) -> None:
        """Put a tensor together: each entry of its image from the pattern chosen for it.

        Parameters
        ----------
        choice
            Port of the int64 array ``(steps, height, width)`` of pattern numbers.
        patterns
            Where the table ``(height, width, patterns, channels, lanes)`` lies, of which each
            entry of an image takes `size` floats.
        """
        numbers = integers_at(frame[PORTS + choice])
        start = frame[STEP] * height * image_width
        for y in range(height):
            for i in range(image_width):
                number = numbers[start + y * image_width + i]
                source = patterns + (y * image_width + i) * size + number * channels * width
                target = out + y * row + i * width
                for c in range(channels):
                    store(arena, target + c * plane, load(arena, source + c * width))

    return pick_patterns


@kernel
def copy_box(
    arena: Any,
    frame: Any,
    boxes: int,
    boxes_per_sample: int,
    source: int,
    out: int,
    plane: int,
    row: int,
    lanes: int,
) -> None:
    """Copy the pixels of the current box from one tensor to another of the same layout.

    `boxes` is the port of an int64 array ``(entries, 6)``: where a box begins and ends, by
    channel, row and column. A lane takes entry ``sample * boxes_per_sample + step``.
    """
    bounds = integers_at(frame[PORTS + boxes])
    if lanes > 1 and boxes_per_sample == 0:
        at = frame[STEP] * 6
        for c in range(bounds[at], bounds[at + 1]):
            for y in range(bounds[at + 2], bounds[at + 3]):
                place = c * plane + y * row
                first, end = bounds[at + 4] * lanes, bounds[at + 5] * lanes
                for i in range(place + first, place + end, LANES):
                    store(arena, out + i, load(arena, source + i))
        return
    for lane in range(lanes):
        sample = sample_of(frame, lane)
        at = (frame[STEP] + sample * boxes_per_sample) * 6
        for c in range(bounds[at], bounds[at + 1]):
            for y in range(bounds[at + 2], bounds[at + 3]):
                place = c * plane + y * row + lane
                for x in range(bounds[at + 4], bounds[at + 5]):
                    arena[out + place + x * lanes] = arena[source + place + x * lanes]


@kernel
def load_chosen(
    arena: Any,
    frame: Any,
    port: int,
    choice: int,
    samples: int,
    out: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    lanes: int,
) -> None:
    """Fill a tile with other samples: entry ``choice[step, sample]`` of the array at `port`.

    `choice` is the port of an int64 array ``(steps, samples)``.
    """
    source = floats_at(frame[PORTS + port])
    chosen = integers_at(frame[PORTS + choice])
    size = channels * height * width
    for lane in range(lanes):
        sample = sample_of(frame, lane)
        start = chosen[frame[STEP] * samples + sample] * size
        for c in range(channels):
            for y in range(height):
                pixel = start + (c * height + y) * width
                target = out + c * plane + y * row + lane
                for x in range(width):
                    arena[target + x * lanes] = source[pixel + x]


@kernel
def move_region(
    arena: Any,
    frame: Any,
    table: Any,
    starts: int,
    whole: int,
    patch: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    patch_plane: int,
    patch_row: int,
    exchange: int,
    lanes: int,
) -> None:
    """Copy the current region of a tensor to a patch; with `exchange` 1, swap the two.

    `starts` is the table of each step's distance from the first pixel of the tensor to that of the
    region.
    """
    start = whole + table[starts + frame[STEP]]
    whole_vectors = width * lanes // LANES * LANES
    for c in range(channels):
        for y in range(height):
            there, here = start + c * plane + y * row, patch + c * patch_plane + y * patch_row
            for i in range(0, whole_vectors, LANES):
                value = load(arena, there + i)
                if exchange != 0:
                    store(arena, there + i, load(arena, here + i))
                store(arena, here + i, value)
            for i in range(whole_vectors, width * lanes):
                one = arena[there + i]
                if exchange != 0:
                    arena[there + i] = arena[here + i]
                arena[here + i] = one
